//! Clients of AWS's services. Credentials, region and endpoints come from the environment; TLS trusts
//! Amazon's root certificates only.

pub mod refusal;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Region, SharedCredentialsProvider, SharedHttpClient};
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::environment::Environment;
use crate::error::Error;

/// What the clients of one function share.
#[derive(Clone)]
pub struct Aws {
    environment: Environment,
    region: Region,
    credentials: SharedCredentialsProvider,
    http: SharedHttpClient,
    patience: Option<Duration>,
    secrets_manager: Arc<OnceLock<aws_sdk_secretsmanager::Client>>,
}

impl Aws {
    /// Reads region and credentials, which Lambda sets for every function. `LOCAL_TIMEOUT_MS`, which only the
    /// local stack sets, replaces the time limit of every operation: on one machine the tables share the
    /// processor with everything else, and there is no other server that would answer sooner.
    ///
    /// # Errors
    /// `Fault` if one is missing.
    pub fn new(environment: &Environment) -> Result<Self, Error> {
        let credentials = Credentials::new(
            environment.required("AWS_ACCESS_KEY_ID")?,
            environment.required("AWS_SECRET_ACCESS_KEY")?,
            environment.variable("AWS_SESSION_TOKEN").map(str::to_owned),
            None,
            "environment",
        );
        Ok(Self {
            region: Region::new(environment.required("AWS_REGION")?.to_owned()),
            credentials: SharedCredentialsProvider::new(credentials),
            http: http_client()?,
            patience: match environment.variable("LOCAL_TIMEOUT_MS") {
                None => None,
                Some(_) => Some(Duration::from_millis(environment.number("LOCAL_TIMEOUT_MS")?.into())),
            },
            environment: environment.clone(),
            secrets_manager: Arc::default(),
        })
    }

    /// A DynamoDB client: two tries within 700 ms in all, because senders wait for the answer.
    #[must_use]
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let mut config = aws_sdk_dynamodb::Config::builder()
            .region(self.region.clone())
            .credentials_provider(self.credentials.clone())
            .http_client(self.http.clone())
            .retry_config(quick_retry())
            .timeout_config(self.timeouts(Duration::from_millis(700)));
        config.set_endpoint_url(self.endpoint("AWS_ENDPOINT_URL_DYNAMODB"));
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// An SQS client: two tries within 600 ms in all.
    #[must_use]
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        self.sqs_within(Duration::from_millis(600))
    }

    /// An SQS client: two tries within `time` in all.
    #[must_use]
    pub fn sqs_within(&self, time: Duration) -> aws_sdk_sqs::Client {
        let mut config = aws_sdk_sqs::Config::builder()
            .region(self.region.clone())
            .credentials_provider(self.credentials.clone())
            .http_client(self.http.clone())
            .retry_config(quick_retry())
            .timeout_config(self.timeouts(time));
        config.set_endpoint_url(self.endpoint("AWS_ENDPOINT_URL_SQS"));
        aws_sdk_sqs::Client::from_conf(config.build())
    }

    /// The Secrets Manager client: two tries within 2 s in all. It is created once, because that takes half a
    /// millisecond of a cold start.
    #[must_use]
    pub fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        self.secrets_manager.get_or_init(|| self.new_secrets_manager()).clone()
    }

    fn new_secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        let mut config = aws_sdk_secretsmanager::Config::builder()
            .region(self.region.clone())
            .credentials_provider(self.credentials.clone())
            .http_client(self.http.clone())
            .retry_config(quick_retry())
            .timeout_config(self.timeouts(Duration::from_secs(2)));
        config.set_endpoint_url(self.endpoint("AWS_ENDPOINT_URL_SECRETS_MANAGER"));
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    fn timeouts(&self, operation: Duration) -> TimeoutConfig {
        TimeoutConfig::builder().operation_timeout(self.patience.unwrap_or(operation)).build()
    }

    fn endpoint(&self, variable: &str) -> Option<String> {
        self.environment.variable(variable).map(str::to_owned)
    }
}

fn quick_retry() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(25))
}

/// Loading the system's root certificates costs 3–25 ms of every cold start. AWS needs five of them.
fn http_client() -> Result<SharedHttpClient, Error> {
    let mut roots = TrustStore::empty();
    for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter(|root| is_amazons(root)) {
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            STANDARD.encode(root.as_ref())
        );
        roots.add_pem_certificate(pem);
    }
    let context = TlsContext::builder()
        .with_trust_store(roots)
        .build()
        .map_err(|error| Error::fault("the TLS context cannot be made").caused_by(error))?;
    Ok(aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_https())
}

/// Whether a certificate is one of Amazon Trust Services' roots: its own four, and Starfield's, which
/// cross-signs them. The issuer's name is at the beginning of a certificate.
fn is_amazons(root: &[u8]) -> bool {
    let beginning = root.get(..300).unwrap_or(root);
    let names = |name: &[u8]| beginning.windows(name.len()).any(|window| window == name);
    names(b"Amazon Root CA") || names(b"Starfield Services Root")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_roots_include_amazons() {
        let count = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter(|root| is_amazons(root)).count();
        assert!((4..=5).contains(&count), "{count}");
        assert!(http_client().is_ok());
    }
}
