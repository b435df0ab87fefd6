//! Processes an authenticated request: each event at each component is one transaction.
//!
//! Safe to run twice, also concurrently: the transaction contains the event's de-duplication keys, the tag at
//! the revision that was read and, if no tag changes, a guard for each release. The second writer fails on
//! one of them.

use std::collections::BTreeSet;
use std::time::Duration as Pause;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::components::Components;
use super::push::{Halt, Push};
use super::release_rate::ReleaseRate;
use crate::app::outbound::lineages::Lineages;
use crate::app::shared::filter_failures::FilterFailures;
use crate::domain::inbound::config::Config;
use crate::domain::inbound::dedup::{DedupKey, KeySource, dedup_keys};
use crate::domain::inbound::normalise::Parsed;
use crate::domain::inbound::normalised::NormalisedEvent;
use crate::domain::inbound::receipt::{
    Action, Answer, DUPLICATE_DAYS, EventResult, Figures, SAME_BODY_MINUTES, Seen,
};
use crate::domain::inbound::retried_request;
use crate::domain::inbound::senders::sender::Found;
use crate::domain::outbound::lineage::{MAX_HOPS, TOO_MANY_HOPS};
use crate::domain::releases::component::Component;
use crate::domain::releases::decision::{Decision, decide};
use crate::domain::releases::version::{Source, TagState, place, version_tag};
use crate::domain::shared::expression::{Budget, Failures};
use crate::domain::shared::filter;
use crate::domain::shared::ids::{ComponentId, EventId, ReceiptId};
use crate::domain::shared::release_rate::Turn;
use crate::environment::Environment;
use crate::error::Error;
use crate::random;
use crate::secrets::keyring::Keyring;
use crate::store::{Commit, Key, Store, Transaction, item, keys};

/// How often a decision is repeated because others wrote in between.
const MAX_TRIES: u32 = 12;

/// Processes parsed requests.
pub struct Processor {
    store: Store,
    components: Components,
    /// Where failed expressions are counted. `None` in a replay, whose caller sees the failures at once.
    failures: Option<FilterFailures>,
    lineages: Lineages,
    rate: ReleaseRate,
}

/// Marks that the release with this identity was created.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Guard {
    release_id: crate::domain::shared::ids::ReleaseId,
}

/// One event at one component.
struct ComponentCase<'a> {
    config: &'a Config,
    parsed: &'a Parsed,
    event: &'a NormalisedEvent,
    component: &'a Component,
    receipt: ReceiptId,
    /// The event's de-duplication keys, the content's first.
    dedup_keys: &'a [DedupKey],
    source: Source,
    /// The hops of the push.
    hops: u32,
    turn: Option<Turn>,
    now: DateTime<Utc>,
}

/// The result of writing a decision.
enum Outcome {
    Written(Figures),
    Repeated(Seen),
    /// Others wrote in between: the releases with these identities, or the tag.
    Overtaken(BTreeSet<String>),
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
        for (index, event) in events.iter().enumerate() {
            let mut budget = Budget::default();
            let delivery_id = push.parsed.delivery_id.as_deref();
            let dedup_keys = dedup_keys(delivery_id, event, push.body_hash, index);
            let actions = self.event(push, hops, event, &dedup_keys, &mut budget).await?;
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
    ) -> Result<Vec<Action>, Halt> {
        let Push { config, parsed, .. } = *push;
        let ignored = |reason: &str| Ok(vec![Action::Ignored { reason: reason.to_owned() }]);
        if let Err(reason) = admit(config, parsed, event, budget) {
            return ignored(&reason);
        }
        let components = self.components.of(config.tenant_id, event).await?;
        if components.is_empty() {
            return ignored("No matching component");
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
            actions.push(self.case(&case, budget).await?);
        }
        Ok(actions)
    }

    async fn case(&self, case: &ComponentCase<'_>, budget: &mut Budget) -> Result<Action, Halt> {
        let mut granted = 0_usize;
        let mut released: BTreeSet<String> = BTreeSet::new();
        let before = budget.clone();
        for attempt in 1..=MAX_TRIES {
            let current = self.current(case.component, case.event).await?;
            // A repeated decision is charged once.
            *budget = before.clone();
            let mut decision = case.decide(current.as_ref(), budget);
            decision.releases.retain(|planned| !released.contains(&planned.identity));
            if decision.releases.is_empty() && decision.state().is_none() {
                return Ok(self.nothing_new(case, &decision, current.as_ref()).await?);
            }
            let wanted = decision.releases.len();
            if let Some(turn) = self.turn(case, wanted.saturating_sub(granted)).await? {
                // What was processed before needs no slot.
                let seen = self.repeated(case, decision.state()).await?;
                return seen.map(duplicate).ok_or(Halt::Wait(turn));
            }
            granted = granted.max(wanted);
            match self.write(case, &decision, current.as_ref()).await {
                Ok(Outcome::Written(figures)) => return Ok(Action::Processed(figures)),
                Ok(Outcome::Repeated(seen)) => return Ok(duplicate(seen)),
                Ok(Outcome::Overtaken(dedup_keys)) => released.extend(dedup_keys),
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
        let Ok(tag) = version_tag(event) else { return Ok(None) };
        let place = place(event.kind, tag);
        self.store.core.get(&keys::tag(component.tenant_id, component.id, &place)).await
    }

    /// What an admitted event would do at each of its components. Writes nothing.
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
    ) -> Result<Vec<(ComponentId, Decision)>, Error> {
        let mut decisions = Vec::new();
        for component in self.components.of(config.tenant_id, event).await? {
            let current = self.current(&component, event).await?;
            let source = Source::of(config.id, config.spec.provider.name(), event);
            let mint = || EventId::mint(now, random::bytes()).uuid();
            let payload = &parsed.payload;
            let decision = decide(&component, event, payload, current.as_ref(), &source, budget, now, mint);
            decisions.push((component.id, decision));
        }
        Ok(decisions)
    }

    /// The action of an event that changes nothing: a duplicate, if its de-duplication key is known.
    async fn nothing_new(
        &self,
        case: &ComponentCase<'_>,
        decision: &Decision,
        current: Option<&TagState>,
    ) -> Result<Action, Error> {
        if let Some(seen) = self.repeated(case, current).await? {
            return Ok(duplicate(seen));
        }
        if decision.change.is_none() {
            let reason = decision.reason.unwrap_or("Nothing of interest").to_owned();
            return Ok(Action::Ignored { reason });
        }
        Ok(Action::Processed(Figures { component_id: Some(case.component.id), ..Figures::default() }))
    }

    /// The stored de-duplication key that the event repeats, with the tag in this state.
    async fn repeated(
        &self,
        case: &ComponentCase<'_>,
        state: Option<&TagState>,
    ) -> Result<Option<Seen>, Error> {
        let places: Vec<Key> = case.seen(state).into_iter().map(|(key, _)| key).collect();
        for item in self.store.deliveries.get_many(&places).await? {
            let seen: Seen = item::read(item)?;
            if seen.live_until > case.event.received_at.timestamp() {
                return Ok(Some(seen));
            }
        }
        Ok(None)
    }

    async fn write(
        &self,
        case: &ComponentCase<'_>,
        decision: &Decision,
        current: Option<&TagState>,
    ) -> Result<Outcome, Error> {
        let tenant = case.config.tenant_id;
        for planned in &decision.releases {
            self.store.record_event_day(tenant, planned.event.id.time().date_naive()).await?;
        }
        let figures = figures(case.component.id, decision);
        let expires_at = after(case.now, Duration::days(DUPLICATE_DAYS));
        let mut transaction = self.store.transaction();
        let records = case.seen(decision.state());
        for (key, live_until) in &records {
            let (figures, receipt_id) = (figures.clone(), case.receipt);
            let seen = Seen { figures, receipt_id, live_until: *live_until, expires_at };
            transaction.create_unless_live(&self.store.deliveries, key, &seen, case.event.received_at)?;
        }
        self.write_version(&mut transaction, case, decision, current)?;
        let mut guards = Vec::new();
        for planned in &decision.releases {
            let core = &self.store.core;
            // A new version is written once, and its releases with it; a release without a version has only
            // its guard.
            if !decision.adds_version() {
                guards.push((transaction.len(), planned.identity.clone()));
                let guard = Guard { release_id: planned.release.id };
                let place = keys::release_guard(tenant, case.component.id, &planned.identity);
                transaction.create(core, &place, &guard)?;
            }
            transaction.create(core, &keys::release(tenant, planned.release.id), &planned.release)?;
            transaction.create(core, &keys::event(tenant, planned.event.id), &planned.event)?;
        }
        let refused = match transaction.commit().await? {
            Commit::Done => return Ok(Outcome::Written(figures)),
            Commit::Refused(refused) => refused,
        };
        if let Some((_, seen)) = refused.iter().find(|(number, _)| *number < records.len()) {
            return Ok(Outcome::Repeated(item::read(seen.clone())?));
        }
        let is_refused = |at: usize| refused.iter().any(|(number, _)| *number == at);
        let taken = guards.into_iter().filter(|(at, _)| is_refused(*at)).map(|(_, identity)| identity);
        Ok(Outcome::Overtaken(taken.collect()))
    }

    /// Writes the tag's state by its name, and again by time and without its history, for the list of
    /// versions.
    fn write_version(
        &self,
        transaction: &mut Transaction,
        case: &ComponentCase<'_>,
        decision: &Decision,
        current: Option<&TagState>,
    ) -> Result<(), Error> {
        let Some(state) = decision.state() else { return Ok(()) };
        let (core, tenant, component) = (&self.store.core, case.config.tenant_id, case.component.id);
        let (tag, place) = (keys::tag(tenant, component, &state.place()), state.place());
        let version = |state: &TagState| keys::version(tenant, component, state.content.since, &place);
        match current {
            None => transaction.create(core, &tag, state)?,
            Some(before) => {
                transaction.replace(core, &tag, state, before.revision)?;
                if version(before) != version(state) {
                    transaction.delete(core, &version(before))?;
                }
            }
        }
        transaction.overwrite(core, &version(state), &state.without_history())
    }
}

impl ComponentCase<'_> {
    /// De-duplication keys of this event, with its tag in `state`, each with its expiry (Unix seconds).
    ///
    /// A sender that sends a digest and no time may move a tag from A to B and back to A: the second A is no
    /// duplicate of the first. The number of retags distinguishes them.
    fn seen(&self, state: Option<&TagState>) -> Vec<(Key, i64)> {
        let event = self.event;
        let is_timeless = event.digest.is_some() && event.pushed_at.is_none() && event.run.is_none();
        let moves = state.filter(|_| is_timeless).map_or(0, |state| state.retags);
        let record = |identity: &DedupKey| {
            let (moves, live) = match identity.by {
                KeySource::Content => (moves, Duration::days(DUPLICATE_DAYS)),
                KeySource::Body => (moves, Duration::minutes(SAME_BODY_MINUTES)),
                KeySource::DeliveryId => (0, Duration::days(DUPLICATE_DAYS)),
            };
            let identity = format!("{}#{}#{moves}", identity.hash, self.component.id);
            let key = keys::duplicate(self.config.tenant_id, self.config.id, &identity);
            (key, after(event.received_at, live))
        };
        self.dedup_keys.iter().map(record).collect()
    }

    fn decide(&self, current: Option<&TagState>, budget: &mut Budget) -> Decision {
        let mint = || EventId::mint(self.now, random::bytes()).uuid();
        let payload = &self.parsed.payload;
        let (now, source) = (self.now, &self.source);
        let mut decision = decide(self.component, self.event, payload, current, source, budget, now, mint);
        for planned in &mut decision.releases {
            planned.event.hops = self.hops;
        }
        decision
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

fn figures(component: ComponentId, decision: &Decision) -> Figures {
    Figures {
        component_id: Some(component),
        versions_added: u32::from(decision.adds_version()),
        triggers_activated: u32::try_from(decision.releases.len()).unwrap_or(u32::MAX),
        releases: decision.releases.iter().map(|planned| planned.release.id).collect(),
    }
}

fn duplicate(seen: Seen) -> Action {
    Action::Duplicate { figures: seen.figures, first_receipt_id: seen.receipt_id }
}

/// `time` plus `by`, in seconds since 1970.
fn after(time: DateTime<Utc>, by: Duration) -> i64 {
    time.checked_add_signed(by).unwrap_or(time).timestamp()
}

/// A random 5 to 30 ms, so that transactions that collided do not collide again.
fn pause() -> Pause {
    let [byte] = random::bytes::<1>();
    Pause::from_millis(u64::from(byte % 26).saturating_add(5))
}
