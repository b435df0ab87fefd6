//! The decision: what one normalised event changes at one component.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::channel::channel_of;
use super::component::Component;
use super::release::{self, Release, ReleasedComponent, ReleasingTrigger, Status, identity};
use super::trigger::Trigger;
use super::version::{self, Change, OLDER, Source, TagState, version_tag};
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::outbound::event::Event;
use crate::domain::outbound::event_type::EventType;
use crate::domain::shared::expression::Budget;
use crate::domain::shared::ids::{EventId, ReceiptId, ReleaseId};

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

/// Why there is no release: there is one already.
pub const RELEASE_EXISTS: &str = "Release exists";

/// Why a tag's first event has no release yet.
const AWAITS_COMMIT: &str =
    "The sender reports this tag by a push event as well, which has the commit: it activates the triggers";

/// The longest reason, in bytes.
const MAX_REASON: usize = 600;

/// What one normalised event changes at one component. All of it is written in one transaction; see the
/// [module](super).
///
/// | `change` | `releases` | |
/// |---|---|---|
/// | `Added`, `Retagged`, `Completed` | of the triggers that want the version | a new version, or its commit |
/// | `Learnt`, `Older`, `Deleted` | none | only the tag's state changes |
/// | `Unchanged` | none | the push is known |
/// | `None` | of the triggers that want the pipeline | a finished pipeline |
/// | `None` | none | no version and no trigger, or a tag that the component does not take |
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The change of the tag. `None` if the event makes no version.
    pub change: Option<Change>,
    /// The releases to create, at most one for each trigger.
    pub releases: Vec<PlannedRelease>,
    /// Why there is no version or no release, for a person.
    pub reason: Option<String>,
    /// The release that exists already.
    pub release_id: Option<ReleaseId>,
    /// Whether the component takes the event. Otherwise its tag begins with none of the component's prefixes.
    pub is_taken: bool,
}

impl Decision {
    fn nothing(change: Option<Change>, reason: impl Into<String>) -> Self {
        Self { change, releases: Vec::new(), reason: Some(reason.into()), release_id: None, is_taken: true }
    }

    /// The decision without those of its releases that exist already, of which the first is `release_id`.
    #[must_use]
    pub fn without_existing(self, exists: impl Fn(&str) -> Option<ReleaseId>) -> Self {
        let mut release_id = self.release_id;
        let mut releases = self.releases;
        releases.retain(|planned| {
            let existing = exists(&planned.identity);
            release_id = release_id.or(existing);
            existing.is_none()
        });
        let is_done = releases.is_empty() && release_id.is_some();
        let reason = if is_done { Some(RELEASE_EXISTS.to_owned()) } else { self.reason };
        Self { releases, release_id, reason, ..self }
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

/// One event at one component, with what a decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The component.
    pub component: &'a Component,
    /// The event.
    pub event: &'a NormalisedEvent,
    /// The sender's body.
    pub payload: &'a Value,
    /// The state of the component's tag of this kind (see [`place`](version::place)).
    pub current: Option<&'a TagState>,
    /// Where the event came in.
    pub source: &'a Source,
    /// The receipt of the request; a preview has none.
    pub receipt: Option<ReceiptId>,
    /// The current time.
    pub now: DateTime<Utc>,
}

/// Decides what an event changes at a component. `mint` gives version 7 UUIDs of now, two for each release.
///
/// Triggers are evaluated for a version that is new or moved, and for a finished pipeline. The same content
/// under the same tag creates no release, and neither does an older push or a deletion. Expressions have the
/// `budget` of the event.
#[must_use]
pub fn decide(facts: &Facts<'_>, budget: &mut Budget, mint: impl FnMut() -> Uuid) -> Decision {
    let Facts { component, event, current, source, now, .. } = *facts;
    budget.next_owner();
    let rest = match component.spec.tag_prefixes.select(event) {
        Ok(rest) => rest,
        Err(reason) => return Decision { is_taken: false, ..Decision::nothing(None, reason) },
    };
    if event.deleted || event.kind == EventKind::ArtifactDeleted {
        return match version::deletion(current, event) {
            Ok(change) => Decision {
                change: Some(change),
                releases: Vec::new(),
                reason: None,
                release_id: None,
                is_taken: true,
            },
            Err(reason) => Decision::nothing(None, reason),
        };
    }
    let rules = &component.spec.channel_rules;
    let channel = rest.map(|rest| channel_of(rules, rest, budget));
    let channel = channel.as_deref();
    let mut change = match version_tag(event) {
        Ok(tag) => {
            let change =
                version::change(current, event, tag, channel.unwrap_or_default(), source.clone(), now);
            if let Some(decision) = unreleased(&change, current, event) {
                return Decision { change: Some(change), ..decision };
            }
            Some(change)
        }
        Err(_) if event.kind == EventKind::CiFinished => None,
        Err(reason) => return Decision::nothing(None, reason),
    };
    let (activated, refusals) = activated(facts, rest, channel, budget);
    let retags = change.as_ref().and_then(Change::state).map_or(0, |state| state.retags);
    let releases = planned(facts, rest, channel, &activated, retags, mint);
    if let Some(state) = change.as_mut().and_then(Change::state_mut) {
        state.releases = releases.iter().map(|planned| planned.release.id).collect();
    }
    let reason = releases.is_empty().then(|| no_trigger(event, &refusals));
    Decision { change, releases, reason, release_id: None, is_taken: true }
}

/// The decision about a change that no trigger is evaluated for.
fn unreleased(change: &Change, current: Option<&TagState>, event: &NormalisedEvent) -> Option<Decision> {
    match change {
        Change::Added(state) if state.awaits_commit => Some(Decision::nothing(None, AWAITS_COMMIT)),
        Change::Added(_) | Change::Retagged(_) | Change::Completed(_) => None,
        Change::Older(_) | Change::Deleted(_) => Some(Decision::nothing(None, OLDER)),
        Change::Learnt(_) | Change::Unchanged => Some(known(current, event)),
    }
}

/// The decision about a push that is known.
fn known(current: Option<&TagState>, event: &NormalisedEvent) -> Decision {
    let Some(current) = current else { return Decision::nothing(None, OLDER) };
    let content = &current.content;
    let is_other = |known: &Option<String>, pushed: &Option<String>| pushed.is_some() && known != pushed;
    if is_other(&content.digest, &event.digest)
        || is_other(&content.commit, &event.commit)
        || !current.is_current()
    {
        return Decision::nothing(None, OLDER);
    }
    match current.releases.first() {
        Some(id) => Decision { release_id: Some(*id), ..Decision::nothing(None, RELEASE_EXISTS) },
        None => Decision::nothing(None, "The tag points at this already"),
    }
}

/// Why no trigger was activated, with the reason of each that is for this kind of event.
fn no_trigger(event: &NormalisedEvent, refusals: &[String]) -> String {
    let what = if event.kind == EventKind::CiFinished { "pipeline" } else { "version" };
    let mut reason = format!("No trigger of the component wants this {what}");
    if refusals.is_empty() {
        reason.push_str(&format!(": none is for {}", event.kind.name()));
    }
    for (number, refusal) in refusals.iter().enumerate() {
        reason.push_str(if number == 0 { ": " } else { "; " });
        reason.push_str(refusal);
        if reason.len() > MAX_REASON {
            reason.truncate(reason.floor_char_boundary(MAX_REASON));
            reason.push('…');
            break;
        }
    }
    reason
}

/// The triggers that the event activates; of the others that are for its kind, the name and why not.
fn activated<'a>(
    facts: &Facts<'a>,
    rest: Option<&str>,
    channel: Option<&str>,
    budget: &mut Budget,
) -> (Vec<&'a Trigger>, Vec<String>) {
    let document = facts.event.document(facts.payload);
    let (mut activated, mut refusals) = (Vec::new(), Vec::new());
    for trigger in facts.component.triggers.iter().filter(|trigger| trigger.spec.on == facts.event.kind) {
        budget.next_owner();
        match trigger.refusal(facts.event, rest, channel, document.root(), budget) {
            None => activated.push(trigger),
            Some(reason) => refusals.push(format!("{}: {reason}", trigger.spec.name)),
        }
    }
    (activated, refusals)
}

/// A release for each activated trigger.
fn planned(
    facts: &Facts<'_>,
    rest: Option<&str>,
    channel: Option<&str>,
    activated: &[&Trigger],
    retags: u32,
    mut mint: impl FnMut() -> Uuid,
) -> Vec<PlannedRelease> {
    let Facts { component, event, now, .. } = *facts;
    let source = release::Facts::of(event, facts.source.clone(), channel);
    let plan = |trigger: &&Trigger| {
        let release = Release {
            id: ReleaseId::from(mint()),
            tenant_id: component.tenant_id,
            name: trigger.spec.release_name.render(&component.spec.name, event, rest, channel, now),
            status: Status::Created,
            components: vec![ReleasedComponent {
                id: component.id,
                name: component.spec.name.clone(),
                tag: event.tag.clone(),
                digest: event.digest.clone(),
            }],
            trigger: ReleasingTrigger { id: trigger.id, name: trigger.spec.name.clone() },
            source: source.clone(),
            created_at: now,
        };
        let (id, data) = (EventId::from(mint()), release.event_data());
        let created = Event::new(id, component.tenant_id, EventType::ReleaseCreated, now, &data);
        let identity = identity(trigger.id, event, retags, facts.receipt);
        PlannedRelease { release, identity, event: created }
    };
    activated.iter().map(plan).collect()
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
        let mut event = event(members);
        event.time_is_push = true;
        let seconds = current.map_or(0, |state| i64::try_from(state.revision).unwrap());
        event.received_at = now() + chrono::Duration::seconds(seconds);
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
        let names: Vec<&str> =
            decision.releases.iter().map(|planned| planned.release.name.as_str()).collect();
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
        assert!(
            matches!(again.change, Some(Change::Learnt(_))),
            "a later push moves the place of the content"
        );
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
