//! The decision: what one normalised event changes at one component.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::channel::channel_of;
use super::component::Component;
use super::release::{Facts, Release, ReleasedComponent, ReleasingTrigger, Status, identity};
use super::trigger::Trigger;
use super::version::{self, Change, Source, TagState, version_tag};
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::outbound::event::Event;
use crate::domain::outbound::event_type::EventType;
use crate::domain::shared::expression::Budget;
use crate::domain::shared::ids::{EventId, ReleaseId};

/// A release to create. If the event makes no version, it is created only if its [`identity`](Self::identity)
/// is new.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRelease {
    /// The release.
    pub release: Release,
    /// The identity for which there is one release only. See [`release::identity`](super::release::identity).
    pub identity: String,
    /// The domain event `release.created`, which is written in the same transaction.
    pub event: Event,
}

/// What one normalised event changes at one component. All of it is written in one transaction; see the
/// [module](super).
///
/// | `change` | `releases` | |
/// |---|---|---|
/// | `Added`, `Retagged` | of the triggers that want the version | a new version |
/// | `Learnt` | none | the tag's state has more facts |
/// | `Unchanged` | none | the tag points at this already |
/// | `None` | of the triggers that want the pipeline | a finished pipeline |
/// | `None` | none | the event makes no version and activates no trigger |
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The change of the tag. `None` if the event makes no version.
    pub change: Option<Change>,
    /// The releases to create, at most one for each trigger.
    pub releases: Vec<PlannedRelease>,
    /// Why there is no version or no release, for a person.
    pub reason: Option<&'static str>,
}

impl Decision {
    fn nothing(change: Option<Change>, reason: &'static str) -> Self {
        Self { change, releases: Vec::new(), reason: Some(reason) }
    }

    /// The state of the tag to store, if it changes.
    #[must_use]
    pub fn state(&self) -> Option<&TagState> {
        self.change.as_ref().and_then(Change::state)
    }

    /// Whether the version map gets a new version.
    #[must_use]
    pub fn adds_version(&self) -> bool {
        self.change.as_ref().is_some_and(|change| change.version().is_some())
    }
}

/// Decides what an event changes at a component. `current` is what the component's tag of this kind points at
/// (see [`place`](version::place)), `payload` is the sender's body, and `mint` gives version 7 UUIDs of
/// `now`, two for each release.
///
/// Triggers are evaluated for a version that is new or moved, and for a finished pipeline. The same content
/// under the same tag creates no release. Expressions have the `budget` of the event.
#[must_use]
#[expect(clippy::too_many_arguments, reason = "a decision depends on many facts, each of another type")]
pub fn decide(
    component: &Component,
    event: &NormalisedEvent,
    payload: &Value,
    current: Option<&TagState>,
    source: &Source,
    budget: &mut Budget,
    now: DateTime<Utc>,
    mut mint: impl FnMut() -> Uuid,
) -> Decision {
    budget.next_owner();
    let rules = &component.spec.channel_rules;
    let channel = event.tag.as_deref().map(|tag| channel_of(rules, tag, budget));
    let (change, retags, no_release) = match version_tag(event) {
        Ok(tag) => {
            let channel = channel.as_deref().unwrap_or_default();
            let change = version::change(current, event, tag, channel, source.clone(), now);
            let Some(retags) = change.version().map(|state| state.retags) else {
                return Decision::nothing(Some(change), "The tag points at this already");
            };
            (Some(change), retags, "No trigger of the component wants this version")
        }
        Err(_) if event.kind == EventKind::CiFinished => {
            (None, 0, "No trigger of the component wants this pipeline")
        }
        Err(reason) => return Decision::nothing(None, reason),
    };
    let activated = activated(component, event, payload, channel.as_deref(), budget);
    let facts = Facts::of(event, source.clone(), channel.as_deref());
    let releases: Vec<PlannedRelease> = activated
        .into_iter()
        .map(|trigger| {
            let id = ReleaseId::from(mint());
            let name = trigger.spec.release_name.render(&component.spec.name, event, channel.as_deref(), now);
            let release = Release {
                id,
                tenant_id: component.tenant_id,
                name,
                status: Status::Created,
                components: vec![ReleasedComponent {
                    id: component.id,
                    name: component.spec.name.clone(),
                    tag: event.tag.clone(),
                    digest: event.digest.clone(),
                }],
                trigger: ReleasingTrigger { id: trigger.id, name: trigger.spec.name.clone() },
                source: facts.clone(),
                created_at: now,
            };
            let data = release.event_data();
            let created =
                Event::new(EventId::from(mint()), component.tenant_id, EventType::ReleaseCreated, now, &data);
            PlannedRelease { release, identity: identity(trigger.id, event, retags), event: created }
        })
        .collect();
    let reason = releases.is_empty().then_some(no_release);
    Decision { change, releases, reason }
}

/// The triggers that the event activates.
fn activated<'a>(
    component: &'a Component,
    event: &NormalisedEvent,
    payload: &Value,
    channel: Option<&str>,
    budget: &mut Budget,
) -> Vec<&'a Trigger> {
    let document = event.document(payload);
    let mut activated = Vec::new();
    for trigger in &component.triggers {
        budget.next_owner();
        if trigger.spec.on == event.kind && trigger.refusal(event, channel, document.root(), budget).is_none()
        {
            activated.push(trigger);
        }
    }
    activated
}

#[cfg(test)]
mod tests {
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
        let whole =
            Component::new(Uuid::from_u128(1).into(), Uuid::from_u128(2).into(), spec, now()).unwrap();
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
        let event = event(members);
        let source = Source::of(Uuid::nil().into(), "generic", &event);
        let mut minted = 1000..;
        let mint = || Uuid::from_u128(minted.next().unwrap());
        let (payload, mut budget) = (json!({"from": "payload"}), Budget::default());
        super::decide(component, &event, &payload, current, &source, &mut budget, now(), mint)
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
        let names: Vec<&str> =
            decision.releases.iter().map(|planned| planned.release.name.as_str()).collect();
        assert_eq!(names, ["myapp-v1.2.0", "myapp stable"]);
        let first = &decision.releases[0];
        assert_eq!(first.release.trigger.id, Uuid::from_u128(100).into());
        assert_eq!(first.release.components[0].digest.as_deref(), Some("sha256:a"));
        assert_ne!(first.identity, decision.releases[1].identity);
        assert_eq!(decision.reason, None);
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
        assert_eq!(again.change, Some(Change::Unchanged));
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
}
