//! What senders say, pure: verified first, then read into the one form that the rest knows.

mod acr;
mod artifactory;
mod azure_devops;
mod bitbucket;
mod bounds;
mod buildkite;
mod cdevents;
mod circleci;
pub mod digest;
mod distribution;
mod dockerhub;
mod ecr;
mod forge;
mod gar;
mod generic;
mod ghcr;
mod gitea;
mod github;
mod gitlab;
mod harbor;
mod jenkins;
mod nexus;
mod quay;
mod reference;
mod shape;
mod tekton;
pub mod time;

#[cfg(test)]
mod captured;
#[cfg(test)]
mod refusals;

use std::cell::RefCell;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde_json::Value;

use crate::domain::inbound::auth::verified::Verified;
use crate::domain::inbound::config::Config;
use crate::domain::inbound::json;
use crate::domain::inbound::mapping::Mapping;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::provider::{Provider, WebhookType};
use crate::domain::shared::expression::{Budget, Failures};
use crate::error::Error;

/// What a request says.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The whole body.
    pub payload: Value,
    /// The sender's name for this delivery, the same when it repeats it.
    pub delivery_id: Option<String>,
    /// What is in it.
    pub found: Found,
    /// Members of the config's mapping that failed.
    pub failures: Option<Failures>,
}

/// What is in a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// At least one event, and at most 200.
    Events(Vec<NormalisedEvent>),
    /// The sender only asks whether anybody is there.
    Ping,
    /// The sender asks for this code back before it sends anything.
    Handshake {
        /// What Event Grid wants to hear.
        validation_code: String,
    },
    /// Nothing that concerns us; why, for a person.
    Ignored(String),
}

impl Parsed {
    /// The events; none for a ping and where nothing is of interest.
    #[must_use]
    pub fn events(&self) -> &[NormalisedEvent] {
        match &self.found {
            Found::Events(events) => events,
            Found::Ping | Found::Handshake { .. } | Found::Ignored(_) => &[],
        }
    }
}

/// What a sender's module reads.
struct SenderRequest<'a> {
    headers: &'a HeaderMap,
    payload: &'a Value,
    webhook_type: WebhookType,
    mapping: Option<&'a Mapping>,
    /// What the mapping's paths may do.
    budget: &'a RefCell<Budget>,
    received_at: DateTime<Utc>,
}

impl SenderRequest<'_> {
    /// What the mapping finds in a body for a member.
    fn mapped<'v>(&self, mapping: &'v Mapping, member: &str, payload: &'v Value) -> Option<&'v Value> {
        mapping.find(member, payload, &mut self.budget.borrow_mut())
    }

    fn event(&self, kind: EventKind, repository: &str) -> NormalisedEvent {
        NormalisedEvent::new(kind, repository, self.received_at)
    }

    /// The value of a header that should be there once.
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
    }
}

/// What a sender's module has read.
struct Reading {
    delivery_id: Option<String>,
    found: Found,
}

impl Reading {
    fn ignored(reason: impl Into<String>) -> Self {
        Self { delivery_id: None, found: Found::Ignored(reason.into()) }
    }

    fn event(event: NormalisedEvent) -> Self {
        Self { delivery_id: None, found: Found::Events(vec![event]) }
    }
}

/// Reads a verified request as the sender of a config means it.
///
/// # Errors
/// Those of `normalise`.
pub fn read(config: &Config, verified: &Verified<'_>, received_at: DateTime<Utc>) -> Result<Parsed, Error> {
    let spec = &config.spec;
    normalise(verified, spec.webhook_type, spec.provider, spec.mapping.as_ref(), received_at)
}

/// Reads a verified request into events. Which sender it is comes from the config and never from headers:
/// those overlap, and nobody signs them.
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
    let reader = reader(provider, webhook_type, &payload);
    let budget = RefCell::new(Budget::default());
    let reading = reader(&SenderRequest {
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

type Reader = fn(&SenderRequest<'_>) -> Reading;

fn reader(provider: Provider, webhook_type: WebhookType, payload: &Value) -> Reader {
    match provider {
        Provider::Auto => match webhook_type {
            WebhookType::GithubApp => github::read,
            WebhookType::GitlabWebhook => gitlab::read,
            WebhookType::RegistryPush | WebhookType::CiPipeline | WebhookType::Generic => {
                shape::reader(payload)
            }
        },
        Provider::Dockerhub => dockerhub::read,
        Provider::Harbor => harbor::read,
        Provider::Ghcr => ghcr::read,
        Provider::Quay => quay::read,
        Provider::Acr => acr::read,
        Provider::Ecr => ecr::read,
        Provider::Gar => gar::read,
        Provider::Artifactory => artifactory::read,
        Provider::Nexus => nexus::read,
        Provider::Distribution => distribution::read,
        Provider::Gitea | Provider::Forgejo => gitea::read,
        Provider::GithubActions => github::read,
        Provider::GitlabCi => gitlab::read,
        Provider::Jenkins => jenkins::read,
        Provider::Circleci => circleci::read,
        Provider::Buildkite => buildkite::read,
        Provider::AzureDevops => azure_devops::read,
        Provider::Tekton => tekton::read,
        Provider::Cdevents => cdevents::read,
        Provider::Bitbucket => bitbucket::read,
        Provider::Generic => generic::read,
    }
}

#[cfg(test)]
#[path = "normalise_tests.rs"]
mod tests;
