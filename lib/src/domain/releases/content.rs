//! What a tag points at: the content of one push, and when it was pushed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
#[cfg(feature = "schema")]
use crate::domain::inbound::provider::Provider;
use crate::domain::shared::ids::ConfigId;

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

/// When a push or a deletion was made, for its order among the others of its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instant {
    /// The sender's time of the push, if it sends one, but at most the time of receipt; or else the time of receipt.
    pub at: DateTime<Utc>,
    /// When the service received it, before any queue.
    pub received_at: DateTime<Utc>,
}

impl Instant {
    /// That of an event.
    #[must_use]
    pub fn of(event: &NormalisedEvent) -> Self {
        let received_at = event.received_at;
        let told = event.pushed_at.filter(|_| event.time_is_push);
        Self { at: told.map_or(received_at, |time| time.min(received_at)), received_at }
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
    /// Whether the sender marks the release as not final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prerelease: Option<bool>,
    /// Where the event came from.
    pub source: Source,
    /// When the event was received. Of contents that versions before 0.2 stored, when the tag began to point at it.
    pub since: DateTime<Utc>,
    /// [`Instant::at`] of its newest push. Absent from contents that versions before 0.2 stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
    /// Its earlier pushes since the tag pointed at something else, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierPush>,
    /// When it was deleted, after its newest push and before that of any other content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Instant>,
}

/// An earlier push of a content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EarlierPush {
    /// When it was made.
    #[serde(flatten)]
    pub instant: Instant,
    /// The sender's time of it, if it sent one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<DateTime<Utc>>,
    /// Where the event came from, if from elsewhere than that of the newest push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// The place of a push among those of its tag: by time, then by time of receipt, then by content, so that no two
/// contents have the same place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// When it was pushed.
    #[serde(flatten)]
    pub instant: Instant,
    /// The digest, or else the commit.
    pub content: String,
}

impl Content {
    /// The content of an event.
    #[must_use]
    pub fn of(event: &NormalisedEvent, channel: &str, source: Source) -> Self {
        let instant = Instant::of(event);
        Self {
            digest: event.digest.clone(),
            digest_valid: event.digest_valid,
            channel: channel.to_owned(),
            commit: event.commit.clone(),
            pushed_at: event.pushed_at,
            prerelease: event.prerelease,
            source,
            since: instant.received_at,
            at: Some(instant.at),
            earlier: Vec::new(),
            deleted: None,
        }
    }

    /// When its newest push was made.
    #[must_use]
    pub fn instant(&self) -> Instant {
        let at = self.at.or(self.pushed_at).unwrap_or(self.since);
        Instant { at, received_at: self.since }
    }

    /// The place of its newest push.
    #[must_use]
    pub fn place(&self) -> Place {
        let content = self.digest.as_ref().or(self.commit.as_ref());
        Place { instant: self.instant(), content: content.cloned().unwrap_or_default() }
    }

    /// Whether two images have no digests and nothing else shows that they differ.
    pub(super) fn may_be_same_as(&self, other: &Self) -> bool {
        let differ = self.commit.is_some() && other.commit.is_some() && self.commit != other.commit;
        self.digest.is_none() && other.digest.is_none() && !differ
    }

    /// Whether two pushes of a tag of this kind have the same content. Images are the same by their digest only;
    /// git tags by their commit, and releases also by whether they are final.
    #[must_use]
    pub fn is_same_as(&self, other: &Self, kind: EventKind) -> bool {
        if let (Some(one), Some(another)) = (&self.digest, &other.digest) {
            return one == another;
        }
        if kind == EventKind::ArtifactPushed {
            return false;
        }
        let same_commit = match (&self.commit, &other.commit) {
            (Some(one), Some(another)) => one == another,
            (Some(_), None) | (None, Some(_)) => true,
            (None, None) => self.pushed_at == other.pushed_at,
        };
        same_commit && self.prerelease == other.prerelease
    }
}
