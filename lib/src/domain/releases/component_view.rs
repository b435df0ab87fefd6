//! A component as callers see it.

use serde::Serialize;

use super::channel::{self, ChannelRule};
use super::component::Component;
use crate::domain::inbound::repository::Repository;
use crate::domain::shared::filter_errors::{FilterErrorsView, broken};
use crate::domain::shared::ids::{ComponentId, TenantId};
use crate::domain::shared::time::Timestamp;

/// A component: what is released, and the repositories it comes from.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Component"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentView {
    /// The component's id.
    pub id: ComponentId,
    /// The tenant that the component belongs to.
    pub tenant_id: TenantId,
    /// The component's name, for people and for the names of releases.
    pub name: String,
    /// The repositories that its artifacts are pushed to. A name with a host (`ghcr.io/myorg/myapp`) means that host
    /// only.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub repositories: Vec<Repository>,
    /// The repositories of its source, for events of CI systems and code hosts.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub source_repositories: Vec<Repository>,
    /// The prefixes of its tags, as in `api/`, where several components share a repository. If there are any,
    /// only tags that begin with one of them belong to the component, and channel, range and the name of a
    /// release are those of the tag without the longest prefix.
    pub tag_prefixes: Vec<String>,
    /// Which tags belong to which channel. The first rule that matches decides; without a match the version
    /// that the tag names does.
    pub channel_rules: Vec<ChannelRule>,
    /// Channel rules that would be refused now, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_errors: Option<FilterErrorsView>,
    /// When the component was created.
    pub created_at: Timestamp,
    /// When the component or one of its triggers was last changed.
    pub updated_at: Timestamp,
}

impl Component {
    /// The component as callers see it: without its triggers, which have an address of their own.
    #[must_use]
    pub fn view(&self) -> ComponentView {
        ComponentView {
            id: self.id,
            tenant_id: self.tenant_id,
            name: self.spec.name.clone(),
            repositories: self.spec.repositories.clone(),
            source_repositories: self.spec.source_repositories.clone(),
            tag_prefixes: self.spec.tag_prefixes.as_slice().to_vec(),
            channel_rules: self.spec.channel_rules.clone(),
            filter_errors: broken(channel::mistakes(&self.spec.channel_rules)),
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
        }
    }
}
