//! A webhook config: who may call us, how they prove themselves, and what of it counts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::authentication::{Algorithm, Authentication, header_name};
use super::binding::RepositoryBinding;
use super::integration::IntegrationId;
use super::mapping::Mapping;
use super::normalised::NormalisedEvent;
pub use super::provider::{Provider, WebhookType};
use super::scheme::Scheme;
use crate::domain::shared::filter::{self, Filter};
use crate::domain::shared::ids::{ConfigId, TenantId};
use crate::domain::shared::object_reader::ObjectReader;
use crate::domain::shared::retry::RetryPolicy;
use crate::domain::shared::signature::SigningSecret;
use crate::error::Error;

/// What a caller says of a webhook config; the rest is ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// For people.
    pub name: String,
    /// What it is about; decides the address.
    #[serde(rename = "type")]
    pub webhook_type: WebhookType,
    /// Who calls.
    pub provider: Provider,
    /// An entry of Secrets Manager with the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<String>,
    /// The header of the signature, over the provider's preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_header: Option<String>,
    /// The hash of the signature, over the provider's preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_algorithm: Option<Algorithm>,
    /// How the sender proves itself, instead of the provider's preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// Whether anything is received.
    pub enabled: bool,
    /// Which events; all must match.
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// Which repositories the sender may speak for.
    #[serde(default)]
    pub repositories: RepositoryBinding,
    /// The pace at which a request is tried again that we could not process at once.
    pub retry_policy: RetryPolicy,
    /// Where in a generic body the members of an event are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<Mapping>,
}

impl Spec {
    /// What a request must prove.
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

    /// Whether the sender may speak for the event's repository.
    #[must_use]
    pub fn allows(&self, event: &NormalisedEvent) -> bool {
        self.repositories.allows(event)
    }
}

/// The secret that a caller hands in, which is sealed before it is stored.
#[derive(Default)]
pub struct Secrets {
    /// What the sender signs with, or says.
    pub secret: Option<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

/// What was valid before a rotation and still is for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Previous {
    /// The sealed secret, or the token's hash.
    pub value: String,
    /// When it ends.
    pub until: DateTime<Utc>,
}

/// A webhook config as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Its id.
    pub id: ConfigId,
    /// What its sender's address calls it.
    pub integration_id: IntegrationId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// What the caller said.
    #[serde(flatten)]
    pub spec: Spec,
    /// The secret, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_secret: Option<String>,
    /// The secret before it, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_previous_secret: Option<Previous>,
    /// The URL token's hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_token_hash: Option<String>,
    /// The hash of the one before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_url_token_hash: Option<Previous>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// How many times it was written.
    pub revision: u64,
}

impl Config {
    /// Whether a request to the address of `webhook_type` is for this config; one that is disabled
    /// answers like one that is not there.
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

    /// The config as callers see it: without secrets. `base_url` is where the API lives, as in
    /// `https://stella.example.com`; the URL token is not part of `url`, because only its hash is known.
    #[must_use]
    pub fn view(&self, base_url: &str) -> Value {
        let mut view = self.spec_json();
        let path = self.spec.webhook_type.segment();
        let url =
            format!("{}/api/v1/webhooks/{path}/{}", base_url.trim_end_matches('/'), self.integration_id);
        if let Some(members) = view.as_object_mut() {
            members.insert("id".to_owned(), json!(self.id));
            members.insert("integrationId".to_owned(), json!(self.integration_id));
            members.insert("tenantId".to_owned(), json!(self.tenant_id));
            members.insert(
                "createdAt".to_owned(),
                json!(crate::domain::shared::time::timestamp(self.created_at)),
            );
            members.insert(
                "updatedAt".to_owned(),
                json!(crate::domain::shared::time::timestamp(self.updated_at)),
            );
            members.insert("url".to_owned(), json!(url));
        }
        view
    }

    /// What is wrong with its expressions, if they were stored and would be refused now, each with its place.
    pub fn mistakes(&self) -> impl Iterator<Item = String> {
        let mapping = self.spec.mapping.iter().flat_map(Mapping::mistakes);
        filter::mistakes(&self.spec.filters).chain(mapping)
    }

    /// What a PATCH is merged onto: what the caller said.
    #[must_use]
    pub fn spec_json(&self) -> Value {
        serde_json::to_value(&self.spec).unwrap_or(Value::Null)
    }
}

fn live<'a>(current: Option<&'a str>, previous: Option<&'a Previous>, now: DateTime<Utc>) -> Vec<&'a str> {
    let previous = previous.filter(|previous| now < previous.until).map(|previous| previous.value.as_str());
    current.into_iter().chain(previous).collect()
}

/// Reads a webhook config from a request. `has_secret`: one is stored already and need not be sent again.
///
/// # Errors
/// Every mistake at once.
pub fn parse(body: &Value, has_secret: bool) -> Result<(Spec, Secrets), Error> {
    ObjectReader::whole(body, |fields| read(fields, has_secret))
}

/// Reads the members of a webhook config.
pub fn read(fields: &mut ObjectReader<'_>, has_secret: bool) -> Option<(Spec, Secrets)> {
    let name = fields.required_text("name", 200);
    fields.require("type");
    let webhook_type = fields.one_of("type", &WebhookType::ALL);
    let provider = fields.one_of("provider", &Provider::ALL).unwrap_or(Provider::Auto);
    let secret_ref = fields.text("secretRef", 512);
    let secret = fields.text("secret", 4096);
    let signature_header = fields.parsed("signatureHeader", header_name);
    let signature_algorithm = fields.one_of("signatureAlgorithm", &Algorithm::ALL);
    let authentication = Authentication::parse(fields);
    let enabled = fields.boolean("enabled").unwrap_or(true);
    let filters = fields.objects("filters", 20, Filter::parse).unwrap_or_default();
    let repositories = RepositoryBinding::parse(fields).unwrap_or_default();
    let retry_policy = fields.object("retryPolicy", RetryPolicy::parse).unwrap_or_default();
    let mapping = fields.object("mapping", Mapping::parse);
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
    };
    if let Some(webhook_type) = webhook_type {
        check_provider(fields, webhook_type, &spec);
    }
    // A broken authentication has its own mistakes, and what it needs is not known.
    if !fields.is_given("authentication") || spec.authentication.is_some() {
        check_secret(fields, &spec, secret.as_deref(), has_secret);
    }
    Some((spec, Secrets { secret }))
}

fn check_provider(fields: &mut ObjectReader<'_>, webhook_type: WebhookType, spec: &Spec) {
    let (provider, name) = (spec.provider, spec.provider.name());
    if !provider.fits(webhook_type) {
        fields.wrong("provider", format!("{name} does not go with type {}", webhook_type.name()));
    }
    if spec.mapping.is_some() && !matches!(provider, Provider::Auto | Provider::Generic) {
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
