//! De-duplication keys: by what an event is recognised when it is received again.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};

/// A de-duplication key of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DedupKey {
    /// Lower-case hex SHA-256.
    pub hash: String,
    /// What the key is made of.
    pub by: KeySource,
}

/// What a [`DedupKey`] is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// The facts of the event, among them what tells it from every other push: the sender's time, the commit before
    /// it, or the run.
    Content,
    /// The whole body, because no fact of the event tells it from the next one. It counts for minutes only.
    Body,
    /// The sender's delivery id.
    DeliveryId,
    /// The facts of the event, which do not tell it from a later push of the same content. It is a duplicate only
    /// while the tag points at this content.
    Repetition,
}

impl KeySource {
    /// Whether an event with a known key changes nothing, whatever the tag points at.
    #[must_use]
    pub fn is_decisive(self) -> bool {
        match self {
            Self::Content | Self::Body | Self::DeliveryId => true,
            Self::Repetition => false,
        }
    }
}

/// The de-duplication keys of one event. They are stored for each webhook config and component, and an event is a
/// duplicate if one of them is known. `body_hash` is the hash of the whole body, and `index` the event's place in it.
///
/// The content counts, because headers are not signed: a captured signed body could be sent again under another
/// delivery id. It counts where it tells the push from every other one (see [`KeySource::Content`]). So a tag that is
/// moved from A to B and back to A is two moves: of an image the times differ, of a git tag the commits before.
/// Where it does not, the delivery id does; and where the sender has none, the body, for some minutes.
///
/// ```
/// use stella::domain::inbound::dedup::{KeySource, dedup_keys};
/// use stella::domain::inbound::normalised::{EventKind, NormalisedEvent};
///
/// let now = "2026-01-09T10:30:00Z".parse().unwrap();
/// let mut push = NormalisedEvent::new(EventKind::ArtifactPushed, "myorg/myapp", now);
/// push.digest = Some("sha256:abc".to_owned());
/// push.pushed_at = Some(now);
/// let first = dedup_keys(Some("id-1"), &push, "hash of the body", 0);
/// let replayed = dedup_keys(Some("id-2"), &push, "hash of the body", 0);
///
/// assert_eq!((first[0].by, first[1].by), (KeySource::Content, KeySource::DeliveryId));
/// assert_eq!(first[0], replayed[0]);
/// assert_ne!(first[1], replayed[1]);
/// ```
#[must_use]
pub fn dedup_keys(
    delivery_id: Option<&str>,
    event: &NormalisedEvent,
    body_hash: &str,
    index: usize,
) -> Vec<DedupKey> {
    let content = hash(&Content::of(event));
    let delivery = delivery_id.map(|id| hash(&("delivery", id, index)));
    let delivery = delivery.map(|hash| DedupKey { hash, by: KeySource::DeliveryId });
    if is_told_apart(event) {
        return std::iter::once(DedupKey { hash: content, by: KeySource::Content }).chain(delivery).collect();
    }
    let body = || DedupKey { hash: hash(&("body", &content, body_hash, index)), by: KeySource::Body };
    let repetition = DedupKey { hash: content.clone(), by: KeySource::Repetition };
    vec![delivery.unwrap_or_else(body), repetition]
}

/// Whether the facts of an event tell it from every other one.
fn is_told_apart(event: &NormalisedEvent) -> bool {
    let has_time = event.pushed_at.is_some();
    match event.kind {
        EventKind::ArtifactPushed | EventKind::ArtifactDeleted | EventKind::Release => has_time,
        EventKind::GitPush | EventKind::GitTag => event.before.is_some() || has_time && event.time_is_push,
        EventKind::CiFinished | EventKind::PullRequest => event.run.is_some() || has_time,
        EventKind::Ping => false,
    }
}

/// The content, which is hashed as JSON, so that no two contents give the same bytes.
#[derive(Serialize)]
struct Content<'a> {
    what: &'static str,
    kind: &'static str,
    registry: Option<&'a str>,
    repository: &'a str,
    reference: Option<&'a str>,
    branch: Option<&'a str>,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
    pushed_at: Option<String>,
    commit: Option<&'a str>,
    run: Option<&'a str>,
    result: Option<&'a str>,
    before: Option<&'a str>,
    repository_state: Option<&'a str>,
    prerelease: Option<bool>,
    deleted: bool,
}

impl<'a> Content<'a> {
    fn of(event: &'a NormalisedEvent) -> Self {
        Self {
            what: "content",
            kind: event.kind.name(),
            // The same image at two registries, and the same commit on two branches, are two events.
            registry: event.registry.as_deref(),
            repository: &event.repository,
            reference: event.reference.as_deref(),
            branch: event.branch.as_deref(),
            tag: event.tag.as_deref(),
            digest: event.digest.as_deref(),
            pushed_at: event.pushed_at.map(|time| time.to_rfc3339()),
            commit: event.commit.as_deref(),
            run: event.run.as_deref(),
            result: event.result_text.as_deref(),
            before: event.before.as_deref(),
            repository_state: event.repository_state.as_deref(),
            prerelease: event.prerelease,
            deleted: event.deleted,
        }
    }
}

#[expect(clippy::expect_used, reason = "texts and numbers always have a form in JSON")]
fn hash(value: &impl Serialize) -> String {
    hex::encode(Sha256::digest(serde_json::to_vec(value).expect("JSON")))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn push(tag: &str) -> NormalisedEvent {
        let mut event = NormalisedEvent::new(EventKind::ArtifactPushed, "myorg/myapp", DateTime::default());
        event.tag = Some(tag.to_owned());
        event
    }

    fn content(event: &NormalisedEvent) -> String {
        hash(&Content::of(event))
    }

    fn sources(keys: &[DedupKey]) -> Vec<KeySource> {
        keys.iter().map(|key| key.by).collect()
    }

    #[test]
    fn a_repeated_delivery_has_the_same_keys() {
        let mut event = push("v1");
        let first = dedup_keys(Some("guid"), &event, "body", 0);
        event.received_at = DateTime::from_timestamp(99, 0).unwrap();
        assert_eq!(dedup_keys(Some("guid"), &event, "body", 0), first);
        assert!(first.iter().all(|key| key.hash.len() == 64));
    }

    #[test]
    fn a_captured_body_under_another_delivery_id_is_the_same_content() {
        let mut event = push("v1");
        (event.digest, event.pushed_at) = (Some("sha256:abc".to_owned()), DateTime::from_timestamp(1, 0));
        let one = dedup_keys(Some("guid"), &event, "body", 0);
        let other = dedup_keys(Some("forged"), &event, "body", 0);
        assert_eq!(sources(&one), [KeySource::Content, KeySource::DeliveryId]);
        assert_eq!(one[0], other[0]);
        assert_ne!(one[1], other[1]);
    }

    #[test]
    fn a_git_tag_that_goes_back_to_a_commit_is_told_apart_by_the_commit_before() {
        let at = |commit: &str, before: &str| {
            let mut event = push("production");
            event.kind = EventKind::GitTag;
            (event.commit, event.before) = (Some(commit.to_owned()), Some(before.to_owned()));
            dedup_keys(None, &event, "body", 0).remove(0)
        };
        assert_eq!(at("a", "0").by, KeySource::Content);
        assert_ne!(at("a", "0"), at("a", "b"));
        assert_eq!(at("a", "0"), at("a", "0"));
    }

    #[test]
    fn without_facts_that_tell_pushes_apart_the_delivery_id_does_or_else_the_body() {
        let mut event = push("latest");
        event.digest = Some("sha256:abc".to_owned());
        let by_id = dedup_keys(Some("guid"), &event, "body", 0);
        assert_eq!(sources(&by_id), [KeySource::DeliveryId, KeySource::Repetition]);
        let by_body = dedup_keys(None, &event, "body", 0);
        assert_eq!(sources(&by_body), [KeySource::Body, KeySource::Repetition]);
        assert_ne!(dedup_keys(None, &event, "another body", 0)[0], by_body[0]);
        assert_eq!(dedup_keys(None, &event, "another body", 0)[1], by_body[1]);
        assert!(!KeySource::Repetition.is_decisive());
    }

    #[test]
    fn every_fact_makes_a_difference() {
        let base = push("v1");
        let changes: [fn(&mut NormalisedEvent); 14] = [
            |event| event.kind = EventKind::ArtifactDeleted,
            |event| event.registry = Some("ghcr.io".to_owned()),
            |event| event.repository = "myorg/other".to_owned(),
            |event| event.tag = None,
            |event| event.branch = Some("v1".to_owned()),
            |event| event.digest = Some("v1".to_owned()),
            |event| event.pushed_at = DateTime::from_timestamp(1, 0),
            |event| event.commit = Some("v1".to_owned()),
            |event| event.run = Some("v1".to_owned()),
            |event| event.result_text = Some("v1".to_owned()),
            |event| event.before = Some("v1".to_owned()),
            |event| event.repository_state = Some("v1".to_owned()),
            |event| event.prerelease = Some(true),
            |event| event.deleted = true,
        ];
        let mut seen = vec![content(&base)];
        for change in changes {
            let mut event = base.clone();
            change(&mut event);
            seen.push(content(&event));
        }
        let distinct: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len());
    }

    #[test]
    fn the_events_of_a_batch_have_keys_of_their_own() {
        let event = push("v1");
        let place = |index| dedup_keys(Some("guid"), &event, "body", index)[0].clone();
        assert_ne!(place(0), place(1));
    }
}
