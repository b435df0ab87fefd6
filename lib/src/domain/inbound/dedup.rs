//! De-duplication keys: by what an event is recognised when it is received again.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::domain::inbound::normalised::NormalisedEvent;

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
    /// The facts of the event.
    Content,
    /// The whole body, because no fact of the event tells it from the next one.
    Body,
    /// The sender's delivery id.
    DeliveryId,
}

/// The de-duplication keys of one event. They are stored for each webhook config and component, and an event
/// is a duplicate if one of them is known. The first is made of the content or the body, the second of the
/// sender's delivery id, if there is one. `body_hash` is the hash of the whole body, and `index` the event's
/// place in it.
///
/// The content counts, because headers are not signed: a captured signed body could be sent again under
/// another delivery id. If no digest, time, commit or run tells two deliveries apart, the body does. So
/// `latest` pushed again at another time is another push, even without a digest.
///
/// ```
/// use stella::domain::inbound::dedup::{KeySource, dedup_keys};
/// use stella::domain::inbound::normalised::{EventKind, NormalisedEvent};
///
/// let now = "2026-01-09T10:30:00Z".parse().unwrap();
/// let mut push = NormalisedEvent::new(EventKind::ArtifactPushed, "myorg/myapp", now);
/// push.digest = Some("sha256:abc".to_owned());
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
    let tells_apart =
        event.digest.is_some() || event.pushed_at.is_some() || event.commit.is_some() || event.run.is_some();
    let by = if tells_apart { KeySource::Content } else { KeySource::Body };
    let content = Content {
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
        body: (!tells_apart).then_some((body_hash, index)),
    };
    let delivery =
        delivery_id.map(|id| DedupKey { hash: hash(&("delivery", id, index)), by: KeySource::DeliveryId });
    std::iter::once(DedupKey { hash: hash(&content), by }).chain(delivery).collect()
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
    body: Option<(&'a str, usize)>,
}

#[expect(clippy::expect_used, reason = "texts and numbers always have a form in JSON")]
fn hash(value: &impl Serialize) -> String {
    hex::encode(Sha256::digest(serde_json::to_vec(value).expect("JSON")))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::inbound::normalised::EventKind;

    fn push(tag: &str) -> NormalisedEvent {
        let mut event = NormalisedEvent::new(EventKind::ArtifactPushed, "myorg/myapp", DateTime::default());
        event.tag = Some(tag.to_owned());
        event
    }

    fn content(event: &NormalisedEvent, body_hash: &str) -> String {
        dedup_keys(None, event, body_hash, 0).remove(0).hash
    }

    #[test]
    fn a_repeated_delivery_has_the_same_keys() {
        let mut event = push("v1");
        let first = dedup_keys(Some("guid"), &event, "body", 0);
        event.received_at = DateTime::from_timestamp(99, 0).unwrap();
        assert_eq!(dedup_keys(Some("guid"), &event, "body", 0), first);
        assert_eq!(first.len(), 2);
        assert!(first.iter().all(|key| key.hash.len() == 64));
    }

    #[test]
    fn a_captured_body_under_another_delivery_id_is_the_same_content() {
        let mut event = push("v1");
        event.digest = Some("sha256:abc".to_owned());
        let one = dedup_keys(Some("guid"), &event, "body", 0);
        let other = dedup_keys(Some("forged"), &event, "another body", 0);
        assert_eq!(one[0], other[0]);
        assert_ne!(one[1], other[1]);
    }

    #[test]
    fn latest_pushed_again_without_a_digest_is_a_new_push() {
        let mut event = push("latest");
        event.pushed_at = DateTime::from_timestamp(1_704_067_200, 0);
        let first = content(&event, "body");
        event.pushed_at = DateTime::from_timestamp(1_704_067_201, 0);
        assert_ne!(content(&event, "body"), first);
    }

    #[test]
    fn without_other_facts_the_body_is_the_key() {
        assert_eq!(content(&push("v1"), "body"), content(&push("v1"), "body"));
        assert_ne!(content(&push("v1"), "body"), content(&push("v1"), "another body"));
        assert_eq!(dedup_keys(None, &push("v1"), "body", 0)[0].by, KeySource::Body);
        let mut dated = push("v1");
        dated.pushed_at = DateTime::from_timestamp(1, 0);
        assert_eq!(dedup_keys(None, &dated, "body", 0)[0].by, KeySource::Content);
    }

    #[test]
    fn every_fact_makes_a_difference() {
        let base = push("v1");
        let changes: [fn(&mut NormalisedEvent); 10] = [
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
        ];
        let mut seen = vec![content(&base, "body")];
        for change in changes {
            let mut event = base.clone();
            change(&mut event);
            seen.push(content(&event, "body"));
        }
        let distinct: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len());
    }

    #[test]
    fn the_events_of_a_batch_have_keys_of_their_own() {
        let event = push("v1");
        let place = |index| dedup_keys(Some("guid"), &event, "body", index)[1].clone();
        assert_ne!(place(0), place(1));
    }
}
