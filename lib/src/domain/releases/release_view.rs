//! A release as callers see it.

use serde::Serialize;

use super::release::{Facts, Release, ReleasedComponent, ReleasingTrigger, Status};
use crate::domain::inbound::normalised::EventKind;
#[cfg(feature = "schema")]
use crate::domain::inbound::provider::Provider;
use crate::domain::shared::ids::{ConfigId, ReleaseId, TenantId};
use crate::domain::shared::time::Timestamp;

/// A release: one component at one version, created by a trigger.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Release"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseView {
    /// The release's id.
    pub id: ReleaseId,
    /// The tenant that the release belongs to.
    pub tenant_id: TenantId,
    /// The release's name, for people.
    pub name: String,
    /// The release's state.
    pub status: Status,
    /// What is released.
    pub components: Vec<ReleasedComponent>,
    /// What created the release.
    pub trigger: ReleasingTrigger,
    /// The event that led to the release.
    pub source: FactsView,
    /// When the release was created.
    pub created_at: Timestamp,
}

/// The event that led to a release, and where it came from.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FactsView {
    /// The kind of event.
    pub kind: EventKind,
    /// The webhook config that received the event.
    pub config_id: ConfigId,
    /// The sender.
    #[cfg_attr(feature = "schema", schemars(with = "Provider"))]
    pub provider: String,
    /// The host of the registry or the code host, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The repository's name without host, as the sender wrote it.
    pub repository: String,
    /// The channel of the tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Whether a registry could serve the digest.
    pub digest_valid: bool,
    /// The commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// When it happened, by the sender's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<Timestamp>,
    /// Who pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pusher: Option<String>,
    /// A page about it, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Facts {
    /// What callers see of the event.
    pub(super) fn view(&self) -> FactsView {
        FactsView {
            kind: self.kind,
            config_id: self.source.config_id,
            provider: self.source.provider.clone(),
            registry: self.source.registry.clone(),
            repository: self.source.repository.clone(),
            channel: self.channel.clone(),
            digest_valid: self.digest_valid,
            commit: self.commit.clone(),
            branch: self.branch.clone(),
            pushed_at: self.pushed_at.map(Timestamp),
            pusher: self.pusher.clone(),
            url: self.url.clone(),
        }
    }
}

impl Release {
    /// The release as callers see it.
    #[must_use]
    pub fn view(&self) -> ReleaseView {
        ReleaseView {
            id: self.id,
            tenant_id: self.tenant_id,
            name: self.name.clone(),
            status: self.status,
            components: self.components.clone(),
            trigger: self.trigger.clone(),
            source: self.source.view(),
            created_at: Timestamp(self.created_at),
        }
    }
}
