//! The version map: what each tag of a component points at, what it pointed at before, and how an event
//! changes that.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::content::Instant;
pub use super::content::{Content, Source};
use super::timeline::Timeline;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::shared::ids::ReleaseId;

/// The maximum length of a tag, in bytes: twice what the OCI Distribution Specification allows.
const MAX_TAG_BYTES: usize = 256;

/// A tag of a component, as it is stored. See [`Change`] for how it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagState {
    /// The tag.
    pub tag: String,
    /// The kind of event that makes it. A pushed image `v1` and a git tag `v1` are two versions.
    pub kind: EventKind,
    /// What it points at; if that is deleted, what it pointed at last.
    #[serde(flatten)]
    pub content: Content,
    /// When it was first seen.
    pub created_at: DateTime<Utc>,
    /// Since when it is at its place in the list of versions. Absent: since `content.since`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed_at: Option<DateTime<Utc>>,
    /// How often the tag was moved to other content.
    pub retags: u32,
    /// The releases of its content.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<ReleaseId>,
    /// Whether its content is not known yet. See [`NormalisedEvent::awaits_commit`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub awaits_commit: bool,
    /// The contents of older pushes, newest first, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Content>,
    /// The number of entries in the history, which the list of versions does not have.
    #[serde(default)]
    pub history_size: u32,
    /// The number of older pushes that are not kept.
    #[serde(default)]
    pub history_dropped: u32,
    /// The newest time of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<DateTime<Utc>>,
    /// When it was deleted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_deletion: Option<Instant>,
    /// The number of writes so far. Each write names the one before.
    pub revision: u64,
}

/// How an event changes a tag.
///
/// ```text
///                              ┌── newer, other content ──▶ Retagged
///                              ├── deleted ───────────────▶ Deleted
/// (none) ── Added ──▶ state ───┼── its commit is known ───▶ Completed
///                              ├── the same, later ───────▶ Learnt
///                              ├── older ─────────────────▶ Older
///                              └── the same push ─────────▶ Unchanged
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
    /// The commit of a new tag is known now. No new version; triggers are evaluated for the first time.
    Completed(TagState),
    /// The tag points at the same content; the event has more facts, or is a later push. No version, no release.
    Learnt(TagState),
    /// A newer push was received before, or a newer deletion. The history has the push; no version, no release.
    Older(TagState),
    /// The tag was deleted at the sender.
    Deleted(TagState),
    /// Nothing is new.
    Unchanged,
}

impl Change {
    /// The state to store, if the tag changes.
    #[must_use]
    pub fn state(&self) -> Option<&TagState> {
        match self {
            Self::Added(state)
            | Self::Retagged(state)
            | Self::Completed(state)
            | Self::Learnt(state)
            | Self::Older(state)
            | Self::Deleted(state) => Some(state),
            Self::Unchanged => None,
        }
    }

    /// As [`Change::state`].
    pub fn state_mut(&mut self) -> Option<&mut TagState> {
        match self {
            Self::Added(state)
            | Self::Retagged(state)
            | Self::Completed(state)
            | Self::Learnt(state)
            | Self::Older(state)
            | Self::Deleted(state) => Some(state),
            Self::Unchanged => None,
        }
    }

    /// The state, if it is a new version.
    #[must_use]
    pub fn version(&self) -> Option<&TagState> {
        match self {
            Self::Added(state) | Self::Retagged(state) => Some(state),
            Self::Completed(_) | Self::Learnt(_) | Self::Older(_) | Self::Deleted(_) | Self::Unchanged => {
                None
            }
        }
    }
}

/// The place of a tag in a component's version map: the name under which its state is stored. Kinds are
/// apart, so that the git tag `v1`, the release `v1` and the image `v1` built from them do not retag one
/// another. A deletion concerns the version that a push made.
#[must_use]
pub fn place(kind: EventKind, tag: &str) -> String {
    let made_by = if kind == EventKind::ArtifactDeleted { EventKind::ArtifactPushed } else { kind };
    format!("{}:{tag}", made_by.name())
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

/// How an event changes its tag, of which `current` is the stored state. `tag` is the result of
/// [`version_tag`] for the event.
///
/// The content of the push with the greatest [`Place`](super::content::Place) is current. Whether two pushes
/// have the same content is decided by [`Content::is_same_as`]: images by their digest, so that a push without
/// one is always new content; git tags and releases by their commit. Code hosts send several events about one tag, of which not all have the
/// commit or the time. What an event does not have is no difference: for the same tag, GitHub sends `create` without
/// a commit and `push` with one. A pre-release that is marked as final is new content.
#[must_use]
pub fn change(
    current: Option<&TagState>,
    event: &NormalisedEvent,
    tag: &str,
    channel: &str,
    source: Source,
    now: DateTime<Utc>,
) -> Change {
    let pushed = Content::of(event, channel, source);
    let Some(current) = current else {
        return Change::Added(TagState::new(event, tag, pushed, now));
    };
    match facts_of(current, event) {
        Facts::Known => Change::Unchanged,
        Facts::More if current.awaits_commit && event.commit.is_some() => {
            Change::Completed(TagState { content: pushed, awaits_commit: false, ..current.next() })
        }
        Facts::More => {
            let known = current.with_more(&pushed);
            let pushed = push(&known, pushed, event.time_is_push, now);
            Change::Learnt(pushed.state().cloned().unwrap_or_else(|| known.next()))
        }
        Facts::Push => push(current, pushed, event.time_is_push, now),
    }
}

/// What an event says about the content of its tag.
enum Facts {
    /// Nothing that is not known.
    Known,
    /// More of the current content.
    More,
    /// A push of its own.
    Push,
}

fn facts_of(current: &TagState, event: &NormalisedEvent) -> Facts {
    let content = &current.content;
    let has_digests = content.digest.is_some() && event.digest.is_some();
    if event.kind == EventKind::ArtifactPushed || has_digests || content.deleted.is_some() {
        return Facts::Push;
    }
    let is_final_now = content.prerelease == Some(true) && event.prerelease == Some(false);
    let is_final_already = content.prerelease == Some(false) && event.prerelease == Some(true);
    let times = (content.pushed_at, event.pushed_at);
    match (&content.commit, &event.commit) {
        _ if is_final_now => Facts::Push,
        (Some(before), Some(now)) if before == now && is_final_already => Facts::Known,
        (Some(_), Some(_)) => Facts::Push,
        (Some(_), None) => Facts::Known,
        (None, Some(_)) => Facts::More,
        (None, None) => match times {
            (Some(before), Some(now)) if before != now => Facts::Push,
            (Some(_), Some(_) | None) | (None, None) => Facts::Known,
            (None, Some(_)) => Facts::More,
        },
    }
}

/// Puts a push in its place.
fn push(current: &TagState, pushed: Content, time_is_push: bool, now: DateTime<Utc>) -> Change {
    let before = current.timeline();
    let mut after = before.clone();
    let is_current = current.content.deleted.is_none() && current.content.is_same_as(&pushed, current.kind);
    after.push(pushed, time_is_push);
    if after == before {
        return Change::Unchanged;
    }
    let newest = |timeline: &Timeline| timeline.entries.first().map(|entry| (entry.place(), entry.deleted));
    let (was, is) = (newest(&before), newest(&after));
    let state = current.with(after);
    let is_deleted = state.content.deleted.is_some();
    if was == is && is_current {
        Change::Learnt(state)
    } else if was == is || is_deleted {
        Change::Older(state)
    } else if is_current {
        Change::Learnt(state)
    } else {
        // The list of versions sorts by this time, so it must increase even if the clock does not.
        let least = current.listed_at().checked_add_signed(Duration::milliseconds(1));
        let listed_at = Some(least.map_or(now, |least| least.max(now)));
        let retags = state.retags.saturating_add(1);
        Change::Retagged(TagState { retags, listed_at, releases: Vec::new(), awaits_commit: false, ..state })
    }
}

/// How the deletion of a tag, or of what it points at, changes the tag.
///
/// # Errors
/// Why it changes nothing, for a person.
pub fn deletion(current: Option<&TagState>, event: &NormalisedEvent) -> Result<Change, &'static str> {
    let Some(current) = current else { return Err("No version has this tag") };
    let digests = (&current.content.digest, &event.digest);
    if let (Some(current), Some(deleted)) = digests
        && current != deleted
    {
        return Err("The tag points at other content than the deleted one");
    }
    let mut timeline = current.timeline();
    let deleted = Instant::of(event);
    if !timeline.delete(deleted) {
        return Err(OLDER);
    }
    let last_deletion = current.last_deletion.max(Some(deleted));
    Ok(Change::Deleted(TagState { awaits_commit: false, last_deletion, ..current.with(timeline) }))
}

/// Why a push that is not the newest one of its tag changes nothing.
pub const OLDER: &str = "older";

impl TagState {
    fn new(event: &NormalisedEvent, tag: &str, content: Content, now: DateTime<Utc>) -> Self {
        Self {
            tag: tag.to_owned(),
            kind: event.kind,
            content,
            created_at: now,
            listed_at: Some(now),
            retags: 0,
            releases: Vec::new(),
            awaits_commit: event.awaits_commit && event.commit.is_none(),
            history: Vec::new(),
            history_size: 0,
            history_dropped: 0,
            horizon: None,
            last_deletion: None,
            revision: 1,
        }
    }

    /// The name under which it is stored.
    #[must_use]
    pub fn place(&self) -> String {
        place(self.kind, &self.tag)
    }

    /// Since when it is at its place in the list of versions.
    #[must_use]
    pub fn listed_at(&self) -> DateTime<Utc> {
        self.listed_at.unwrap_or(self.content.since)
    }

    /// Whether it can be pulled, as far as is known.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.content.deleted.is_none()
    }

    /// Whether there are older contents.
    #[must_use]
    pub fn has_history(&self) -> bool {
        self.history_size > 0 || self.retags > 0
    }

    /// The state without its history, for the list of versions. The history is stored with the tag only.
    #[must_use]
    pub fn without_history(&self) -> Self {
        let content = Content { earlier: Vec::new(), ..self.content.clone() };
        Self { content, history: Vec::new(), horizon: None, releases: Vec::new(), ..self.clone() }
    }

    fn timeline(&self) -> Timeline {
        let entries = std::iter::once(&self.content).chain(&self.history).cloned().collect();
        Timeline { kind: self.kind, entries, horizon: self.horizon, dropped: self.history_dropped }
    }

    fn with(&self, timeline: Timeline) -> Self {
        let mut entries = timeline.entries.into_iter();
        let content = entries.next().unwrap_or_else(|| self.content.clone());
        let history: Vec<Content> = entries.collect();
        let history_size = u32::try_from(history.len()).unwrap_or(u32::MAX);
        let (horizon, history_dropped) = (timeline.horizon, timeline.dropped);
        Self { content, history, history_size, history_dropped, horizon, ..self.next() }
    }

    fn with_more(&self, event: &Content) -> Self {
        let mut state = self.clone();
        state.content.commit = self.content.commit.clone().or_else(|| event.commit.clone());
        state.content.pushed_at = self.content.pushed_at.or(event.pushed_at);
        state
    }

    /// The same with the next revision.
    fn next(&self) -> Self {
        Self { revision: self.revision.saturating_add(1), ..self.clone() }
    }
}

#[cfg(test)]
#[path = "version_tests.rs"]
mod tests;
