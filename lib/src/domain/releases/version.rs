//! The version map: what each tag of a component points at, what it pointed at before, and how an event
//! changes that.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
#[cfg(feature = "schema")]
use crate::domain::inbound::provider::Provider;
use crate::domain::shared::ids::ConfigId;

/// The number of former versions of a tag that are kept.
pub const MAX_HISTORY: usize = 20;

/// The maximum length of a tag, in bytes: twice what the OCI Distribution Specification allows.
const MAX_TAG_BYTES: usize = 256;

/// Where an event came in, and the repository that it is about.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The webhook config that received the event.
    pub config_id: ConfigId,
    /// The sender.
    #[cfg_attr(feature = "schema", schemars(with = "Provider"))]
    pub provider: String,
    /// The host of the registry or the code host, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The repository's name without host, as the sender writes it.
    pub repository: String,
}

impl Source {
    /// The source of an event that came in by `config_id`.
    #[must_use]
    pub fn of(config_id: ConfigId, provider: impl Into<String>, event: &NormalisedEvent) -> Self {
        let (registry, repository) = (event.registry.clone(), event.repository.clone());
        Self { config_id, provider: provider.into(), registry, repository }
    }
}

/// What a tag points at, or pointed at before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// The digest, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Whether the digest is one that a registry could serve. See [`NormalisedEvent::digest_valid`].
    #[serde(default)]
    pub digest_valid: bool,
    /// The channel of the tag at that time.
    pub channel: String,
    /// The commit, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When it was pushed, by the sender's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<DateTime<Utc>>,
    /// Where the event came from.
    pub source: Source,
    /// Since when the tag points at it, by our clock.
    pub since: DateTime<Utc>,
}

/// A tag of a component, as it is stored. See [`Change`] for how it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagState {
    /// The tag.
    pub tag: String,
    /// The kind of event that makes it. A pushed image `v1` and a git tag `v1` are two versions.
    pub kind: EventKind,
    /// What it points at.
    #[serde(flatten)]
    pub content: Content,
    /// When it was first seen.
    pub created_at: DateTime<Utc>,
    /// How often the tag was moved to other content.
    pub retags: u32,
    /// What it pointed at before, newest first, at most [`MAX_HISTORY`] entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Content>,
    /// The number of older entries that were dropped from the history.
    #[serde(default)]
    pub history_dropped: u32,
    /// The number of writes so far. Each write names the one before.
    pub revision: u64,
}

/// How an event changes a tag.
///
/// ```text
///                              ┌── other content ────────▶ Retagged ──▶ state, next revision
/// (none) ── Added ──▶ state ───┼── the same, more facts ─▶ Learnt ────▶ state, next revision
///                              └── the same ─────────────▶ Unchanged
/// ```
///
/// A state is written on the condition that the stored revision is one less, or that there is none yet. So of
/// two events for one tag at once, one is decided again with what the other wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The tag is new.
    Added(TagState),
    /// The tag points at other content now.
    Retagged(TagState),
    /// The tag points at the same content, of which the event has more facts. No version, and no release.
    Learnt(TagState),
    /// The tag points at the same content.
    Unchanged,
}

impl Change {
    /// The state to store, if the tag changes.
    #[must_use]
    pub fn state(&self) -> Option<&TagState> {
        match self {
            Self::Added(state) | Self::Retagged(state) | Self::Learnt(state) => Some(state),
            Self::Unchanged => None,
        }
    }

    /// The state, if it is a new version.
    #[must_use]
    pub fn version(&self) -> Option<&TagState> {
        match self {
            Self::Added(state) | Self::Retagged(state) => Some(state),
            Self::Learnt(_) | Self::Unchanged => None,
        }
    }
}

/// The place of a tag in a component's version map: the name under which its state is stored. Kinds are
/// apart, so that the git tag `v1`, the release `v1` and the image `v1` built from them do not retag one
/// another.
#[must_use]
pub fn place(kind: EventKind, tag: &str) -> String {
    format!("{}:{tag}", kind.name())
}

/// The tag of the version that an event makes. Pushed artifacts, git tags and releases that have a tag make a
/// version. Signatures, attestations and bills of materials, which [cosign] pushes as tags beside the
/// artifact, do not. Neither does a finished pipeline, though it may activate triggers.
///
/// [cosign]: https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
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
        if is_cosign_tag(tag) {
            return Err("The tag is of a signature, an attestation or a bill of materials");
        }
    }
    Ok(tag)
}

/// Whether a tag is `sha256-<64 hex digits>.sig`, `.att` or `.sbom`, which cosign pushes beside the artifact
/// of that digest.
fn is_cosign_tag(tag: &str) -> bool {
    let name = [".sig", ".att", ".sbom"].iter().find_map(|ending| tag.strip_suffix(ending));
    name.and_then(|name| name.strip_prefix("sha256-"))
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// How the content of an event compares with what a tag points at.
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
    let has_no_digest = current.digest.is_none() && event.digest.is_none();
    let is_same_push = has_no_digest && event.pushed_at.is_some() && event.pushed_at == current.pushed_at;
    if is_same_push { Comparison::Same } else { Comparison::Other }
}

/// Code hosts send several events about one tag, of which not all have the commit or the time. What an event
/// does not have is no difference: for the same tag, GitHub sends `create` without a commit and `push` with
/// one.
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

/// How an event changes its tag, of which `current` is the stored state. `tag` is the result of
/// [`version_tag`] for the event.
///
/// - If both have a digest: the same digest is no new version, another one is a retag. Back to an earlier
///   digest is a retag again.
/// - If both are artifacts without a digest: the same time of pushing is the same push. Another time, or no
///   time on a side, is a new push, because the content may have changed (`latest` at Docker Hub).
/// - If only one is an artifact with a digest: a new push, because nothing shows that the content is the
///   same. So a tag that is pushed to two registries, of which one sends no digest, is retagged by each.
///   `requireDigest` keeps a trigger from creating a release for both.
/// - Git tags and releases: the same commit, or a commit on one side only, is no new version. Without
///   commits, the same time, or a time on one side only, is no new version.
///
/// The state of a retag has the time `now`, or 1 ms after that of the state before, if the clock has not
/// moved on.
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
    /// The name under which it is stored.
    #[must_use]
    pub fn place(&self) -> String {
        place(self.kind, &self.tag)
    }

    /// The state without its history, for the list of versions. The history is stored with the tag only.
    #[must_use]
    pub fn without_history(&self) -> Self {
        Self { history: Vec::new(), ..self.clone() }
    }

    fn with_more(&self, event: &Content) -> Self {
        let mut state = self.clone();
        state.content.commit = self.content.commit.clone().or_else(|| event.commit.clone());
        state.content.pushed_at = self.content.pushed_at.or(event.pushed_at);
        state.revision = self.revision.saturating_add(1);
        state
    }

    fn retagged(&self, mut content: Content) -> Self {
        // The list of versions sorts by this time, so it must increase even if the clock does not.
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

#[cfg(test)]
#[path = "version_tests.rs"]
mod tests;
