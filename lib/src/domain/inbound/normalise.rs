//! From an authenticated request to normalised events, by the reader of its sender.

use std::cell::RefCell;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::auth::verified::Verified;
use super::bounds;
use super::config::Config;
use super::json;
use super::mapping::Mapping;
use super::normalised::NormalisedEvent;
use super::provider::Provider;
use super::senders::recognise;
use super::senders::sender::{Found, SenderRequest};
use super::webhook_type::WebhookType;
use crate::domain::shared::expression::{Budget, Failures};
use crate::error::Error;

/// A request, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The whole body.
    pub payload: Value,
    /// The sender's id of this delivery, which it repeats when it retries.
    pub delivery_id: Option<String>,
    /// What is in it.
    pub found: Found,
    /// Members of the config's mapping that failed.
    pub failures: Option<Failures>,
}

impl Parsed {
    /// The events; none of a ping, a handshake and an ignored request.
    #[must_use]
    pub fn events(&self) -> &[NormalisedEvent] {
        match &self.found {
            Found::Events(events) => events,
            Found::Ping | Found::Handshake { .. } | Found::Ignored(_) => &[],
        }
    }
}

/// Normalises a request to a config.
///
/// # Errors
/// Those of [`normalise`].
pub fn read(config: &Config, verified: &Verified<'_>, received_at: DateTime<Utc>) -> Result<Parsed, Error> {
    let spec = &config.spec;
    normalise(verified, spec.webhook_type, spec.provider, spec.mapping.as_ref(), received_at)
}

/// Normalises a request. The sender comes from the config, or else from the body; never from headers, which
/// overlap and are not signed.
///
/// # Errors
/// Invalid `malformed_json`; an unsupported media type; too large with more than 200 events.
pub fn normalise(
    verified: &Verified<'_>,
    webhook_type: WebhookType,
    provider: Provider,
    mapping: Option<&Mapping>,
    received_at: DateTime<Utc>,
) -> Result<Parsed, Error> {
    let payload = json::parse(verified)?;
    let sender = provider.sender(webhook_type).unwrap_or_else(|| recognise(&payload));
    let budget = RefCell::new(Budget::default());
    let reading = (sender.read)(&SenderRequest {
        headers: verified.headers(),
        payload: &payload,
        webhook_type,
        mapping,
        budget: &budget,
        received_at,
    });
    let failures = budget.into_inner().take_failures();
    let found = match (bounds::fit(reading.found)?, &failures) {
        (Found::Ignored(reason), Some(failures)) => Found::Ignored(format!("{reason}: {}", failures.message)),
        (found, _) => found,
    };
    Ok(Parsed { delivery_id: reading.delivery_id, found, payload, failures })
}

#[cfg(test)]
#[path = "normalise_tests.rs"]
pub(in crate::domain::inbound) mod tests;
