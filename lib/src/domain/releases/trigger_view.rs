//! A trigger as callers see it.

use serde::Serialize;

use super::release_name::ReleaseName;
use super::trigger::Trigger;
use super::version_range::VersionRange;
use crate::domain::inbound::normalised::EventKind;
use crate::domain::shared::expression::Pattern;
use crate::domain::shared::filter::Filter;
use crate::domain::shared::filter_errors::{FilterErrorsView, broken};
use crate::domain::shared::ids::TriggerId;
use crate::domain::shared::time::Timestamp;

/// A trigger: which events of a component create a release.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Trigger"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a member of its own on the wire")]
pub struct TriggerView {
    /// The trigger's id.
    pub id: TriggerId,
    /// The trigger's name, for people.
    pub name: String,
    /// The kind of event that activates the trigger.
    #[cfg_attr(feature = "schema", schemars(schema_with = "on_schema"))]
    pub on: EventKind,
    /// A regular expression that must find a match in the whole tag. Not together with `versionRange`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub tag_pattern: Option<Pattern>,
    /// The versions that the tag, without the component's prefix, may name, as in `^1.2` or `>=1, <2`. Not
    /// together with `tagPattern`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub version_range: Option<VersionRange>,
    /// The channels of which the tag must have one. Empty: every channel.
    pub channels: Vec<String>,
    /// Conditions on the normalised event. All must match.
    pub filters: Vec<Filter>,
    /// Whether the event must have a digest that a registry could serve.
    pub require_digest: bool,
    /// The names of the pipelines that the trigger is for, as the sender writes them. Empty: every pipeline.
    pub pipelines: Vec<String>,
    /// Whether pipelines of pull requests activate the trigger.
    pub pull_requests: bool,
    /// Whether pipelines of pull requests from forks do, too. Needs `pullRequests`. Where the sender does not tell whether
    /// a pull request is from a fork, it counts as one.
    pub forks: bool,
    /// The names of releases: a text with `{component}`, `{tag}`, `{channel}`, `{commit}`, `{digest}` and `{date}`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub release_name: ReleaseName,
    /// Whether the trigger creates releases.
    pub enabled: bool,
    /// Expressions of the trigger that would be refused now, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_errors: Option<FilterErrorsView>,
    /// When the trigger was created.
    pub created_at: Timestamp,
    /// When the trigger was last changed.
    pub updated_at: Timestamp,
}

#[cfg(feature = "schema")]
fn on_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "string", "enum": super::trigger::ON.map(|(name, _)| name)})
}

impl Trigger {
    /// The trigger as callers see it.
    #[must_use]
    pub fn view(&self) -> TriggerView {
        TriggerView {
            id: self.id,
            name: self.spec.name.clone(),
            on: self.spec.on,
            tag_pattern: self.spec.tag_pattern.clone(),
            version_range: self.spec.version_range.clone(),
            channels: self.spec.channels.clone(),
            filters: self.spec.filters.clone(),
            require_digest: self.spec.require_digest,
            pipelines: self.spec.pipelines.clone(),
            pull_requests: self.spec.pull_requests,
            forks: self.spec.forks,
            release_name: self.spec.release_name.clone(),
            enabled: self.spec.enabled,
            filter_errors: broken(self.mistakes()),
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
        }
    }
}
