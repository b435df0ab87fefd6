//! Tests of the version map: tables and properties.

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_954_600_i64.saturating_add(seconds), 0).unwrap()
}

fn event(kind: EventKind, members: &Value) -> NormalisedEvent {
    let mut whole = json!({"kind": kind, "repository": "myorg/myapp", "tag": "v1.2.0",
        "receivedAt": "2026-01-09T10:30:00Z"});
    crate::domain::shared::merge_patch::merge(&mut whole, members);
    serde_json::from_value(whole).unwrap()
}

/// Applies an event that was received after so many seconds.
fn apply(current: Option<&TagState>, event: &NormalisedEvent, seconds: i64) -> Change {
    let event = NormalisedEvent { received_at: at(seconds), time_is_push: true, ..event.clone() };
    let source = Source::of(Uuid::nil().into(), "generic", &event);
    change(current, &event, version_tag(&event).unwrap(), "stable", source, at(seconds))
}

fn push(current: Option<&TagState>, members: &Value) -> Change {
    apply(current, &event(EventKind::ArtifactPushed, members), 1)
}

fn added(kind: EventKind, members: &Value) -> TagState {
    match apply(None, &event(kind, members), 0) {
        Change::Added(state) => state,
        other => panic!("{other:?}"),
    }
}

fn name(change: &Change) -> &'static str {
    match change {
        Change::Added(_) => "added",
        Change::Retagged(_) => "retagged",
        Change::Completed(_) => "completed",
        Change::Learnt(_) => "learnt",
        Change::Older(_) => "older",
        Change::Deleted(_) => "deleted",
        Change::Unchanged => "unchanged",
    }
}

#[test]
fn a_push_is_compared_with_what_the_tag_points_at() {
    let (a, b) = (json!({"digest": "sha256:a"}), json!({"digest": "sha256:b"}));
    let (ten, eleven) =
        (json!({"pushedAt": "2026-01-09T10:00:00Z"}), json!({"pushedAt": "2026-01-09T11:00:00Z"}));
    for (before, now, expected) in [
        (&a, &a, "learnt"),
        (&a, &b, "retagged"),
        (&b, &json!({"digest": "sha256:a", "pushedAt": "2026-01-09T10:00:00Z"}), "older"),
        (&ten, &ten, "unchanged"),
        (&ten, &eleven, "retagged"),
        (&eleven, &ten, "older"),
        (&ten, &json!({}), "retagged"),
        (&json!({}), &ten, "older"),
        (&json!({}), &json!({}), "retagged"),
        (&a, &json!({}), "retagged"),
        (&json!({}), &a, "retagged"),
        (&a, &ten, "older"),
    ] {
        let state = added(EventKind::ArtifactPushed, before);
        assert_eq!(name(&push(Some(&state), now)), expected, "{before} then {now}");
    }
}

#[test]
fn a_git_tag_is_compared_by_its_commit_across_several_events() {
    let (a, b) = (json!({"commit": "aaaaaaa"}), json!({"commit": "bbbbbbb"}));
    let (ten, eleven) =
        (json!({"pushedAt": "2026-01-09T10:00:00Z"}), json!({"pushedAt": "2026-01-09T11:00:00Z"}));
    let both = json!({"commit": "aaaaaaa", "pushedAt": "2026-01-09T11:00:00Z"});
    for kind in [EventKind::GitTag, EventKind::Release] {
        for (before, now, expected) in [
            (&a, &a, "learnt"),
            (&a, &b, "retagged"),
            (&a, &json!({}), "unchanged"),
            (&json!({}), &a, "learnt"),
            (&ten, &both, "learnt"),
            (&both, &ten, "unchanged"),
            (&json!({}), &json!({}), "unchanged"),
            (&json!({}), &ten, "learnt"),
            (&ten, &ten, "unchanged"),
            (&ten, &eleven, "retagged"),
        ] {
            let change = apply(Some(&added(kind, before)), &event(kind, now), 1);
            assert_eq!(name(&change), expected, "{before} then {now}");
        }
    }
}

#[test]
fn later_events_are_compared_with_learnt_facts() {
    let first = added(EventKind::GitTag, &json!({}));
    let Change::Learnt(known) = apply(Some(&first), &event(EventKind::GitTag, &json!({"commit": "a"})), 1)
    else {
        panic!("not learnt")
    };
    assert_eq!((known.retags, known.revision, known.listed_at), (0, 2, first.listed_at));
    assert!(known.history.is_empty());
    let moved = apply(Some(&known), &event(EventKind::GitTag, &json!({"commit": "b"})), 2);
    assert_eq!(name(&moved), "retagged");
}

#[test]
fn moving_a_tag_there_and_back_is_two_retags_with_full_history() {
    let mut state = added(EventKind::ArtifactPushed, &json!({"digest": "sha256:a"}));
    for (seconds, digest) in [(1, "sha256:b"), (2, "sha256:a")] {
        let event = event(EventKind::ArtifactPushed, &json!({"digest": digest}));
        let Change::Retagged(next) = apply(Some(&state), &event, seconds) else { panic!("no retag") };
        state = next;
    }
    let known: Vec<Option<&str>> = state.history.iter().map(|content| content.digest.as_deref()).collect();
    assert_eq!(known, [Some("sha256:b"), Some("sha256:a")]);
    assert_eq!((state.retags, state.revision), (2, 3));
    assert_eq!(state.content.digest.as_deref(), Some("sha256:a"));
    assert_eq!(state.created_at, at(0));
}

#[test]
fn a_retag_in_the_same_instant_is_listed_after_what_it_replaces() {
    let state = added(EventKind::ArtifactPushed, &json!({"digest": "sha256:a"}));
    let other = event(EventKind::ArtifactPushed, &json!({"digest": "sha256:b"}));
    let source = Source::of(Uuid::nil().into(), "generic", &other);
    let later = NormalisedEvent { received_at: at(1), ..other };
    let change = change(Some(&state), &later, "v1.2.0", "stable", source, at(-5));
    assert_eq!(change.state().unwrap().listed_at(), at(0) + Duration::milliseconds(1));
}

#[test]
fn a_push_received_later_but_made_earlier_is_history_and_moves_nothing() {
    let pushed = |digest: &str, minute: u8| json!({"digest": digest, "pushedAt": format!("2026-01-09T10:{minute:02}:00Z")});
    let newest = added(EventKind::ArtifactPushed, &pushed("sha256:b", 20));
    let Change::Older(state) = push(Some(&newest), &pushed("sha256:a", 10)) else { panic!("not older") };
    assert_eq!(state.content, newest.content);
    assert_eq!((state.retags, state.listed_at(), state.history_size), (0, newest.listed_at(), 1));
    assert_eq!(state.history[0].digest.as_deref(), Some("sha256:a"));
    assert_eq!(push(Some(&state), &pushed("sha256:a", 10)), Change::Unchanged);
}

#[test]
fn a_pre_release_that_becomes_final_is_a_new_version_and_not_the_other_way_round() {
    let marked = |prerelease: bool| json!({"commit": "a", "pushedAt": "2026-01-09T10:00:00Z", "prerelease": prerelease});
    let first = added(EventKind::Release, &marked(true));
    let Change::Retagged(last) = apply(Some(&first), &event(EventKind::Release, &marked(false)), 1) else {
        panic!("not a new version")
    };
    assert_eq!(last.retags, 1);
    assert_eq!(apply(Some(&last), &event(EventKind::Release, &marked(true)), 2), Change::Unchanged);
}

#[test]
fn a_tag_that_awaits_its_commit_is_completed_once() {
    let created = NormalisedEvent { awaits_commit: true, ..event(EventKind::GitTag, &json!({})) };
    let Change::Added(first) = apply(None, &created, 0) else { panic!("not added") };
    assert!(first.awaits_commit);
    let pushed = event(EventKind::GitTag, &json!({"commit": "a", "before": "0"}));
    let Change::Completed(state) = apply(Some(&first), &pushed, 1) else { panic!("not completed") };
    assert_eq!((state.content.commit.as_deref(), state.retags, state.awaits_commit), (Some("a"), 0, false));
    assert_eq!(apply(Some(&state), &created, 2), Change::Unchanged);
}

#[test]
fn a_deleted_tag_is_not_current_and_the_next_push_is_a_move() {
    let state = added(EventKind::ArtifactPushed, &json!({"digest": "sha256:a"}));
    let deleted = |digest: Option<&str>, seconds| {
        let event = event(EventKind::ArtifactDeleted, &json!({ "digest": digest }));
        NormalisedEvent { received_at: at(seconds), ..event }
    };
    assert_eq!(deletion(Some(&state), &deleted(None, -1)), Err("older"));
    assert!(deletion(Some(&state), &deleted(Some("sha256:b"), 1)).is_err());
    assert!(deletion(None, &deleted(None, 1)).is_err());
    let Ok(Change::Deleted(gone)) = deletion(Some(&state), &deleted(Some("sha256:a"), 1)) else {
        panic!("not deleted")
    };
    assert!(!gone.is_current() && json!(gone.view())["deletedAt"].is_string());
    let again = apply(Some(&gone), &event(EventKind::ArtifactPushed, &json!({"digest": "sha256:a"})), 2);
    assert_eq!(name(&again), "retagged");
    assert_eq!(again.state().unwrap().retags, 1);
    assert_eq!(json!(again.state().unwrap().view()).get("deletedAt"), None);
}

#[test]
fn a_state_of_a_former_version_has_its_place_by_the_time_of_the_push() {
    let stored = json!({"tag": "v1", "kind": "artifact.pushed", "digest": "sha256:b", "channel": "stable",
        "pushedAt": "2026-01-09T10:20:00Z", "since": "2026-01-09T10:29:00Z", "createdAt": "2026-01-09T10:00:00Z",
        "source": {"configId": Uuid::nil(), "provider": "harbor", "repository": "o/app"}, "retags": 0, "revision": 1});
    let state: TagState = serde_json::from_value(stored).unwrap();
    let pushed = |time: &str| json!({"tag": "v1", "digest": "sha256:a", "pushedAt": time});
    assert_eq!(name(&push(Some(&state), &pushed("2026-01-09T10:19:00Z"))), "older");
    assert_eq!(name(&push(Some(&state), &pushed("2026-01-09T10:21:00Z"))), "retagged");
}

#[test]
fn only_events_with_a_real_tag_make_a_version() {
    let hex = "a".repeat(64);
    let long = "a".repeat(257);
    for (kind, tag, expected) in [
        (EventKind::ArtifactPushed, Some("v1"), true),
        (EventKind::GitTag, Some("v1"), true),
        (EventKind::Release, Some("v1"), true),
        (EventKind::CiFinished, Some("v1"), false),
        (EventKind::ArtifactDeleted, Some("v1"), false),
        (EventKind::GitPush, Some("v1"), false),
        (EventKind::PullRequest, Some("v1"), false),
        (EventKind::Ping, Some("v1"), false),
        (EventKind::ArtifactPushed, None, false),
        (EventKind::ArtifactPushed, Some(""), false),
        (EventKind::ArtifactPushed, Some(&*long), false),
        (EventKind::ArtifactPushed, Some("a\nb"), false),
        (EventKind::ArtifactPushed, Some("sha256:abc"), false),
        (EventKind::ArtifactPushed, Some(&*format!("sha256-{hex}.sig")), false),
        (EventKind::ArtifactPushed, Some(&*format!("sha256-{hex}.att")), false),
        (EventKind::ArtifactPushed, Some(&*format!("sha256-{hex}.sbom")), false),
        (EventKind::ArtifactPushed, Some(&*format!("sha256-{hex}")), true),
        (EventKind::ArtifactPushed, Some("sha256-abc.sig"), true),
        (EventKind::GitTag, Some(&*format!("sha256-{hex}.sig")), true),
    ] {
        let event = event(kind, &json!({"tag": tag}));
        assert_eq!(version_tag(&event).is_ok(), expected, "{kind:?} {tag:?}");
    }
}

#[test]
fn a_view_is_as_the_contract_has_it() {
    let first = added(
        EventKind::ArtifactPushed,
        &json!({"digest": "sha256:a", "pushedAt": "2026-01-09T10:00:00Z", "registry": "ghcr.io"}),
    );
    let second = push(Some(&first), &json!({"commit": "5f3c1d2"}));
    let source = json!({"configId": Uuid::nil(), "provider": "generic", "repository": "myorg/myapp"});
    let mut known_source = source.clone();
    known_source["registry"] = json!("ghcr.io");
    let expected = json!({
        "tag": "v1.2.0", "digest": null, "digestValid": false, "channel": "stable", "kind": "artifact.pushed",
        "commit": "5f3c1d2", "pushedAt": null, "source": source, "createdAt": "2026-01-09T10:30:01.000Z",
        "firstSeenAt": "2026-01-09T10:30:00.000Z", "retags": 1, "historyDropped": 0,
        "history": [{"digest": "sha256:a", "digestValid": false, "channel": "stable",
            "pushedAt": "2026-01-09T10:00:00.000Z", "source": known_source,
            "createdAt": "2026-01-09T10:30:00.000Z", "reason": "older"}],
    });
    assert_eq!(json!(second.state().unwrap().view()), expected);
}

#[test]
fn a_tag_with_all_its_history_stays_small() {
    let digest = |number: usize| {
        json!({"digest": format!("sha256:{number:064x}"), "digestValid": true, "registry": "registry.example",
            "pushedAt": format!("2026-01-09T10:{:02}:{:02}.123456789Z", number / 60 % 60, number % 60), "commit": "c".repeat(40)})
    };
    let mut state = added(EventKind::ArtifactPushed, &digest(0));
    for number in 1..100 {
        state = push(Some(&state), &digest(number)).state().unwrap().clone();
    }
    let bytes = serde_json::to_vec(&state).unwrap().len();
    assert!(bytes < 12 * 1024, "{bytes}");
    assert_eq!((state.history.len(), state.history_dropped, state.retags), (20, 79, 99));
}

fn events() -> impl Strategy<Value = NormalisedEvent> {
    let kinds = [EventKind::ArtifactPushed, EventKind::GitTag, EventKind::Release];
    let digests = proptest::option::of("sha256:[ab]");
    let (times, commits) = (proptest::option::of(0..3_i64), proptest::option::of("[ab]"));
    (0..kinds.len(), digests, times, commits).prop_map(move |(kind, digest, time, commit)| {
        let mut event = event(kinds[kind], &json!({}));
        event.digest = digest;
        event.pushed_at = time.map(at);
        event.commit = commit;
        event
    })
}

proptest! {
    #[test]
    fn the_same_request_twice_changes_nothing_if_it_has_its_content(later in events(), before in events()) {
        let before = NormalisedEvent { kind: later.kind, ..before };
        let first = added(before.kind, &serde_json::to_value(&before).unwrap());
        let once = apply(Some(&first), &later, 1);
        let state = once.state().unwrap_or(&first);
        let twice = apply(Some(state), &later, 1);
        let later_push = apply(Some(state), &later, 2);
        if later.kind != EventKind::ArtifactPushed || later.digest.is_some() || later.pushed_at.is_some() {
            prop_assert_eq!(twice, Change::Unchanged);
        } else {
            prop_assert_eq!(later_push.version().map(|state| state.retags), Some(state.retags.saturating_add(1)));
        }
    }

    #[test]
    fn history_drops_the_oldest_entries_and_counts_them(pushes in 1..130_usize) {
        let digest = |number: usize| format!("sha256:{number}");
        let mut state = added(EventKind::ArtifactPushed, &json!({"digest": digest(0)}));
        for number in 1..=pushes {
            let event = event(EventKind::ArtifactPushed, &json!({"digest": digest(number)}));
            state = apply(Some(&state), &event, i64::try_from(number).unwrap()).state().unwrap().clone();
        }
        prop_assert_eq!(state.retags as usize, pushes);
        prop_assert_eq!(pushes.saturating_sub(state.history.len()), state.history_dropped as usize);
        prop_assert_eq!(state.history.len(), pushes.min(20));
        for (ago, content) in state.history.iter().enumerate() {
            prop_assert_eq!(content.digest.clone(), Some(digest(pushes.saturating_sub(ago).saturating_sub(1))));
        }
    }

    #[test]
    fn a_stored_tag_reads_back(later in events()) {
        let state = added(later.kind, &serde_json::to_value(&later).unwrap());
        let change = apply(Some(&state), &NormalisedEvent { digest: Some("sha256:z".into()), ..later }, 1);
        let state = change.state().cloned().unwrap_or(state);
        let stored = serde_json::to_value(&state).unwrap();
        prop_assert_eq!(serde_json::from_value::<TagState>(stored).unwrap(), state);
    }

    #[test]
    fn different_tags_and_kinds_have_different_places(a in ".{0,5}", b in ".{0,5}", k in 0..8_usize, l in 0..8_usize) {
        let (k, l) = (EventKind::ALL[k].1, EventKind::ALL[l].1);
        // A deletion is about the version that a push made.
        let made_by = |kind| if kind == EventKind::ArtifactDeleted { EventKind::ArtifactPushed } else { kind };
        prop_assert_eq!(place(k, &a) == place(l, &b), made_by(k) == made_by(l) && a == b);
    }
}
