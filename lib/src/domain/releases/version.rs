//! The version map: what each tag of a component points at, what it pointed at before, and whether an
//! event changes that.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::shared::ids::ConfigId;

/// How many of a tag's former versions are kept.
pub const MAX_HISTORY: usize = 20;

/// How long a tag may be, in bytes: twice what registries allow.
const MAX_TAG_BYTES: usize = 256;

/// Where an event came in, and whom it speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The webhook config that it came in by.
    pub config_id: ConfigId,
    /// The kind of sender, as the config names it.
    pub provider: String,
    /// The registry's or code host's name, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The repository's name without host, as the sender wrote it.
    pub repository: String,
}

impl Source {
    /// The source of an event that came in by a config.
    #[must_use]
    pub fn of(config_id: ConfigId, provider: impl Into<String>, event: &NormalisedEvent) -> Self {
        let (registry, repository) = (event.registry.clone(), event.repository.clone());
        Self { config_id, provider: provider.into(), registry, repository }
    }
}

/// What a tag points at, or pointed at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// The digest, when it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Whether the digest is one that a registry could serve.
    #[serde(default)]
    pub digest_valid: bool,
    /// The channel that the tag had then.
    pub channel: String,
    /// The commit, when it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When it was pushed, by the sender's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<DateTime<Utc>>,
    /// Who told us.
    pub source: Source,
    /// When the tag came to point at it, by our clock.
    pub since: DateTime<Utc>,
}

/// A tag of a component, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagState {
    /// The tag.
    pub tag: String,
    /// What kind of event makes it: a pushed image `v1` and a git tag `v1` are two versions.
    pub kind: EventKind,
    /// What it points at.
    #[serde(flatten)]
    pub content: Content,
    /// When it was first seen.
    pub created_at: DateTime<Utc>,
    /// How often it came to point at something else.
    pub retags: u32,
    /// What it pointed at before, newest first, at most `MAX_HISTORY` of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Content>,
    /// How many older ones were dropped from the history.
    #[serde(default)]
    pub history_dropped: u32,
    /// How many times it was written.
    pub revision: u64,
}

/// What an event does to a tag. Every state is to be written on the condition that the stored revision is
/// one less, or that there is none yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The tag is new.
    Added(TagState),
    /// The tag points at something else now.
    Retagged(TagState),
    /// The tag points at the same, of which the event tells more. No version and no release.
    Learnt(TagState),
    /// The tag points at the same.
    Unchanged,
}

impl Change {
    /// The state to be stored, if there is one.
    #[must_use]
    pub fn state(&self) -> Option<&TagState> {
        match self {
            Self::Added(state) | Self::Retagged(state) | Self::Learnt(state) => Some(state),
            Self::Unchanged => None,
        }
    }

    /// The state, when it is a version that was not there before.
    #[must_use]
    pub fn version(&self) -> Option<&TagState> {
        match self {
            Self::Added(state) | Self::Retagged(state) => Some(state),
            Self::Learnt(_) | Self::Unchanged => None,
        }
    }
}

/// Where in a component's version map a tag is: the name to store its state under. Kinds are apart, so
/// that the git tag `v1`, the release `v1` and the image `v1` built from them do not retag one another.
#[must_use]
pub fn place(kind: EventKind, tag: &str) -> String {
    format!("{}:{tag}", kind.name())
}

/// The tag by which an event makes a version. Pushed artifacts, git tags and releases with a tag do.
/// Signatures, attestations and bills of materials, which cosign pushes as tags beside the artifact, do
/// not, and neither does a finished pipeline, though it may activate triggers.
///
/// # Errors
/// Why the event makes no version, for a person.
pub fn version_tag(event: &NormalisedEvent) -> Result<&str, &'static str> {
    match event.kind {
        EventKind::ArtifactPushed | EventKind::GitTag | EventKind::Release => {}
        EventKind::CiFinished => return Err("A finished pipeline makes no version"),
        EventKind::ArtifactDeleted | EventKind::GitPush | EventKind::PullRequest | EventKind::Ping => {
            return Err("Events of this kind make no version and activate no trigger");
        }
    }
    let tag = event.tag.as_deref().unwrap_or_default();
    if tag.is_empty() {
        return Err("Without a tag there is no version");
    }
    if tag.len() > MAX_TAG_BYTES {
        return Err("The tag is longer than any registry allows");
    }
    if tag.chars().any(char::is_control) {
        return Err("The tag has control characters");
    }
    if event.kind == EventKind::ArtifactPushed {
        if tag.starts_with("sha256:") || tag.starts_with("sha512:") {
            return Err("The tag is a digest: the artifact was pushed without a tag");
        }
        if is_beside(tag) {
            return Err("The tag is of a signature, an attestation or a bill of materials");
        }
    }
    Ok(tag)
}

/// `sha256-<64 hex digits>.sig`, `.att` or `.sbom`: what cosign pushes beside the artifact of that digest.
fn is_beside(tag: &str) -> bool {
    let name = [".sig", ".att", ".sbom"].iter().find_map(|ending| tag.strip_suffix(ending));
    name.and_then(|name| name.strip_prefix("sha256-"))
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// How what an event tells compares with what a tag points at.
enum Comparison {
    Same,
    SameAndMore,
    Other,
}

fn compare(current: &Content, event: &NormalisedEvent) -> Comparison {
    if let (Some(before), Some(now)) = (&current.digest, &event.digest) {
        return if before == now { Comparison::Same } else { Comparison::Other };
    }
    if event.kind != EventKind::ArtifactPushed {
        return compare_commits(current, event);
    }
    let is_untold = current.digest.is_none() && event.digest.is_none();
    let is_same_push = is_untold && event.pushed_at.is_some() && event.pushed_at == current.pushed_at;
    if is_same_push { Comparison::Same } else { Comparison::Other }
}

/// Code hosts tell of one tag by several events, of which not all know the commit or the time: what is
/// not told is no difference. GitHub sends `create` without a commit and `push` with one for the same tag.
fn compare_commits(current: &Content, event: &NormalisedEvent) -> Comparison {
    match (&current.commit, &event.commit) {
        (Some(before), Some(now)) if before == now => Comparison::Same,
        (Some(_), Some(_)) => Comparison::Other,
        (Some(_), None) => Comparison::Same,
        (None, Some(_)) => Comparison::SameAndMore,
        (None, None) => match (current.pushed_at, event.pushed_at) {
            (Some(before), Some(now)) if before != now => Comparison::Other,
            (Some(_), Some(_) | None) | (None, None) => Comparison::Same,
            (None, Some(_)) => Comparison::SameAndMore,
        },
    }
}

/// What an event does to its tag, which is `current` so far.
///
/// - Two digests: the same is no new version, another is a retag; back to an earlier one is a retag again.
/// - An artifact without a digest on both sides: the same time of pushing is the same push. Another time,
///   or none on a side, is a new push, for the content may have changed (`latest` at Docker Hub).
/// - An artifact with a digest on one side only: a new push, since nothing says that it is the same. So a
///   tag that is pushed to two registries of which one tells no digest is retagged by each;
///   `requireDigest` keeps a trigger from making a release for both.
/// - Git tags and releases: the same commit, or one that is not told, is no new version.
///
/// `tag` is what `version_tag` gave for this event.
#[must_use]
pub fn change(
    current: Option<&TagState>,
    event: &NormalisedEvent,
    tag: &str,
    channel: &str,
    source: Source,
    now: DateTime<Utc>,
) -> Change {
    let content = Content {
        digest: event.digest.clone(),
        digest_valid: event.digest_valid,
        channel: channel.to_owned(),
        commit: event.commit.clone(),
        pushed_at: event.pushed_at,
        source,
        since: now,
    };
    let Some(current) = current else {
        return Change::Added(TagState {
            tag: tag.to_owned(),
            kind: event.kind,
            content,
            created_at: now,
            retags: 0,
            history: Vec::new(),
            history_dropped: 0,
            revision: 1,
        });
    };
    match compare(&current.content, event) {
        Comparison::Same => Change::Unchanged,
        Comparison::SameAndMore => Change::Learnt(current.with_more(&content)),
        Comparison::Other => Change::Retagged(current.retagged(content)),
    }
}

impl TagState {
    /// The name that it is stored under.
    #[must_use]
    pub fn place(&self) -> String {
        place(self.kind, &self.tag)
    }

    /// The version as callers see it, its history newest first.
    #[must_use]
    pub fn view(&self) -> Value {
        let mut view = self.content.view();
        if let Some(members) = view.as_object_mut() {
            members.insert("tag".to_owned(), json!(self.tag));
            members.insert("kind".to_owned(), json!(self.kind));
            members.insert(
                "firstSeenAt".to_owned(),
                json!(crate::domain::shared::time::timestamp(self.created_at)),
            );
            members.insert("retags".to_owned(), json!(self.retags));
            members.insert("history".to_owned(), self.history.iter().map(Content::view).collect());
            members.insert("historyDropped".to_owned(), json!(self.history_dropped));
        }
        view
    }

    /// The same without its history, which is read with the tag.
    #[must_use]
    pub fn without_history(&self) -> Self {
        Self { history: Vec::new(), ..self.clone() }
    }

    fn with_more(&self, told: &Content) -> Self {
        let mut state = self.clone();
        state.content.commit = self.content.commit.clone().or_else(|| told.commit.clone());
        state.content.pushed_at = self.content.pushed_at.or(told.pushed_at);
        state.revision = self.revision.saturating_add(1);
        state
    }

    fn retagged(&self, mut content: Content) -> Self {
        // The list of versions sorts by this time, so it moves on even if the clock did not.
        let least = self.content.since.checked_add_signed(Duration::milliseconds(1));
        content.since = least.map_or(content.since, |least| least.max(content.since));
        let mut history = Vec::with_capacity(self.history.len().saturating_add(1).min(MAX_HISTORY));
        history.push(self.content.clone());
        history.extend(self.history.iter().take(MAX_HISTORY.saturating_sub(1)).cloned());
        let kept = history.len().saturating_sub(1);
        let dropped = u32::try_from(self.history.len().saturating_sub(kept)).unwrap_or(u32::MAX);
        Self {
            content,
            retags: self.retags.saturating_add(1),
            history,
            history_dropped: self.history_dropped.saturating_add(dropped),
            revision: self.revision.saturating_add(1),
            ..self.clone()
        }
    }
}

impl Content {
    fn view(&self) -> Value {
        let mut view = json!({
            "digest": self.digest,
            "digestValid": self.digest_valid,
            "channel": self.channel,
            "pushedAt": self.pushed_at.map(crate::domain::shared::time::timestamp),
            "source": self.source,
            "createdAt": crate::domain::shared::time::timestamp(self.since),
        });
        if let (Some(commit), Some(members)) = (&self.commit, view.as_object_mut()) {
            members.insert("commit".to_owned(), json!(commit));
        }
        view
    }
}

#[cfg(test)]
#[path = "version_tests.rs"]
mod tests;
