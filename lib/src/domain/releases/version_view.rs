//! A version as callers see it.

use serde::Serialize;

use super::version::{Content, Source, TagState};
use crate::domain::inbound::normalised::EventKind;
use crate::domain::shared::time::Timestamp;

impl TagState {
    /// The version as callers see it, its history newest first.
    #[must_use]
    pub fn view(&self) -> VersionView {
        VersionView {
            tag: self.tag.clone(),
            kind: self.kind,
            content: self.content.view(),
            deleted_at: self.content.deleted.map(|deleted| Timestamp(deleted.at)),
            first_seen_at: Timestamp(self.created_at),
            retags: self.retags,
            history: self.history.iter().map(Content::former_view).collect(),
            history_dropped: self.history_dropped,
        }
    }
}

impl Content {
    fn view(&self) -> ContentView {
        ContentView {
            digest: self.digest.clone(),
            digest_valid: self.digest_valid,
            channel: self.channel.clone(),
            commit: self.commit.clone(),
            pushed_at: self.pushed_at.map(Timestamp),
            source: self.source.clone(),
            created_at: Timestamp(self.since),
        }
    }

    fn former_view(&self) -> FormerContentView {
        FormerContentView {
            content: self.view(),
            deleted_at: self.deleted.map(|deleted| Timestamp(deleted.at)),
            reason: FormerReason::Older,
        }
    }
}

/// A version: a tag of a component, and the content that it points at.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Version"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionView {
    /// The tag.
    pub tag: String,
    /// The kind of event that makes the version: a pushed image `v1` and a git tag `v1` are two versions.
    pub kind: EventKind,
    /// The content that the tag points at.
    #[serde(flatten)]
    pub content: ContentView,
    /// When the content was deleted at the sender; then the tag points at nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// When the tag was first seen.
    pub first_seen_at: Timestamp,
    /// How often the tag was moved to other content.
    pub retags: u32,
    /// The contents of older pushes, the newest push first; at most 20 entries. The order is that of the pushes, also
    /// where an older one was received later.
    pub history: Vec<FormerContentView>,
    /// How many older pushes were dropped from `history`.
    pub history_dropped: u32,
}

/// The content of an older push of a tag.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "FormerContent"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FormerContentView {
    /// The content.
    #[serde(flatten)]
    pub content: ContentView,
    /// When the content was deleted at the sender, if the tag was not moved before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Why the content is not current.
    pub reason: FormerReason,
}

/// Why a content is not current.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FormerReason {
    /// A newer push of the tag is known.
    Older,
}

/// What a tag points at, or pointed at before.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentView {
    /// The digest of the content, if the sender sent it.
    pub digest: Option<String>,
    /// Whether a registry could serve the digest.
    pub digest_valid: bool,
    /// The channel of the tag.
    pub channel: String,
    /// The commit, if the sender sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When the content was pushed, by the sender's clock.
    pub pushed_at: Option<Timestamp>,
    /// Where the event came from.
    pub source: Source,
    /// When the push was received.
    pub created_at: Timestamp,
}
