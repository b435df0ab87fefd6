//! Webhook configs: which sender may post, how it is authenticated, and which of its events count.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::authentication::{Algorithm, Authentication, header_name};
use super::binding::RepositoryBinding;
use super::integration::IntegrationId;
use super::mapping::Mapping;
use super::normalised::NormalisedEvent;
pub use super::provider::Provider;
use super::repository::canonical_host;
use super::scheme::Scheme;
use super::senders::GENERIC;
use super::senders::sender::{ReplayProtection, Sender};
pub use super::webhook_type::WebhookType;
use crate::domain::shared::filter::{self, Filter};
use crate::domain::shared::ids::{ConfigId, TenantId};
use crate::domain::shared::object_reader::ObjectReader;
use crate::domain::shared::retry::RetryPolicy;
use crate::domain::shared::signature::SigningSecret;
use crate::error::Error;

/// The longest age that a config can require, in seconds: 30 days.
const MAX_AGE_SECONDS: u64 = 2_592_000;

/// The part of a webhook config that the caller sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The name, for people.
    pub name: String,
    /// The type, which is part of the address.
    #[serde(rename = "type")]
    pub webhook_type: WebhookType,
    /// The sender.
    pub provider: Provider,
    /// The name of an entry in Secrets Manager that has the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<String>,
    /// The header of the signature, in place of the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_header: Option<String>,
    /// The hash of the signature, in place of the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_algorithm: Option<Algorithm>,
    /// How the sender is authenticated. Default: the sender's preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// Whether requests are received.
    pub enabled: bool,
    /// Which events count. All filters must match.
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// Which repositories the sender may send events about.
    #[serde(default)]
    pub repositories: RepositoryBinding,
    /// The delays between the retries of a request that could not be processed at once.
    pub retry_policy: RetryPolicy,
    /// Where in a body of unknown form the members of an event are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<Mapping>,
    /// Words and numbers that mean that a pipeline succeeded, beside the sender's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub success_results: Vec<String>,
    /// The age above which events are ignored, in seconds, by the sender's time. 0: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u32>,
    /// Whether the sender's time is that of the push. Default: the sender's [`Sender::time_is_push`].
    ///
    /// [`Sender::time_is_push`]: super::senders::sender::Sender::time_is_push
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_is_push: Option<bool>,
    /// The registry's host, in place of the one in the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
}

impl Spec {
    /// How requests are authenticated: as set, or else by the preset.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        Scheme::of(
            self.provider,
            self.webhook_type,
            self.authentication.as_ref(),
            self.signature_header.as_deref(),
            self.signature_algorithm,
        )
    }

    /// Whether the sender's time orders pushes: as set, or else by the sender. `None` if each body tells its sender.
    #[must_use]
    pub fn orders_by_time(&self) -> Option<bool> {
        let sender = self.provider.sender(self.webhook_type);
        // The normalised form has the time of the push; what a mapping finds may be that of the content.
        let is_normalised = |sender: &Sender| *sender == GENERIC && self.mapping.is_none();
        self.time_is_push.or_else(|| sender.map(|sender| sender.time_is_push || is_normalised(sender)))
    }

    /// What shows that a request is not an old one sent again. `None` if each body tells its sender.
    #[must_use]
    pub fn replay_protection(&self) -> Option<ReplayProtection> {
        if self.scheme().signs_time() {
            return Some(ReplayProtection::Time);
        }
        let has = |member| self.mapping.as_ref().is_some_and(|mapping| mapping.names(member));
        let mapped = [
            ("pushedAt", ReplayProtection::Time),
            ("before", ReplayProtection::State),
            ("deliveryId", ReplayProtection::Id),
        ];
        let mapped = mapped.into_iter().find(|(member, _)| has(member)).map(|(_, protection)| protection);
        let sender = self.provider.sender(self.webhook_type);
        mapped.or_else(|| sender.map(|sender| sender.replay_protection))
    }

    /// The age above which events are ignored, if there is one.
    #[must_use]
    pub fn max_age(&self) -> Option<Duration> {
        let seconds = self.max_age_seconds.filter(|seconds| *seconds > 0)?;
        Some(Duration::seconds(i64::from(seconds)))
    }

    /// Whether the sender may send events about the event's repository.
    #[must_use]
    pub fn allows(&self, event: &NormalisedEvent) -> bool {
        self.repositories.allows(event)
    }
}

/// The secret in a request of a caller. It is sealed before it is stored.
#[derive(Default)]
pub struct Secrets {
    /// The secret that the sender signs with or sends.
    pub secret: Option<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

/// A secret or URL token that was rotated out, and is valid for some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Previous {
    /// The sealed secret, or the hash of the URL token.
    pub value: String,
    /// Until when it is valid.
    pub until: DateTime<Utc>,
}

/// A webhook config, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// The config's id.
    pub id: ConfigId,
    /// The id in the address at which the sender posts.
    pub integration_id: IntegrationId,
    /// The owning tenant.
    pub tenant_id: TenantId,
    /// What the caller set.
    #[serde(flatten)]
    pub spec: Spec,
    /// The secret, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_secret: Option<String>,
    /// The previous secret, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_previous_secret: Option<Previous>,
    /// The hash of the URL token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_token_hash: Option<String>,
    /// The hash of the previous URL token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_url_token_hash: Option<Previous>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// The number of writes so far. Each write names the one before.
    pub revision: u64,
}

impl Config {
    /// Whether the config serves the address of `webhook_type`. A disabled config answers as one that does
    /// not exist.
    #[must_use]
    pub fn serves(&self, webhook_type: WebhookType) -> bool {
        self.spec.enabled && self.spec.webhook_type == webhook_type
    }

    /// The sealed secrets that are valid now, newest first.
    #[must_use]
    pub fn live_sealed_secrets(&self, now: DateTime<Utc>) -> Vec<&str> {
        live(self.sealed_secret.as_deref(), self.sealed_previous_secret.as_ref(), now)
    }

    /// The hashes of the URL tokens that are valid now, newest first.
    #[must_use]
    pub fn live_url_token_hashes(&self, now: DateTime<Utc>) -> Vec<&str> {
        live(self.url_token_hash.as_deref(), self.previous_url_token_hash.as_ref(), now)
    }

    /// What is wrong with stored expressions that would be refused now, each with its place.
    pub fn mistakes(&self) -> impl Iterator<Item = String> {
        let mapping = self.spec.mapping.iter().flat_map(Mapping::mistakes);
        filter::mistakes(&self.spec.filters).chain(mapping)
    }

    /// The spec as JSON: what a PATCH is merged onto.
    #[must_use]
    pub fn spec_json(&self) -> Value {
        serde_json::to_value(&self.spec).unwrap_or(Value::Null)
    }
}

fn live<'a>(current: Option<&'a str>, previous: Option<&'a Previous>, now: DateTime<Utc>) -> Vec<&'a str> {
    let previous = previous.filter(|previous| now < previous.until).map(|previous| previous.value.as_str());
    current.into_iter().chain(previous).collect()
}

/// Reads a webhook config from a request. `has_secret`: a secret is stored already and need not be sent
/// again.
///
/// # Errors
/// Unprocessable with every mistake.
pub fn parse(body: &Value, has_secret: bool) -> Result<(Spec, Secrets), Error> {
    ObjectReader::whole(body, |fields| read(fields, has_secret))
}

/// Reads the members of a webhook config.
pub fn read(fields: &mut ObjectReader<'_>, has_secret: bool) -> Option<(Spec, Secrets)> {
    let name = fields.required_text("name", 200);
    fields.require("type");
    let webhook_type = fields.one_of("type", &WebhookType::ALL);
    let providers: Vec<_> = Provider::all().collect();
    let provider = fields.one_of_or("provider", &providers, Provider::Auto);
    let secret_ref = fields.text("secretRef", 512);
    fields.describe(
        "secret",
        "What the sender signs with, or sends. It is sealed and never shown. The one before it is valid for 24 hours more.",
    );
    let secret = fields.text("secret", 4096);
    let signature_header = fields.parsed("signatureHeader", header_name);
    let signature_algorithm = fields.one_of("signatureAlgorithm", &Algorithm::ALL);
    let authentication = Authentication::parse(fields);
    let enabled = fields.boolean_or("enabled", true);
    let filters = fields.objects("filters", 20, Filter::parse).unwrap_or_default();
    let repositories = RepositoryBinding::parse(fields).unwrap_or_default();
    let retry_policy = fields.object("retryPolicy", RetryPolicy::parse).unwrap_or_default();
    let mapping = fields.object("mapping", Mapping::parse);
    let success_results = fields.words("successResults", 20, 64).unwrap_or_default();
    let max_age_seconds = read_max_age(fields);
    let time_is_push = fields.boolean("timeIsPush");
    let registry = fields.parsed("registry", |text| canonical_host(&text.trim().to_lowercase()));
    let spec = Spec {
        name,
        webhook_type: webhook_type.unwrap_or(WebhookType::Generic),
        provider,
        secret_ref,
        signature_header,
        signature_algorithm,
        authentication,
        enabled,
        filters,
        repositories,
        retry_policy,
        mapping,
        success_results,
        max_age_seconds,
        time_is_push,
        registry,
    };
    if let Some(webhook_type) = webhook_type {
        check_provider(fields, webhook_type, &spec);
    }
    // If the authentication is broken, its mistakes are noted, and it is not known whether it needs a secret.
    if !fields.is_given("authentication") || spec.authentication.is_some() {
        check_secret(fields, &spec, secret.as_deref(), has_secret);
    }
    Some((spec, Secrets { secret }))
}

/// 0 for no limit, or else a minute to 30 days.
fn read_max_age(fields: &mut ObjectReader<'_>) -> Option<u32> {
    let seconds = fields.integer("maxAgeSeconds", 0, MAX_AGE_SECONDS)?;
    if (1..60).contains(&seconds) {
        fields.wrong("maxAgeSeconds", "must be 0 for no limit, or 60 to 2592000");
    }
    u32::try_from(seconds).ok()
}

fn check_provider(fields: &mut ObjectReader<'_>, webhook_type: WebhookType, spec: &Spec) {
    let (provider, name) = (spec.provider, spec.provider.name());
    if !provider.fits(webhook_type) {
        fields.wrong("provider", format!("{name} does not go with type {}", webhook_type.name()));
    }
    if spec.mapping.is_some() && !provider.takes_mapping() {
        fields.wrong("mapping", format!("is for providers auto and generic; {name} has a form of its own"));
    }
}

fn check_secret(fields: &mut ObjectReader<'_>, spec: &Spec, secret: Option<&str>, has_stored: bool) {
    let overrides = spec.signature_header.is_some() || spec.signature_algorithm.is_some();
    if spec.authentication.is_some() && overrides {
        fields.wrong("authentication", "cannot be given together with signatureHeader or signatureAlgorithm");
    }
    let scheme = spec.scheme();
    if spec.signature_algorithm.is_some() && !matches!(scheme, Scheme::Hmac { .. }) {
        fields.wrong("signatureHeader", "is required with signatureAlgorithm for this provider");
    }
    if secret.is_some() && spec.secret_ref.is_some() {
        fields.wrong("secret", "cannot be given together with secretRef");
    }
    if scheme.needs_secret() && secret.is_none() && spec.secret_ref.is_none() && !has_stored {
        fields.wrong("secret", "is required for this authentication, unless secretRef is given");
    }
    if let Some(secret) = secret
        && let Err(message) = fits(&scheme, secret)
    {
        fields.wrong("secret", message);
    }
}

fn fits(scheme: &Scheme, secret: &str) -> Result<(), String> {
    if secret.trim().is_empty() {
        return Err("must not be blank".to_owned());
    }
    // A secret that is pasted, or read from a file, often ends in a line break that the sender does not have.
    if secret.trim() != secret {
        return Err("must not begin or end with blanks or line breaks".to_owned());
    }
    let visible = secret.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    match scheme {
        Scheme::UrlToken | Scheme::Oidc { .. } => {
            Err("is not used: give signatureHeader, or an authentication that needs a secret".to_owned())
        }
        Scheme::Token { .. } | Scheme::Basic if !visible => {
            Err("must be printable ASCII, for it is sent in a header".to_owned())
        }
        Scheme::Basic if !secret.contains(':') => Err("must be user:password".to_owned()),
        Scheme::StandardWebhooks => SigningSecret::parse(secret).map(|_| ()),
        Scheme::Either(first, second) => fits(first, secret).or_else(|_| fits(second, secret)),
        Scheme::Token { .. } | Scheme::Basic | Scheme::Hmac { .. } | Scheme::HttpSignature { .. } => Ok(()),
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
