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
    /// The identity for which there is one release only. See [`release::identity`].
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
        Self { releases, reason, release_id, ..self }
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
        reason.push_str(": none is for ");
        reason.push_str(event.kind.name());
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
#[path = "decision_tests.rs"]
mod tests;
