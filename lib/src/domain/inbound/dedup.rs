//! What makes two deliveries the same one.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::domain::inbound::normalised::NormalisedEvent;

/// One thing by which an event is known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DedupKey {
    /// Lower-case hex SHA-256.
    pub hash: String,
    /// What it is made of.
    pub by: KeySource,
}

/// What an identity is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// What the event says.
    Content,
    /// The whole body, because the event says nothing that would tell it from the next one.
    Body,
    /// The sender's name for the delivery.
    DeliveryId,
}

/// The dedup_keys of one event, kept for each webhook config: an event is a duplicate when any of them is
/// known. First the content's or the body's, then that of the sender's delivery id, if it gave one. `index` is
/// the event's place in its body.
///
/// The content counts because headers are not signed: who captured a signed body could send it again under
/// another delivery id. Where no digest, time, commit or run tells two deliveries apart, the body does.
/// So `latest` pushed again at another time is another push, even without a digest.
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
        // The same image pushed to two registries, and the same commit to two branches, are two events.
        registry: event.registry.as_deref(),
        repository: &event.repository,
        reference: event.reference.as_deref(),
        branch: event.branch.as_deref(),
        tag: event.tag.as_deref(),
        digest: event.digest.as_deref(),
        pushed_at: event.pushed_at.map(|time| time.to_rfc3339()),
        commit: event.commit.as_deref(),
        run: event.run.as_deref(),
        result: event.result.as_deref(),
        body: (!tells_apart).then_some((body_hash, index)),
    };
    let delivery =
        delivery_id.map(|id| DedupKey { hash: hash(&("delivery", id, index)), by: KeySource::DeliveryId });
    std::iter::once(DedupKey { hash: hash(&content), by }).chain(delivery).collect()
}

/// Written as JSON, so that no two contents give the same bytes.
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
    fn the_same_delivery_repeated_is_the_same() {
        let mut event = push("v1");
        let first = dedup_keys(Some("guid"), &event, "body", 0);
        event.received_at = DateTime::from_timestamp(99, 0).unwrap();
        assert_eq!(dedup_keys(Some("guid"), &event, "body", 0), first);
        assert_eq!(first.len(), 2);
        assert!(first.iter().all(|identity| identity.hash.len() == 64));
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
    fn where_nothing_else_tells_the_body_does() {
        assert_eq!(content(&push("v1"), "body"), content(&push("v1"), "body"));
        assert_ne!(content(&push("v1"), "body"), content(&push("v1"), "another body"));
        assert_eq!(dedup_keys(None, &push("v1"), "body", 0)[0].by, KeySource::Body);
        let mut dated = push("v1");
        dated.pushed_at = DateTime::from_timestamp(1, 0);
        assert_eq!(dedup_keys(None, &dated, "body", 0)[0].by, KeySource::Content);
    }

    #[test]
    fn every_member_that_tells_makes_a_difference() {
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
            |event| event.result = Some("v1".to_owned()),
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
    fn the_places_of_a_batch_are_deliveries_of_their_own() {
        let event = push("v1");
        let place = |index| dedup_keys(Some("guid"), &event, "body", index)[1].clone();
        assert_ne!(place(0), place(1));
    }
}
