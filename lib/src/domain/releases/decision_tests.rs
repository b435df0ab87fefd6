//! Tests of decisions.

use proptest::prelude::*;
use serde_json::json;

use super::super::{component, trigger};
use super::*;
use crate::domain::shared::merge_patch::merge;

fn now() -> DateTime<Utc> {
    "2026-01-09T10:30:00Z".parse().unwrap()
}

fn component(triggers: &[Value]) -> Component {
    let spec = component::parse(&json!({"name": "myapp", "repositories": ["myorg/myapp"]})).unwrap();
    let whole = Component::new(Uuid::from_u128(1).into(), Uuid::from_u128(2).into(), spec, now()).unwrap();
    triggers.iter().zip(100..).fold(whole, |whole, (members, id)| {
        let mut body = json!({"name": "a trigger", "on": "artifact.pushed"});
        merge(&mut body, members);
        whole.with_trigger(Uuid::from_u128(id).into(), trigger::parse(&body).unwrap(), now()).unwrap()
    })
}

fn event(members: &Value) -> NormalisedEvent {
    let mut whole = json!({"kind": "artifact.pushed", "repository": "myorg/myapp", "tag": "v1.2.0",
        "digest": "sha256:a", "receivedAt": "2026-01-09T10:30:00Z"});
    merge(&mut whole, members);
    serde_json::from_value(whole).unwrap()
}

fn decide(component: &Component, members: &Value, current: Option<&TagState>) -> Decision {
    let mut event = event(members);
    event.time_is_push = true;
    let seconds = current.map_or(0, |state| i64::try_from(state.revision).unwrap());
    event.received_at = now().checked_add_signed(chrono::Duration::seconds(seconds)).unwrap();
    let source = Source::of(Uuid::nil().into(), "generic", &event);
    let mut minted = 1000..;
    let mint = || Uuid::from_u128(minted.next().unwrap());
    let (payload, mut budget) = (json!({"from": "payload"}), Budget::default());
    let (component, event, payload, source) = (component, &event, &payload, &source);
    let facts = Facts { component, event, payload, current, source, receipt: None, now: now() };
    super::decide(&facts, &mut budget, mint)
}

#[test]
fn a_new_version_activates_every_trigger_that_wants_it() {
    let component = component(&[
        json!({}),
        json!({"channels": ["rc"]}),
        json!({"on": "git.tag"}),
        json!({"filters": [{"field": "$.payload.from", "operator": "equals", "value": "payload"}],
            "releaseName": "{component} {channel}"}),
    ]);
    let decision = decide(&component, &json!({}), None);
    assert!(decision.adds_version());
    assert_eq!(decision.state().unwrap().content.channel, "stable");
    let names: Vec<&str> = decision.releases.iter().map(|planned| planned.release.name.as_str()).collect();
    assert_eq!(names, ["myapp-v1.2.0", "myapp stable"]);
    let first = &decision.releases[0];
    assert_eq!(first.release.trigger.id, Uuid::from_u128(100).into());
    assert_eq!(first.release.components[0].digest.as_deref(), Some("sha256:a"));
    assert_ne!(first.identity, decision.releases[1].identity);
    assert_eq!(decision.reason, None);
}

#[test]
fn a_component_with_prefixes_takes_its_tags_and_reads_them_without_the_prefix() {
    let mut component = component(&[
        json!({"on": "git.tag", "versionRange": "^1", "channels": ["stable"]}),
        json!({"on": "git.tag", "tagPattern": "^api/v", "releaseName": "{tag} {channel}"}),
        json!({"on": "git.tag", "tagPattern": "^v"}),
    ]);
    let body = json!({"name": "api", "tagPrefixes": ["api/", "api-"],
        "channelRules": [{"pattern": "^v2", "channel": "next"}]});
    component.spec = component::parse(&body).unwrap();
    let tag = |tag: &str| json!({"kind": "git.tag", "tag": tag, "digest": null, "commit": "5f3c1d2e9a"});
    let decision = decide(&component, &tag("api/v1.2.3"), None);
    let state = decision.state().unwrap();
    assert_eq!((state.tag.as_str(), state.content.channel.as_str()), ("api/v1.2.3", "stable"));
    let names: Vec<&str> = decision.releases.iter().map(|planned| planned.release.name.as_str()).collect();
    assert_eq!(names, ["api-v1.2.3", "v1.2.3 stable"]);
    let released = &decision.releases[0].release;
    assert_eq!(released.components[0].tag.as_deref(), Some("api/v1.2.3"));
    assert_eq!(released.event_data()["release"]["components"][0]["tag"], "api/v1.2.3");
    let next = decide(&component, &tag("api/v2.0.0"), None);
    assert_eq!(next.state().unwrap().content.channel, "next");

    let other = decide(&component, &tag("web@2.0.0"), None);
    assert!(other.change.is_none() && other.releases.is_empty() && !other.is_taken);
    let reason = other.reason.unwrap();
    assert_eq!(reason, "The component takes only tags that begin with api/, api-");
}

#[test]
fn a_pipeline_is_selected_by_its_tag_if_it_has_one() {
    let mut component = component(&[json!({"on": "ci.finished"})]);
    component.spec = component::parse(&json!({"name": "api", "tagPrefixes": ["api/"]})).unwrap();
    let releases = |tag: &Value| {
        let run = json!({"kind": "ci.finished", "digest": null, "tag": tag, "commit": "5f3c1d2e9a",
            "result": "success"});
        let decision = decide(&component, &run, None);
        decision.releases.into_iter().map(|planned| planned.release.name).collect::<Vec<String>>()
    };
    assert_eq!(releases(&Value::Null), ["api-5f3c1d2"]);
    assert_eq!(releases(&json!("api/v1.2.3")), ["api-v1.2.3"]);
    assert_eq!(releases(&json!("v1.2.3")), [""; 0]);
}

#[test]
fn each_release_has_its_own_ids_and_an_event_about_it() {
    let decision = decide(&component(&[json!({}), json!({})]), &json!({}), None);
    let mut ids = std::collections::BTreeSet::new();
    for planned in &decision.releases {
        ids.insert(planned.release.id.uuid());
        ids.insert(planned.event.id.uuid());
        let data: Value = serde_json::from_str(&planned.event.data).unwrap();
        assert_eq!(data, planned.release.event_data());
        assert_eq!(planned.event.tenant_id, planned.release.tenant_id);
        assert_eq!(EventType::ReleaseCreated.check(&data), []);
    }
    assert_eq!(ids.len(), 4);
}

#[test]
fn the_same_content_again_releases_nothing_and_a_retag_releases_again() {
    let component = component(&[json!({})]);
    let first = decide(&component, &json!({}), None);
    let again = decide(&component, &json!({}), first.state());
    assert!(matches!(again.change, Some(Change::Learnt(_))), "a later push moves the place of the content");
    assert!(again.releases.is_empty() && again.reason.is_some());
    let other = decide(&component, &json!({"digest": "sha256:b"}), first.state());
    let back = decide(&component, &json!({}), other.state());
    assert_eq!(back.state().unwrap().retags, 2);
    let identities = [&first, &other, &back].map(|decision| decision.releases[0].identity.clone());
    assert_eq!(std::collections::BTreeSet::from(identities).len(), 3);
}

#[test]
fn latest_pushed_again_without_a_digest_releases_again() {
    let component = component(&[json!({})]);
    let push = json!({"tag": "latest", "digest": null});
    let first = decide(&component, &push, None);
    let second = decide(&component, &push, first.state());
    assert_eq!(second.releases.len(), 1);
    assert_ne!(first.releases[0].identity, second.releases[0].identity);
    let careful = self::component(&[json!({"requireDigest": true})]);
    assert!(decide(&careful, &push, None).releases.is_empty());
}

#[test]
fn a_finished_pipeline_makes_no_version_and_may_make_a_release() {
    let component = component(&[json!({"on": "ci.finished"})]);
    let run = json!({"kind": "ci.finished", "tag": null, "digest": null, "commit": "5f3c1d2e9a", "result": "success"});
    let decision = decide(&component, &run, None);
    assert_eq!(decision.change, None);
    assert_eq!(decision.releases[0].release.name, "myapp-5f3c1d2");
    assert_eq!(decide(&component, &run, None).releases[0].identity, decision.releases[0].identity);
    let mut failed = run;
    failed["result"] = json!("failure");
    let decision = decide(&component, &failed, None);
    assert!(decision.releases.is_empty() && decision.reason.is_some());
}

#[test]
fn an_event_that_makes_no_version_says_why_and_activates_nothing() {
    let every: Vec<Value> =
        ["artifact.pushed", "ci.finished", "git.tag", "release"].map(|on| json!({"on": on})).into();
    let component = component(&every);
    for members in [
        json!({"tag": null}),
        json!({"tag": format!("sha256-{}.sig", "a".repeat(64))}),
        json!({"kind": "artifact.deleted"}),
        json!({"kind": "git.push"}),
        json!({"kind": "pr"}),
        json!({"kind": "ping"}),
    ] {
        let decision = decide(&component, &members, None);
        assert!(!decision.adds_version() && decision.releases.is_empty(), "{members}");
        assert!(decision.reason.is_some(), "{members}");
    }
}

#[test]
fn a_git_tag_in_two_events_releases_once() {
    let component = component(&[json!({"on": "git.tag"})]);
    let created = decide(&component, &json!({"kind": "git.tag", "digest": null}), None);
    let pushed = json!({"kind": "git.tag", "digest": null, "commit": "5f3c1d2"});
    let pushed = decide(&component, &pushed, created.state());
    assert_eq!((created.releases.len(), pushed.releases.len()), (1, 0));
    assert_eq!(pushed.state().unwrap().content.commit.as_deref(), Some("5f3c1d2"));
}

proptest! {
    #[test]
    fn a_release_is_planned_exactly_if_the_version_is_new(digests in proptest::collection::vec(0..3_u8, 1..20)) {
        let component = component(&[json!({})]);
        let mut current: Option<TagState> = None;
        let mut releases = Vec::new();
        for digest in digests {
            let decision = decide(&component, &json!({"digest": format!("sha256:{digest}")}), current.as_ref());
            prop_assert_eq!(decision.releases.len(), usize::from(decision.adds_version()));
            releases.extend(decision.releases.iter().map(|planned| planned.identity.clone()));
            current = decision.state().cloned().or(current);
        }
        prop_assert_eq!(current.unwrap().retags as usize, releases.len().saturating_sub(1));
        let identities: std::collections::BTreeSet<&String> = releases.iter().collect();
        prop_assert_eq!(identities.len(), releases.len());
    }
}
