//! One request to a subscriber: body, headers, signature, the call, and what came of it.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::delivery::{Attempt, DeliveryId, cut};
use crate::domain::event::body;
use crate::domain::event_type::EventType;
use crate::domain::outcome::{Outcome, Verdict};
use crate::domain::signature::{self, SigningSecret};
use crate::domain::subscription::{self, AuthType, Subscription};
use crate::domain::target::{EgressPolicy, Target};
use crate::error::Error;
use crate::outbound::client::{Client, Request};
use crate::secrets::keyring::Keyring;
use crate::store::keys;

/// What we call ourselves to receivers.
pub const USER_AGENT: &str = concat!("Stella-Webhooks/", env!("CARGO_PKG_VERSION"));

/// What is sent, and as which attempt.
pub struct Sending<'a> {
    /// The delivery's id.
    pub id: DeliveryId,
    /// The event's type.
    pub event: EventType,
    /// The event's data as JSON text.
    pub data: &'a str,
    /// From 1.
    pub number: u32,
    /// Which schedule it belongs to.
    pub generation: u32,
}

/// Sends attempts.
#[derive(Clone)]
pub struct Sender {
    client: Client,
    policy: EgressPolicy,
    keyring: Keyring,
    secrets: aws_sdk_secretsmanager::Client,
    stage: String,
}

/// An attempt that was made.
pub struct Made {
    /// As it is logged.
    pub attempt: Attempt,
    /// What follows.
    pub verdict: Verdict,
    /// The beginning of the answer's body, for a caller who waits for it.
    pub response: Option<String>,
}

impl Sender {
    /// A sender behind the egress guard.
    #[must_use]
    pub fn new(
        policy: EgressPolicy,
        keyring: Keyring,
        secrets: aws_sdk_secretsmanager::Client,
        stage: &str,
    ) -> Self {
        Self { client: Client::new(policy.clone()), policy, keyring, secrets, stage: stage.to_owned() }
    }

    /// Makes one attempt, within the subscription's timeout and at most `most_ms` milliseconds.
    ///
    /// # Errors
    /// Only our own: a secret that cannot be read. What the receiver does is in the verdict.
    pub async fn send(
        &self,
        subscription: &Subscription,
        sending: &Sending<'_>,
        at: DateTime<Utc>,
        most_ms: u64,
    ) -> Result<Made, Error> {
        let body = body(sending.id, at, sending.event, subscription.tenant_id, sending.data);
        let headers = self.headers(subscription, sending, at, body.as_bytes()).await?;
        let made = |attempt, verdict, response| Made { attempt, verdict, response };
        let mut attempt = Attempt {
            number: sending.number,
            generation: sending.generation,
            at,
            revision: subscription.revision,
            status_code: None,
            response_body: None,
            response_time: 0,
            success: false,
            error: None,
        };
        let target = match Target::vet(&subscription.terms.url, &self.policy) {
            Ok(target) => target,
            Err(reason) => {
                let reason = format!("The URL {reason}");
                attempt.error = Some(reason.clone());
                return Ok(made(attempt, Verdict::Final { reason }, None));
            }
        };
        let request = Request {
            target: &target,
            method: subscription.terms.method.name(),
            headers,
            body: Bytes::from(body),
            timeout: std::time::Duration::from_millis(subscription.terms.timeout.min(most_ms)),
        };
        let outcome: Outcome = self.client.send(request).await;
        attempt.status_code = outcome.status();
        attempt.response_time = outcome.response_time_ms();
        attempt.success = outcome.is_success();
        attempt.error = outcome.error();
        let kept = if attempt.success { 256 } else { 1024 };
        attempt.response_body = outcome.body_text(kept).filter(|text| !text.is_empty());
        let response = outcome.body_text(16 * 1024).map(|text| cut(&text, 16 * 1024));
        Ok(made(attempt, outcome.verdict(at), response))
    }

    async fn headers(
        &self,
        subscription: &Subscription,
        sending: &Sending<'_>,
        at: DateTime<Utc>,
        body: &[u8],
    ) -> Result<Vec<(String, String)>, Error> {
        let terms = &subscription.terms;
        let id = sending.id.to_string();
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
        if !terms.headers.contains("content-type") {
            add("Content-Type", "application/json".to_owned());
        }
        if !terms.headers.contains("user-agent") {
            add("User-Agent", USER_AGENT.to_owned());
        }
        add("X-Stella-Event", sending.event.to_string());
        add("X-Stella-Delivery", id.clone());
        add("X-Stella-Timestamp", crate::domain::timestamp(at));
        add("X-Stella-Attempt", sending.number.to_string());
        for (name, value) in terms.headers.iter() {
            add(name, value.to_owned());
        }
        match terms.auth_type {
            AuthType::None => {}
            AuthType::Basic | AuthType::Bearer => {
                let credential = self.credential(subscription).await?;
                if let Some(value) = subscription::authorization(terms.auth_type, &credential) {
                    add("Authorization", value);
                }
            }
            AuthType::Signature => {
                let sealed = subscription.sealed_signature_secret.as_deref();
                let sealed = sealed.ok_or_else(|| Error::fault("A signing subscription has no secret"))?;
                let secret = SigningSecret::parse(&self.open(subscription, sealed).await?)
                    .map_err(|_| Error::fault("A stored signing secret is not one"))?;
                for (name, value) in signature::headers(&secret, None, &id, at, body) {
                    add(name, value);
                }
            }
        }
        Ok(headers)
    }

    async fn credential(&self, subscription: &Subscription) -> Result<String, Error> {
        if let Some(name) = &subscription.terms.credential_ref {
            let name = credential_name(&self.stage, subscription, name);
            return crate::secrets::read(&self.secrets, &name).await;
        }
        let sealed = subscription.sealed_credential.as_deref();
        let sealed = sealed.ok_or_else(|| Error::fault("A subscription has no credential"))?;
        self.open(subscription, sealed).await
    }

    async fn open(&self, subscription: &Subscription, sealed: &str) -> Result<String, Error> {
        let key = keys::subscription(subscription.tenant_id, subscription.id);
        self.keyring.open(subscription.tenant_id, &key, sealed).await
    }
}

/// Every tenant's entries live under its own prefix, because the functions share a role.
fn credential_name(stage: &str, subscription: &Subscription, name: &str) -> String {
    format!("/{stage}/tenants/{}/{name}", subscription.tenant_id)
}
