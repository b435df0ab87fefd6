//! From an authenticated request to normalised events, by the reader of its sender.

use std::cell::RefCell;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::auth::verified::Verified;
use super::bounds;
use super::config::{Config, Spec};
use super::json;
use super::mapping::Mapping;
use super::normalised::{EventKind, NormalisedEvent};
use super::provider::Provider;
use super::senders::sender::{Found, Sender, SenderRequest};
use super::senders::{recognise, sends_forms};
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

/// What a config says about reading its requests.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// The config's type.
    pub webhook_type: WebhookType,
    /// The sender.
    pub provider: Provider,
    /// Where in a body of unknown form the members of an event are.
    pub mapping: Option<&'a Mapping>,
    /// Words and numbers that mean success, beside the sender's own.
    pub success_results: &'a [String],
    /// Whether the sender's time is that of the push, if the config says it.
    pub time_is_push: Option<bool>,
    /// The registry's host, in place of the body's.
    pub registry: Option<&'a str>,
}

impl<'a> Settings<'a> {
    /// Those of a config of this type and sender that says nothing else.
    #[must_use]
    pub fn of(webhook_type: WebhookType, provider: Provider) -> Self {
        let (mapping, success_results) = (None, &[] as &[String]);
        Self { webhook_type, provider, mapping, success_results, time_is_push: None, registry: None }
    }

    /// The same with a mapping.
    #[must_use]
    pub fn mapped_by(self, mapping: &'a Mapping) -> Self {
        Self { mapping: Some(mapping), ..self }
    }
}

impl<'a> From<&'a Spec> for Settings<'a> {
    fn from(spec: &'a Spec) -> Self {
        Self {
            webhook_type: spec.webhook_type,
            provider: spec.provider,
            mapping: spec.mapping.as_ref(),
            success_results: &spec.success_results,
            time_is_push: spec.time_is_push,
            registry: spec.registry.as_deref(),
        }
    }
}

/// Normalises a request to a config.
///
/// # Errors
/// Those of [`normalise`].
pub fn read(config: &Config, verified: &Verified<'_>, received_at: DateTime<Utc>) -> Result<Parsed, Error> {
    let mut parsed = normalise(verified, &Settings::from(&config.spec), received_at)?;
    if let Found::Events(events) = &mut parsed.found {
        for event in events {
            config.spec.repositories.retain_addresses(event);
        }
    }
    Ok(parsed)
}

/// Normalises a request. The sender comes from the config, or else from the body; never from headers, which
/// overlap and are not signed.
///
/// # Errors
/// Invalid `malformed_json`; an unsupported media type; too large with more than 200 events.
pub fn normalise(
    verified: &Verified<'_>,
    settings: &Settings<'_>,
    received_at: DateTime<Utc>,
) -> Result<Parsed, Error> {
    let Settings { webhook_type, provider, mapping, .. } = *settings;
    let json::Document { value: payload, is_form } = json::parse(verified)?;
    let sender = provider.sender(webhook_type).unwrap_or_else(|| recognise(&payload));
    if is_form && !sends_forms(sender) {
        return Err(json::not_json(verified.headers()));
    }
    let budget = RefCell::new(Budget::default());
    let reading = (sender.read)(&SenderRequest {
        headers: verified.headers(),
        body: verified.body(),
        payload: &payload,
        webhook_type,
        mapping,
        time_is_push: sender.time_is_push,
        budget: &budget,
        received_at,
    });
    let failures = budget.into_inner().take_failures();
    let complete = |event: NormalisedEvent| completed(event, sender, settings);
    let found = match reading.found {
        Found::Events(events) => Found::Events(events.into_iter().map(complete).collect()),
        found => found,
    };
    let found = match (bounds::fit(found)?, &failures) {
        (Found::Ignored(reason), Some(failures)) => Found::Ignored(format!("{reason}: {}", failures.message)),
        (found, _) => found,
    };
    Ok(Parsed { delivery_id: reading.delivery_id, found, payload, failures })
}

/// An event as its reader read it, completed by what holds for all senders and by what the config says.
fn completed(mut event: NormalisedEvent, sender: &Sender, settings: &Settings<'_>) -> NormalisedEvent {
    match event.kind {
        EventKind::CiFinished => {
            let text = event.result_text.as_deref();
            event.result = text.map(|text| sender.results.read(text, settings.success_results));
            event.run_id = event.run_id.or_else(|| event.run.clone());
            event.time_is_push = true;
        }
        EventKind::PullRequest => event.time_is_push = true,
        EventKind::ArtifactPushed | EventKind::ArtifactDeleted => {
            if let Some(registry) = settings.registry {
                event.registry = Some(registry.to_owned());
            }
            event.time_is_push = settings.time_is_push.unwrap_or(event.time_is_push);
        }
        EventKind::GitPush | EventKind::GitTag | EventKind::Release | EventKind::Ping => {
            event.time_is_push = settings.time_is_push.unwrap_or(event.time_is_push);
        }
    }
    event
}

#[cfg(test)]
#[path = "normalise_tests.rs"]
pub(in crate::domain::inbound) mod tests;
