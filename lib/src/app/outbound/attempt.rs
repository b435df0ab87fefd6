//! One attempt: composes body, headers and signature, calls the receiver, and evaluates the answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::aws::Aws;
use crate::domain::outbound::delivery::Attempt;
use crate::domain::outbound::event::body;
use crate::domain::outbound::event_type::EventType;
use crate::domain::outbound::lineage;
use crate::domain::outbound::outcome::{Outcome, Verdict};
use crate::domain::outbound::request::{self, AttemptHead};
use crate::domain::outbound::subscription::{self, Credential, OutboundAuth, Subscription};
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::headers::{REDACTED, redact};
use crate::domain::shared::signature::{self, SigningSecret};
use crate::domain::shared::target::{EgressPolicy, Target};
use crate::egress::client::{Client, Request};
use crate::environment::Environment;
use crate::error::Error;
use crate::secrets::keyring::Keyring;
use crate::store::{Store, keys};

/// How much of an answer's body [`AttemptOutcome::response`] holds, in bytes.
const MAX_SHOWN: usize = 16 * 1024;

/// What an attempt sends, and its number.
pub struct AttemptSpec<'a> {
    /// The delivery's id.
    pub id: DeliveryId,
    /// The event's type.
    pub event: EventType,
    /// The event's data as JSON text.
    pub data: &'a str,
    /// The event's hops: how often it came back in through a webhook config.
    pub hops: u32,
    /// The attempt's number within its generation, from 1.
    pub number: u32,
    /// The delivery's schedule generation, from 0.
    pub generation: u32,
}

/// Sends attempts to receivers, through the egress guard.
#[derive(Clone)]
pub struct AttemptSender {
    client: Client,
    policy: EgressPolicy,
    keyring: Keyring,
    secrets: aws_sdk_secretsmanager::Client,
    stage: String,
}

/// A composed and signed request.
pub struct SignedRequest {
    /// All headers but `Host` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// The outcome of an attempt that was made.
pub struct AttemptOutcome {
    /// The attempt, as the delivery log stores it.
    pub attempt: Attempt,
    /// What follows from it: delivered, a retry, or a final failure.
    pub verdict: Verdict,
    /// The beginning of the answer's body, at most 16 KiB, with our credentials redacted.
    pub response: Option<String>,
}

impl AttemptSender {
    /// The sender of a function: egress policy, keyring and secrets by its environment.
    ///
    /// # Errors
    /// `Fault` if a variable is missing or invalid.
    pub fn of(environment: &Environment, aws: &Aws, store: &Store) -> Result<Self, Error> {
        let keyring = Keyring::of(environment, aws, store)?;
        let policy = EgressPolicy::from_environment(environment)?;
        Ok(Self::new(policy, keyring, aws.secrets_manager(), environment.required("STAGE")?))
    }

    /// A sender that calls only what `policy` allows.
    #[must_use]
    pub fn new(
        policy: EgressPolicy,
        keyring: Keyring,
        secrets: aws_sdk_secretsmanager::Client,
        stage: &str,
    ) -> Self {
        Self { client: Client::new(policy.clone()), policy, keyring, secrets, stage: stage.to_owned() }
    }

    /// Makes one attempt, within the subscription's timeout and at most `max_ms` milliseconds.
    ///
    /// # Errors
    /// Only our own failures, such as a secret that cannot be read. What the receiver does is in the verdict.
    pub async fn send(
        &self,
        subscription: &Subscription,
        spec: &AttemptSpec<'_>,
        at: DateTime<Utc>,
        max_ms: u64,
    ) -> Result<AttemptOutcome, Error> {
        let SignedRequest { headers, body } = self.compose(subscription, spec, at).await?;
        let secrets = secrets_in(&headers);
        let finished = |attempt, verdict, response| AttemptOutcome { attempt, verdict, response };
        let mut attempt = Attempt::new(spec.number, spec.generation, at, subscription.revision);
        let target = match Target::vet(subscription.spec.destination.url(), &self.policy) {
            Ok(target) => target,
            Err(reason) => {
                let reason = format!("The URL {reason}");
                attempt.error = Some(reason.clone());
                return Ok(finished(attempt, Verdict::Final { reason }, None));
            }
        };
        let request = Request {
            target: &target,
            method: subscription.spec.method.name(),
            headers,
            body: Bytes::from(body),
            timeout: std::time::Duration::from_millis(subscription.spec.timeout.min(max_ms)),
        };
        let outcome: Outcome = self.client.send(request).await;
        // A receiver may echo its request: our credentials must not get into the log.
        let response = outcome.body_text(MAX_SHOWN).map(|text| scrub(text, &secrets));
        attempt.note(&outcome, response.as_deref());
        Ok(finished(attempt, outcome.verdict(at), response))
    }

    /// Composes and signs the request of one attempt.
    ///
    /// # Errors
    /// Only our own failures, such as a secret that cannot be read.
    pub async fn compose(
        &self,
        subscription: &Subscription,
        spec: &AttemptSpec<'_>,
        at: DateTime<Utc>,
    ) -> Result<SignedRequest, Error> {
        let head = AttemptHead { id: spec.id, event: spec.event, number: spec.number, at };
        let body = body(spec.id, at, spec.event, subscription.tenant_id, spec.data);
        let secrets = self.secrets(subscription, spec, at, body.as_bytes()).await?;
        let headers = request::filled(request::headers(subscription, head), &secrets);
        Ok(SignedRequest { headers, body })
    }

    /// The headers that are made of secrets: name and value.
    async fn secrets(
        &self,
        subscription: &Subscription,
        spec: &AttemptSpec<'_>,
        at: DateTime<Utc>,
        body: &[u8],
    ) -> Result<Vec<(&'static str, String)>, Error> {
        let mut secrets = match subscription.auth(at)? {
            OutboundAuth::None => Vec::new(),
            OutboundAuth::Basic(credential) => {
                let credential = self.credential(subscription, credential).await?;
                vec![("Authorization", subscription::basic(&credential))]
            }
            OutboundAuth::Bearer(credential) => {
                let credential = self.credential(subscription, credential).await?;
                vec![("Authorization", format!("Bearer {credential}"))]
            }
            OutboundAuth::Signature { sealed, previous } => {
                let secret = self.signing_secret(subscription, sealed).await?;
                let previous = match previous {
                    Some(previous) => Some(self.signing_secret(subscription, &previous.sealed).await?),
                    None => None,
                };
                signature::headers(&secret, previous.as_ref(), &spec.id.to_string(), at, body)
            }
        };
        secrets.push((lineage::HEADER, self.keyring.lineage().await?.sign(spec.hops)));
        Ok(secrets)
    }

    async fn signing_secret(
        &self,
        subscription: &Subscription,
        sealed: &str,
    ) -> Result<SigningSecret, Error> {
        SigningSecret::parse(&self.open(subscription, sealed).await?)
            .map_err(|_| Error::fault("A stored signing secret is not one"))
    }

    async fn credential(
        &self,
        subscription: &Subscription,
        credential: Credential<'_>,
    ) -> Result<String, Error> {
        match credential {
            Credential::Entry(name) => {
                let name = crate::secrets::tenants_entry(&self.stage, subscription.tenant_id, name);
                crate::secrets::read(&self.secrets, &name).await
            }
            Credential::Sealed(sealed) => self.open(subscription, sealed).await,
        }
    }

    async fn open(&self, subscription: &Subscription, sealed: &str) -> Result<String, Error> {
        let key = keys::subscription(subscription.tenant_id, subscription.id);
        self.keyring.open(subscription.tenant_id, &key, sealed).await
    }
}

/// The secret values among a request's headers, in each form that an answer may echo: whole, without the
/// scheme, and decoded from base64.
fn secrets_in(headers: &[(String, String)]) -> Vec<String> {
    let is_secret = |(name, value): &&(String, String)| redact(name, value) == REDACTED;
    let mut secrets: Vec<String> = Vec::new();
    for (_, value) in headers.iter().filter(is_secret) {
        let bare = value.split_once(' ').map_or(value.as_str(), |(_, bare)| bare);
        let decoded = STANDARD.decode(bare).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        secrets.extend([value.clone(), bare.to_owned()]);
        secrets.extend(decoded);
    }
    // The longest first, so that no rest of a longer one is left. Very short ones would blank innocent text.
    secrets.retain(|secret| secret.len() >= 4);
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
}

fn scrub(text: String, secrets: &[String]) -> String {
    secrets.iter().fold(text, |text, secret| text.replace(secret.as_str(), REDACTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_that_a_receiver_echoes_are_redacted() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = [
            header("Authorization", "Basic dXNlcjpwYXNzIHdvcmQ="),
            header("X-Api-Key", "k-12345"),
            header("X-Team", "blue team"),
        ];
        let echo = "Basic dXNlcjpwYXNzIHdvcmQ= k-12345 user:pass word blue team".to_owned();
        assert_eq!(scrub(echo, &secrets_in(&headers)), "[redacted] [redacted] [redacted] blue team");
    }
}
