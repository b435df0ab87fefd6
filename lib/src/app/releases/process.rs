//! Processes an authenticated request: each event at each component is one transaction.
//!
//! Safe to run twice, also concurrently: the transaction contains the event's de-duplication keys, the tag at
//! the revision that was read and, if no version is added, a guard for each release. The second writer fails on
//! one of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration as Pause;

use chrono::{DateTime, Utc};

use super::case::{ComponentCase, Outcome};
use super::components::{Components, Matching};
use super::guards;
use super::push::{Halt, Push};
use super::release_rate::ReleaseRate;
use crate::app::outbound::lineages::Lineages;
use crate::app::shared::filter_failures::FilterFailures;
use crate::domain::inbound::config::Config;
use crate::domain::inbound::dedup::{DedupKey, dedup_keys};
use crate::domain::inbound::normalise::Parsed;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::receipt::{Action, Answer, EventResult, Figures, Seen};
use crate::domain::inbound::retried_request;
use crate::domain::inbound::senders::sender::Found;
use crate::domain::outbound::lineage::{MAX_HOPS, TOO_MANY_HOPS};
use crate::domain::releases::component::Component;
use crate::domain::releases::decision::{Decision, Facts, decide};
use crate::domain::releases::version::{Source, TagState, place, version_tag};
use crate::domain::shared::expression::{Budget, Failures};
use crate::domain::shared::filter;
use crate::domain::shared::ids::{ComponentId, EventId, ReleaseId};
use crate::domain::shared::release_rate::Turn;
use crate::environment::Environment;
use crate::error::Error;
use crate::random;
use crate::secrets::keyring::Keyring;
use crate::store::{Key, Store, item, keys};

/// How often a decision is repeated because others wrote in between.
const MAX_TRIES: u32 = 12;

/// Why an event is ignored that the sender made longer ago than the config allows.
const TOO_OLD: &str = "Too old";

/// The tags that point at each digest.
type TagsByDigest = BTreeMap<String, Vec<String>>;

/// Those of the components that a request has asked for so far: a request may have 200 deletions by digest.
type Listed = BTreeMap<ComponentId, TagsByDigest>;

/// Processes parsed requests.
pub struct Processor {
    store: Store,
    components: Components,
    /// Where failed expressions are counted. `None` in a replay, whose caller sees the failures at once.
    failures: Option<FilterFailures>,
    lineages: Lineages,
    rate: ReleaseRate,
}

impl Processor {
    /// Processes into the tables of `store`, and verifies hops with the keys of `keyring`.
    ///
    /// # Errors
    /// `Fault` if a variable is missing.
    pub fn of(environment: &Environment, store: &Store, keyring: &Keyring) -> Result<Self, Error> {
        Ok(Self {
            store: store.clone(),
            components: Components::new(store.clone()),
            failures: None,
            lineages: Lineages::new(keyring.clone()),
            rate: ReleaseRate::of(environment, store)?,
        })
    }

    /// Also counts the expressions that fail.
    #[must_use]
    pub fn counting(self, failures: FilterFailures) -> Self {
        Self { failures: Some(failures), ..self }
    }

    /// The tables that it writes.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Processes every event of a request.
    ///
    /// # Errors
    /// [`Halt::Failed`] if DynamoDB does not answer, [`Halt::Wait`] if a component has to wait for a release
    /// slot. Events that were processed stay so, and a repetition processes the rest.
    pub async fn process(&self, push: &Push<'_>) -> Result<Answer, Halt> {
        self.count(push.config, push.parsed.failures.clone()).await;
        let events = match &push.parsed.found {
            Found::Ping => return Ok(Answer::Pong),
            Found::Handshake { validation_code } => return Ok(Answer::Handshake(validation_code.clone())),
            Found::Ignored(reason) => return Ok(Answer::Ignored(reason.clone())),
            Found::Events(events) => events,
        };
        let hops = self.lineages.hops(push.headers, push.now).await?;
        if hops > MAX_HOPS {
            return Ok(Answer::Ignored(TOO_MANY_HOPS.to_owned()));
        }
        let mut results = Vec::new();
        let mut listed = Listed::new();
        for (index, event) in events.iter().enumerate() {
            let mut budget = Budget::default();
            let delivery_id = push.parsed.delivery_id.as_deref();
            let dedup_keys = dedup_keys(delivery_id, event, push.body_hash, index);
            let actions = self.event(push, hops, event, &dedup_keys, &mut budget, &mut listed).await?;
            self.count(push.config, budget.take_failures()).await;
            for action in actions {
                results.push(EventResult {
                    kind: event.kind,
                    repository: event.repository.clone(),
                    tag: event.tag.clone(),
                    action,
                });
            }
            // The expressions of one event are the most that other requests wait for.
            tokio::task::yield_now().await;
        }
        Ok(Answer::Results(retried_request::merge_retries(results, push.receipt)))
    }

    /// Counts failed expressions of the config, where its owner sees them.
    async fn count(&self, config: &Config, failed: Option<Failures>) {
        if let (Some(failures), Some(failed)) = (&self.failures, failed) {
            failures.record(keys::config_state(config.tenant_id, config.id), failed).await;
        }
    }

    async fn event(
        &self,
        push: &Push<'_>,
        hops: u32,
        event: &NormalisedEvent,
        dedup_keys: &[DedupKey],
        budget: &mut Budget,
        listed: &mut Listed,
    ) -> Result<Vec<Action>, Halt> {
        let Push { config, parsed, .. } = *push;
        if let Err(reason) = admit(config, parsed, event, budget) {
            return Ok(vec![Action::ignored(reason)]);
        }
        if !push.is_replay && is_too_old(config, event) {
            return Ok(vec![Action::ignored(TOO_OLD)]);
        }
        let Matching { components, no_match } = self.components.of(config.tenant_id, event).await?;
        if let Some(reason) = no_match {
            return Ok(vec![Action::ignored(reason)]);
        }
        let mut actions = Vec::new();
        for component in &components {
            let case = ComponentCase {
                config,
                parsed,
                event,
                component,
                receipt: push.receipt,
                dedup_keys,
                source: Source::of(config.id, config.spec.provider.name(), event),
                hops,
                turn: push.turn,
                now: push.now,
            };
            if event.kind == EventKind::ArtifactDeleted && event.tag.is_none() {
                actions.push(self.deletion_by_digest(&case, budget, listed).await?);
            } else {
                actions.push(self.case(&case, budget).await?);
            }
        }
        Ok(actions)
    }

    /// A deletion without a tag concerns every tag of the component that has the digest. Deletions are rare, so their
    /// tags are found by reading the component's list of versions, and no index is kept for them.
    async fn deletion_by_digest(
        &self,
        case: &ComponentCase<'_>,
        budget: &mut Budget,
        listed: &mut Listed,
    ) -> Result<Action, Halt> {
        let Some(digest) = &case.event.digest else {
            return Ok(Action::ignored("The event has neither tag nor digest"));
        };
        let mut action = Action::ignored("No version has this digest");
        let tags = self.tags_by_digest(case.component, listed).await?;
        for tag in tags.get(digest).into_iter().flatten() {
            let event = NormalisedEvent { tag: Some(tag.clone()), ..case.event.clone() };
            // The tags have keys of their own, so that the first one does not make duplicates of the others.
            let of_tag = |key: &DedupKey| DedupKey { hash: format!("{}#{tag}", key.hash), by: key.by };
            let dedup_keys: Vec<DedupKey> = case.dedup_keys.iter().map(of_tag).collect();
            let case = ComponentCase {
                event: &event,
                dedup_keys: &dedup_keys,
                source: case.source.clone(),
                ..*case
            };
            let single = self.case(&case, budget).await?;
            if !matches!(action, Action::Processed(_)) {
                action = single;
            }
        }
        Ok(action)
    }

    /// The component's image tags by the digests that they point at, which are read once for each request.
    async fn tags_by_digest<'l>(
        &self,
        component: &Component,
        listed: &'l mut Listed,
    ) -> Result<&'l TagsByDigest, Error> {
        match listed.entry(component.id) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                let partition = keys::versions(component.tenant_id, component.id);
                let versions: Vec<TagState> = self.store.core.all(&partition, "VERSION#").await?;
                let mut tags = TagsByDigest::new();
                for version in versions {
                    if let (EventKind::ArtifactPushed, Some(digest)) = (version.kind, version.content.digest)
                    {
                        tags.entry(digest).or_default().push(version.tag);
                    }
                }
                Ok(place.insert(tags))
            }
        }
    }

    async fn case(&self, case: &ComponentCase<'_>, budget: &mut Budget) -> Result<Action, Halt> {
        let mut granted = 0_usize;
        let mut existing: BTreeMap<String, ReleaseId> = BTreeMap::new();
        if case.event.kind == EventKind::CiFinished && !case.component.has_guards {
            guards::complete(&self.store, &self.components, case.component).await?;
        }
        let before = budget.clone();
        for attempt in 1..=MAX_TRIES {
            let current = self.current(case.component, case.event).await?;
            // A repeated decision is charged once.
            *budget = before.clone();
            let decision = case.decide(current.as_ref(), budget);
            if decision.change.is_none() && !decision.releases.is_empty() {
                existing.extend(guards::existing(&self.store, case.component, &decision).await?);
            }
            let decision = decision.without_existing(|identity| existing.get(identity).copied());
            if decision.releases.is_empty() && decision.state().is_none() {
                return Ok(self.nothing_new(case, decision, current.as_ref()).await?);
            }
            let wanted = decision.releases.len();
            if let Some(turn) = self.turn(case, wanted.saturating_sub(granted)).await? {
                // What was processed before needs no slot.
                let seen = self.repeated(case, decision.state()).await?;
                return seen.map(duplicate).ok_or(Halt::Wait(turn));
            }
            granted = granted.max(wanted);
            match case.write(&self.store, &decision, current.as_ref()).await {
                Ok(Outcome::Written(figures)) => return Ok(Action::Processed(figures)),
                Ok(Outcome::Repeated(seen)) => return Ok(duplicate(seen)),
                Ok(Outcome::Overtaken(released)) => existing.extend(released),
                // Another transaction is writing the same items, which takes milliseconds.
                Err(error) if error.is_transient() && attempt < 3 => tokio::time::sleep(pause()).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::unavailable("a component is written by too many at once").into())
    }

    /// The time at which this many releases may be created, if not now.
    async fn turn(&self, case: &ComponentCase<'_>, releases: usize) -> Result<Option<Turn>, Error> {
        let component = case.component.id;
        let has_waited = case.turn.is_some_and(|turn| turn.allows(component, case.now));
        if releases == 0 || has_waited {
            return Ok(None);
        }
        let releases = u32::try_from(releases).unwrap_or(u32::MAX);
        self.rate.take(case.config.tenant_id, component, releases, case.now).await
    }

    /// The state of the event's tag.
    async fn current(
        &self,
        component: &Component,
        event: &NormalisedEvent,
    ) -> Result<Option<TagState>, Error> {
        let Some(tag) = tag_of(event) else { return Ok(None) };
        let place = place(event.kind, tag);
        self.store.core.get(&keys::tag(component.tenant_id, component.id, &place)).await
    }

    /// What an admitted event would do at each of its components, or why no component matches. Writes nothing.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn decide(
        &self,
        config: &Config,
        parsed: &Parsed,
        event: &NormalisedEvent,
        budget: &mut Budget,
        now: DateTime<Utc>,
    ) -> Result<(Vec<(ComponentId, Decision)>, Option<String>), Error> {
        let mut decisions = Vec::new();
        let Matching { components, no_match } = self.components.of(config.tenant_id, event).await?;
        for component in components {
            let current = self.current(&component, event).await?;
            let source = Source::of(config.id, config.spec.provider.name(), event);
            let (payload, current) = (&parsed.payload, current.as_ref());
            let facts =
                Facts { component: &component, event, payload, current, source: &source, receipt: None, now };
            let decision = decide(&facts, budget, || EventId::mint(now, random::bytes()).uuid());
            let existing = guards::existing(&self.store, &component, &decision).await?;
            let decision = decision.without_existing(|identity| existing.get(identity).copied());
            decisions.push((component.id, decision));
        }
        Ok((decisions, no_match))
    }

    /// The action of an event that changes nothing: a duplicate, if its de-duplication key is known.
    async fn nothing_new(
        &self,
        case: &ComponentCase<'_>,
        decision: Decision,
        current: Option<&TagState>,
    ) -> Result<Action, Error> {
        if let Some(seen) = self.repeated(case, current).await? {
            return Ok(duplicate(seen));
        }
        let Decision { change, reason, release_id, .. } = decision;
        if change.is_none() {
            let reason = reason.unwrap_or_else(|| "Nothing of interest".to_owned());
            return Ok(Action::Ignored { reason, release_id });
        }
        let component_id = Some(case.component.id);
        Ok(Action::Processed(Figures { component_id, reason, release_id, ..Figures::default() }))
    }

    /// The stored de-duplication key that the event repeats, with the tag in this state.
    async fn repeated(
        &self,
        case: &ComponentCase<'_>,
        state: Option<&TagState>,
    ) -> Result<Option<Seen>, Error> {
        let places: Vec<Key> = case.records(state).into_iter().map(|record| record.key).collect();
        for item in self.store.deliveries.get_many(&places).await? {
            let seen: Seen = item::read(item)?;
            if seen.live_until > case.event.received_at.timestamp() {
                return Ok(Some(seen));
            }
        }
        Ok(None)
    }
}

/// Whether a config admits an event: it may report on the repository, and its filters match.
///
/// # Errors
/// The reason why not, for people.
pub fn admit(
    config: &Config,
    parsed: &Parsed,
    event: &NormalisedEvent,
    budget: &mut Budget,
) -> Result<(), String> {
    if !config.spec.allows(event) {
        return Err("The webhook config may not speak for this repository".to_owned());
    }
    let document = event.document(&parsed.payload);
    budget.next_owner();
    if filter::all_match(&config.spec.filters, "", document.root(), budget) {
        return Ok(());
    }
    let reason = "The webhook config's filters do not match";
    Err(budget.failure().map_or_else(|| reason.to_owned(), |failure| format!("{reason}: {failure}")))
}

/// The tag whose state the event may change.
fn tag_of(event: &NormalisedEvent) -> Option<&str> {
    let is_deletion = event.deleted || event.kind == EventKind::ArtifactDeleted;
    if is_deletion { event.tag.as_deref() } else { version_tag(event).ok() }
}

/// Whether the sender made the event longer ago than the config allows, when it was received.
fn is_too_old(config: &Config, event: &NormalisedEvent) -> bool {
    let Some((max, at)) = config.spec.max_age().zip(event.pushed_at.filter(|_| event.time_is_push)) else {
        return false;
    };
    event.received_at.signed_duration_since(at) > max
}

fn duplicate(seen: Seen) -> Action {
    Action::Duplicate { figures: seen.figures, first_receipt_id: seen.receipt_id }
}

/// A random 5 to 30 ms, so that transactions that collided do not collide again.
fn pause() -> Pause {
    let [byte] = random::bytes::<1>();
    Pause::from_millis(u64::from(byte % 26).saturating_add(5))
}
