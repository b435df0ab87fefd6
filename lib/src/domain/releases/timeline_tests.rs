//! Laws of the order of pushes.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::inbound::normalised::NormalisedEvent;
use crate::domain::releases::content::Source;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_954_600_i64.saturating_add(seconds), 0).unwrap()
}

/// A push of an image, made at one time and received at another.
fn push(digest: u8, pushed: Option<i64>, received: i64) -> (Content, bool) {
    let mut event = NormalisedEvent::new(EventKind::ArtifactPushed, "myorg/myapp", at(received));
    event.digest = Some(format!("sha256:{digest}"));
    event.pushed_at = pushed.map(at);
    event.time_is_push = pushed.is_some();
    let config = Uuid::from_u128(u128::from(received.unsigned_abs() % 3));
    let source = Source::of(config.into(), "generic", &event);
    (Content::of(&event, "stable", source), event.time_is_push)
}

fn timeline(pushes: &[(Content, bool)]) -> Timeline {
    let mut pushes = pushes.iter().cloned();
    let mut timeline = Timeline::new(EventKind::ArtifactPushed, pushes.next().unwrap().0);
    for (content, time_is_push) in pushes {
        timeline.push(content, time_is_push);
    }
    timeline
}

fn digests(timeline: &Timeline) -> Vec<&str> {
    timeline.entries.iter().map(|entry| entry.digest.as_deref().unwrap()).collect()
}

#[test]
fn an_older_push_goes_behind_newer_ones() {
    let newest_first = timeline(&[push(3, Some(30), 31), push(1, Some(10), 32), push(2, Some(20), 33)]);
    assert_eq!(digests(&newest_first), ["sha256:3", "sha256:2", "sha256:1"]);
}

#[test]
fn a_push_between_two_of_the_same_content_parts_them() {
    let pushes = [push(1, Some(10), 11), push(1, Some(30), 31), push(2, Some(20), 32)];
    assert_eq!(digests(&timeline(&pushes[..2])), ["sha256:1"]);
    assert_eq!(digests(&timeline(&pushes)), ["sha256:1", "sha256:2", "sha256:1"]);
}

#[test]
fn each_push_keeps_its_source() {
    let pushes = [push(1, Some(10), 11), push(1, Some(30), 31), push(2, Some(20), 32)];
    let sources = timeline(&pushes).entries.into_iter().map(|entry| entry.source);
    let expected = [1, 2, 0].map(|number: usize| pushes[number].0.source.clone());
    assert_eq!(sources.collect::<Vec<_>>(), expected);
}

#[test]
fn a_time_in_the_future_counts_as_the_time_of_receipt() {
    let (future, _) = push(1, Some(9_999), 10);
    assert_eq!(future.instant().at, at(10));
}

#[test]
fn a_deletion_concerns_the_newest_push_before_it() {
    let mut deleted = timeline(&[push(1, Some(10), 10)]);
    assert!(!deleted.delete(Instant { at: at(9), received_at: at(40) }), "older than the push");
    assert!(deleted.delete(Instant { at: at(30), received_at: at(30) }));
    let (content, time_is_push) = push(2, Some(20), 41);
    deleted.push(content, time_is_push);
    assert_eq!(digests(&deleted), ["sha256:2", "sha256:1"]);
    assert!(deleted.entries[0].deleted.is_some() && deleted.entries[1].deleted.is_none());
    let (content, time_is_push) = push(2, Some(50), 50);
    deleted.push(content, time_is_push);
    assert_eq!(digests(&deleted), ["sha256:2", "sha256:2", "sha256:1"], "the same content again is a move");
    assert!(deleted.entries[0].deleted.is_none());
}

/// Pushes at times of which many are equal.
fn crowded() -> impl Strategy<Value = Vec<(Content, bool)>> {
    let one = (0..4_u8, proptest::option::of(0..10_i64), 0..20_i64);
    let one = one.prop_map(|(digest, pushed, later)| {
        push(digest, pushed, pushed.unwrap_or_default().saturating_add(later))
    });
    proptest::collection::vec(one, 1..20)
}

/// More pushes than are kept, of which each may be received twice.
fn many() -> impl Strategy<Value = Vec<(Content, bool)>> {
    let one = (0..4_u8, 0..500_i64, 0..60_i64);
    let one = one.prop_map(|(digest, pushed, later)| {
        push(
            digest,
            Some(pushed.saturating_mul(4).saturating_add(i64::from(digest))),
            later.saturating_add(2_000),
        )
    });
    proptest::collection::vec(one, 1..160)
}

fn pushes() -> impl Strategy<Value = Vec<(Content, bool)>> {
    prop_oneof![crowded(), many()]
}

proptest! {
    #[test]
    fn what_is_kept_is_a_function_of_the_set_of_pushes(
        (pushes, shuffled) in pushes().prop_flat_map(|pushes| (Just(pushes.clone()), Just(pushes).prop_shuffle())),
    ) {
        let (one, other) = (timeline(&pushes), timeline(&shuffled));
        prop_assert_eq!(&one.entries, &other.entries);
        prop_assert_eq!(&one.horizon, &other.horizon);
    }

    #[test]
    fn a_push_again_changes_nothing_of_what_is_kept(pushes in pushes()) {
        let once = timeline(&pushes);
        let twice = timeline(&[pushes.clone(), pushes].concat());
        prop_assert_eq!(once.entries, twice.entries);
    }

    #[test]
    fn the_newest_push_is_current_and_neighbours_differ(pushes in pushes()) {
        let kept = timeline(&pushes);
        // Of a push that is received twice the earlier request counts.
        let first = |content: &Content| {
            let is_same = |other: &&Content| {
                other.pushed_at.is_some() && (&other.digest, other.pushed_at) == (&content.digest, content.pushed_at)
            };
            let again = pushes.iter().map(|(other, _)| other).filter(is_same).map(Content::place).min();
            again.unwrap_or_else(|| content.place())
        };
        let newest = pushes.iter().map(|(content, _)| first(content)).max().unwrap();
        prop_assert_eq!(&kept.entries[0].digest, &Some(newest.content));
        prop_assert!(kept.entries.len() <= MAX_ENTRIES);
        prop_assert!(kept.entries.windows(2).all(|pair| pair[0].digest != pair[1].digest));
        prop_assert!(kept.entries.windows(2).all(|pair| pair[0].place() > pair[1].place()));
    }
}
