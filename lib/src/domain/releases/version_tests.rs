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

fn apply(current: Option<&TagState>, event: &NormalisedEvent, seconds: i64) -> Change {
    let source = Source::of(Uuid::nil().into(), "generic", event);
    change(current, event, version_tag(event).unwrap(), "stable", source, at(seconds))
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
        Change::Learnt(_) => "learnt",
        Change::Unchanged => "unchanged",
    }
}

#[test]
fn a_push_is_compared_with_what_the_tag_points_at() {
    let (a, b) = (json!({"digest": "sha256:a"}), json!({"digest": "sha256:b"}));
    let (ten, eleven) =
        (json!({"pushedAt": "2026-01-09T10:00:00Z"}), json!({"pushedAt": "2026-01-09T11:00:00Z"}));
    for (before, now, expected) in [
        (&a, &a, "unchanged"),
        (&a, &b, "retagged"),
        (&a, &json!({"digest": "sha256:a", "pushedAt": "2026-01-09T11:00:00Z"}), "unchanged"),
        (&ten, &ten, "unchanged"),
        (&ten, &eleven, "retagged"),
        (&ten, &json!({}), "retagged"),
        (&json!({}), &ten, "retagged"),
        (&json!({}), &json!({}), "retagged"),
        (&a, &json!({}), "retagged"),
        (&json!({}), &a, "retagged"),
        (&a, &ten, "retagged"),
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
            (&a, &a, "unchanged"),
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
    assert_eq!((known.retags, known.revision, known.content.since), (0, 2, first.content.since));
    assert!(known.history.is_empty());
    let moved = apply(Some(&known), &event(EventKind::GitTag, &json!({"commit": "b"})), 2);
    assert_eq!(name(&moved), "retagged");
}

#[test]
fn moving_a_tag_there_and_back_is_two_retags_with_full_history() {
    let mut state = added(EventKind::ArtifactPushed, &json!({"digest": "sha256:a"}));
    for digest in ["sha256:b", "sha256:a"] {
        let Change::Retagged(next) = push(Some(&state), &json!({"digest": digest})) else {
            panic!("no retag")
        };
        state = next;
    }
    let known: Vec<Option<&str>> = state.history.iter().map(|content| content.digest.as_deref()).collect();
    assert_eq!(known, [Some("sha256:b"), Some("sha256:a")]);
    assert_eq!((state.retags, state.revision), (2, 3));
    assert_eq!(state.content.digest.as_deref(), Some("sha256:a"));
    assert_eq!(state.created_at, at(0));
}

#[test]
fn a_retag_in_the_same_instant_sorts_after_what_it_replaces() {
    let state = added(EventKind::ArtifactPushed, &json!({"digest": "sha256:a"}));
    let change = apply(Some(&state), &event(EventKind::ArtifactPushed, &json!({"digest": "sha256:b"})), -5);
    assert_eq!(change.state().unwrap().content.since, at(0) + Duration::milliseconds(1));
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
            "createdAt": "2026-01-09T10:30:00.000Z"}],
    });
    assert_eq!(json!(second.state().unwrap().view()), expected);
}

#[test]
fn a_tag_with_all_its_history_stays_small() {
    let digest = |number: usize| {
        json!({"digest": format!("sha256:{number:064x}"), "digestValid": true,
        "registry": "registry.example", "pushedAt": "2026-01-09T10:00:00.123456789Z", "commit": "c".repeat(40)})
    };
    let mut state = added(EventKind::ArtifactPushed, &digest(0));
    for number in 1..100 {
        state = push(Some(&state), &digest(number)).state().unwrap().clone();
    }
    let bytes = serde_json::to_vec(&state).unwrap().len();
    assert!(bytes < 10 * 1024, "{bytes}");
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
    fn the_same_event_twice_changes_nothing_if_it_has_its_content(later in events(), before in events()) {
        let before = NormalisedEvent { kind: later.kind, ..before };
        let first = added(before.kind, &serde_json::to_value(&before).unwrap());
        let once = apply(Some(&first), &later, 1);
        let state = once.state().unwrap_or(&first);
        let twice = apply(Some(state), &later, 2);
        if later.kind != EventKind::ArtifactPushed || later.digest.is_some() || later.pushed_at.is_some() {
            prop_assert_eq!(twice, Change::Unchanged);
        } else {
            prop_assert_eq!(name(&twice), "retagged");
        }
    }

    #[test]
    fn history_drops_the_oldest_entries_and_counts_them(pushes in 1..130_usize) {
        let digest = |number: usize| format!("sha256:{number}");
        let mut state = added(EventKind::ArtifactPushed, &json!({"digest": digest(0)}));
        for number in 1..=pushes {
            state = push(Some(&state), &json!({"digest": digest(number)})).state().unwrap().clone();
        }
        prop_assert_eq!(state.retags as usize, pushes);
        prop_assert_eq!(pushes.saturating_sub(state.history.len()), state.history_dropped as usize);
        prop_assert_eq!(state.history.len(), pushes.min(MAX_HISTORY));
        for (ago, content) in state.history.iter().enumerate() {
            prop_assert_eq!(content.digest.clone(), Some(digest(pushes.saturating_sub(ago).saturating_sub(1))));
        }
        let mut times = state.history.iter().map(|content| content.since).rev().chain([state.content.since]);
        let first = times.next().unwrap();
        prop_assert!(times.try_fold(first, |before, time| (before < time).then_some(time)).is_some());
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
        prop_assert_eq!(place(k, &a) == place(l, &b), k == l && a == b);
    }
}
