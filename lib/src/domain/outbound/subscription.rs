//! A subscription: which events go to which address, and how they are authenticated and retried.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::destination::Destination;
use super::event_type::EventPattern;
use crate::domain::shared::filter::{self, Filter};
use crate::domain::shared::headers::CustomHeaders;
use crate::domain::shared::ids::{SubscriptionId, TenantId};
use crate::domain::shared::object_reader::ObjectReader;
use crate::domain::shared::retry::RetryPolicy;
use crate::domain::shared::signature::SigningSecret;
use crate::error::{Code, Error, Kind};

/// The longest timeout of an attempt, in milliseconds. Also the default.
pub const TIMEOUT_MS: u64 = 30_000;

/// The highest rate limit, in attempts per second.
const MAX_PER_SECOND: u64 = 10_000;

named! {
    /// The HTTP method of a delivery.
    #[cfg_attr(feature = "schema", schemars(inline))]
    pub enum Method {
        /// The usual method of webhooks.
        Post = "POST",
        /// For receivers that expect it.
        Put = "PUT",
    }
}

named! {
    /// How deliveries authenticate to the receiver.
    #[cfg_attr(feature = "schema", schemars(inline))]
    pub enum AuthType {
        /// No authentication.
        None = "none",
        /// `Authorization: Basic`, with a credential `user:password`.
        Basic = "basic",
        /// `Authorization: Bearer`, with a credential.
        Bearer = "bearer",
        /// Signatures with the subscription's secret.
        Signature = "signature",
    }
}

/// The spec of a subscription: what its owner sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The name, for people.
    pub name: String,
    /// The destination of its deliveries.
    #[serde(rename = "url")]
    pub destination: Destination,
    /// The HTTP method. Default: `POST`.
    pub method: Method,
    /// Headers that are added to each request.
    #[serde(default, skip_serializing_if = "CustomHeaders::is_empty")]
    pub headers: CustomHeaders,
    /// How deliveries authenticate.
    pub auth_type: AuthType,
    /// The name of an entry of Secrets Manager that has the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_ref: Option<String>,
    /// The event types that are delivered.
    pub events: Vec<EventPattern>,
    /// Conditions on the events. All must match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
    /// How often and after how long a failed attempt is repeated.
    pub retry_policy: RetryPolicy,
    /// The timeout of a whole attempt, in milliseconds.
    pub timeout: u64,
    /// The rate limit, in attempts per second. `None`: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit_per_second: Option<u32>,
    /// Whether events are delivered.
    pub enabled: bool,
    /// Whether `url` may be an inbound address of this deployment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_self: bool,
}

impl Spec {
    /// Whether it is a pull subscription: readers fetch its deliveries.
    #[must_use]
    pub fn is_pull(&self) -> bool {
        self.destination == Destination::Pull
    }
}

/// The secrets of a request. They are sealed before they are stored.
#[derive(Default)]
pub struct Secrets {
    /// The signing secret.
    pub signature_secret: Option<SigningSecret>,
    /// The credential: `user:password`, or the token.
    pub credential: Option<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

/// A replaced signing secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviousSecret {
    /// The secret, sealed.
    pub sealed: String,
    /// Until when requests are signed with it, too.
    pub until: DateTime<Utc>,
}

/// A subscription as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// The id.
    pub id: SubscriptionId,
    /// The owning tenant.
    pub tenant_id: TenantId,
    /// The number by which delivery ids name the subscription, unique within the tenant.
    pub handle: u32,
    /// What the owner set.
    #[serde(flatten)]
    pub spec: Spec,
    /// The signing secret, sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed_signature_secret: Option<String>,
    /// The replaced signing secret, while requests are signed with it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret: Option<PreviousSecret>,
    /// The credential, sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed_credential: Option<String>,
    /// Why the service disabled it, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// How many times it was written.
    pub revision: u64,
}

/// How a delivery authenticates, with what it needs for that.
#[derive(Debug, Clone, Copy)]
pub enum OutboundAuth<'a> {
    /// No authentication.
    None,
    /// `Authorization: Basic`.
    Basic(Credential<'a>),
    /// `Authorization: Bearer`.
    Bearer(Credential<'a>),
    /// Signatures with the subscription's secret.
    Signature {
        /// The secret, sealed.
        sealed: &'a str,
        /// The replaced secret, while it is still valid.
        previous: Option<&'a PreviousSecret>,
    },
}

/// Where a credential is.
#[derive(Debug, Clone, Copy)]
pub enum Credential<'a> {
    /// In the entry of Secrets Manager with this name.
    Entry(&'a str),
    /// In the subscription: the sealed text.
    Sealed(&'a str),
}

impl Subscription {
    /// The replaced signing secret, if it is still valid at `at`.
    #[must_use]
    pub fn previous_secret_at(&self, at: DateTime<Utc>) -> Option<&PreviousSecret> {
        self.previous_secret.as_ref().filter(|previous| at < previous.until)
    }

    /// How deliveries authenticate at `at`. An entry of Secrets Manager takes precedence over a sealed
    /// credential.
    ///
    /// # Errors
    /// `Fault` if the secret that `authType` needs is not stored.
    pub fn auth(&self, at: DateTime<Utc>) -> Result<OutboundAuth<'_>, Error> {
        let credential = || {
            let entry = self.spec.credential_ref.as_deref().map(Credential::Entry);
            let sealed = || self.sealed_credential.as_deref().map(Credential::Sealed);
            entry.or_else(sealed).ok_or_else(|| Error::fault("A subscription has no credential"))
        };
        Ok(match self.spec.auth_type {
            AuthType::None => OutboundAuth::None,
            AuthType::Basic => OutboundAuth::Basic(credential()?),
            AuthType::Bearer => OutboundAuth::Bearer(credential()?),
            AuthType::Signature => {
                let sealed = self.sealed_signature_secret.as_deref();
                let sealed = sealed.ok_or_else(|| Error::fault("A signing subscription has no secret"))?;
                let previous = self.previous_secret_at(at);
                OutboundAuth::Signature { sealed, previous }
            }
        })
    }

    /// Requires that the subscription is enabled.
    ///
    /// # Errors
    /// `Conflict` if it is disabled.
    pub fn must_be_enabled(&self) -> Result<(), Error> {
        if self.spec.enabled {
            return Ok(());
        }
        let detail = "The subscription is disabled; enable it first";
        Err(Error::new(Kind::Conflict, Code::SubscriptionDisabled, detail))
    }

    /// The mistakes of filters that were stored and would be refused now, each with its place.
    pub fn mistakes(&self) -> impl Iterator<Item = String> {
        filter::mistakes(&self.spec.filters)
    }

    /// The document that a PATCH is merged into: the spec, without the headers that would be refused now.
    #[must_use]
    pub fn spec_json(&self) -> Value {
        let headers = self.spec.headers.as_sent();
        serde_json::to_value(Spec { headers, ..self.spec.clone() }).unwrap_or(Value::Null)
    }
}

/// Reads a subscription from a request. `has_credential`: a credential is stored already, and need not be
/// sent again.
///
/// # Errors
/// `Unprocessable` with every mistake.
pub fn parse(body: &Value, has_credential: bool) -> Result<(Spec, Secrets), Error> {
    ObjectReader::whole(body, |fields| read(fields, has_credential))
}

/// Reads the members of a subscription.
pub fn read(fields: &mut ObjectReader<'_>, has_credential: bool) -> Option<(Spec, Secrets)> {
    let name = fields.required_text("name", 200);
    let destination = Destination::from(fields.required_text("url", 2048));
    let method = fields.one_of_or("method", &Method::ALL, Method::Post);
    let headers = CustomHeaders::parse(fields).unwrap_or_default();
    let auth_type = fields.one_of_or("authType", &AuthType::ALL, AuthType::None);
    let credential_ref = fields.text("credentialRef", 512);
    fields.describe(
        "credential",
        "The credential: `user:password` for `basic`, the token for `bearer`. It is sealed and never shown.",
    );
    let credential = fields.text("credential", 4096);
    fields.describe(
        "signatureSecret",
        "The signing secret. Default: one is generated and shown once. It is sealed.",
    );
    let signature_secret = fields.parsed("signatureSecret", SigningSecret::parse);
    fields.require("events");
    let events = fields.names("events", 50, EventPattern::names, str::parse::<EventPattern>);
    if events.as_ref().is_some_and(Vec::is_empty) {
        fields.wrong("events", "must name at least one event type");
    }
    let mut events = events.unwrap_or_default();
    // A repeated pattern counts once.
    let mut seen = std::collections::BTreeSet::new();
    events.retain(|pattern| seen.insert(pattern.to_string()));
    let filters = fields.objects("filters", 20, Filter::parse).unwrap_or_default();
    let retry_policy = fields.object("retryPolicy", RetryPolicy::parse).unwrap_or_default();
    let timeout = fields.integer_or("timeout", 100, TIMEOUT_MS, TIMEOUT_MS);
    let rate_limit_per_second = fields
        .integer("rateLimitPerSecond", 1, MAX_PER_SECOND)
        .and_then(|per_second| u32::try_from(per_second).ok());
    if rate_limit_per_second.is_some() && destination == Destination::Pull {
        fields.wrong("rateLimitPerSecond", "is not for pull: readers fetch as fast as they like");
    }
    let enabled = fields.boolean_or("enabled", true);
    let allow_self = fields.boolean_or("allowSelf", false);
    check_credentials(fields, auth_type, credential.as_deref(), credential_ref.is_some(), has_credential);
    let spec = Spec {
        name,
        destination,
        method,
        headers,
        auth_type,
        credential_ref,
        events,
        filters,
        retry_policy,
        timeout,
        rate_limit_per_second,
        enabled,
        allow_self,
    };
    Some((spec, Secrets { signature_secret, credential }))
}

fn check_credentials(
    fields: &mut ObjectReader<'_>,
    auth_type: AuthType,
    credential: Option<&str>,
    has_ref: bool,
    has_stored: bool,
) {
    if credential.is_some() && has_ref {
        fields.wrong("credential", "cannot be given together with credentialRef");
    }
    let wants = matches!(auth_type, AuthType::Basic | AuthType::Bearer);
    if wants && credential.is_none() && !has_ref && !has_stored {
        fields
            .wrong("credential", "is required for authType basic and bearer, unless credentialRef is given");
    }
    if let Some(credential) = credential {
        if auth_type == AuthType::Basic && !credential.contains(':') {
            fields.wrong("credential", "must be user:password");
        }
        if !credential.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            fields.wrong("credential", "must be printable ASCII");
        }
    }
}

/// The value of `Authorization: Basic` for a credential `user:password`.
#[must_use]
pub fn basic(credential: &str) -> String {
    format!("Basic {}", STANDARD.encode(credential))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_specifications_example_is_accepted() {
        let body = json!({
            "name": "Deployment Notifications", "url": "https://api.example.com/webhooks/stella",
            "method": "POST", "authType": "signature", "signatureSecret": "my-secret-key",
            "events": ["deployment.started", "deployment.completed", "deployment.failed"],
            "filters": [{"field": "data.environment.name", "operator": "equals", "value": "production"}],
            "retryPolicy": {"maxRetries": 3, "backoffType": "exponential", "backoffSeconds": 10},
            "timeout": 30000
        });
        let (spec, secrets) = parse(&body, false).expect("accepted");
        assert_eq!(spec.events.len(), 3);
        assert_eq!(secrets.signature_secret.expect("kept").expose(), "my-secret-key");
    }

    #[test]
    fn every_mistake_is_reported() {
        let body = json!({"method": "GET", "authType": "basic", "events": ["deploy"], "timeout": 1, "colour": "red",
            "retryPolicy": {"maxRetries": 99}, "filters": [{"field": "a", "operator": "nearly", "value": 1}]});
        let error = parse(&body, false).expect_err("refused");
        let fields: Vec<&str> = error.errors.iter().map(|error| error.field.as_str()).collect();
        for field in [
            "name",
            "url",
            "method",
            "credential",
            "events[0]",
            "timeout",
            "colour",
            "retryPolicy.maxRetries",
        ] {
            assert!(fields.contains(&field), "{field} is not among {fields:?}");
        }
        assert!(fields.iter().any(|field| field.starts_with("filters[0]")), "{fields:?}");
    }
}
