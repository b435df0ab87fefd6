//! One event at one component, and the transaction that writes what was decided about it.

use chrono::{DateTime, Duration, Utc};

use super::guards::Guard;
use crate::domain::inbound::config::Config;
use crate::domain::inbound::dedup::{DedupKey, KeySource};
use crate::domain::inbound::normalise::Parsed;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::receipt::{DUPLICATE_DAYS, Figures, SAME_BODY_MINUTES, Seen};
use crate::domain::releases::component::Component;
use crate::domain::releases::content::Instant;
use crate::domain::releases::decision::{Decision, Facts, decide};
use crate::domain::releases::version::{Source, TagState};
use crate::domain::shared::expression::Budget;
use crate::domain::shared::ids::{EventId, ReceiptId, ReleaseId};
use crate::domain::shared::release_rate::Turn;
use crate::error::Error;
use crate::random;
use crate::store::{Commit, Key, Store, Transaction, item, keys};

/// One event at one component.
pub(super) struct ComponentCase<'a> {
    pub(super) config: &'a Config,
    pub(super) parsed: &'a Parsed,
    pub(super) event: &'a NormalisedEvent,
    pub(super) component: &'a Component,
    pub(super) receipt: ReceiptId,
    /// The event's de-duplication keys.
    pub(super) dedup_keys: &'a [DedupKey],
    pub(super) source: Source,
    /// The hops of the push.
    pub(super) hops: u32,
    pub(super) turn: Option<Turn>,
    pub(super) now: DateTime<Utc>,
}

/// The result of writing a decision.
pub(super) enum Outcome {
    Written(Figures),
    Repeated(Seen),
    /// Others wrote in between: releases, here by their identities, or the tag.
    Overtaken(Vec<(String, ReleaseId)>),
}

/// A record of a de-duplication key.
pub(super) struct Record {
    pub(super) key: Key,
    /// Until when it counts, in seconds since 1970.
    live_until: i64,
    is_decisive: bool,
}

impl ComponentCase<'_> {
    /// What the event changes, with its tag in this state.
    pub(super) fn decide(&self, current: Option<&TagState>, budget: &mut Budget) -> Decision {
        let facts = Facts {
            component: self.component,
            event: self.event,
            payload: &self.parsed.payload,
            current,
            source: &self.source,
            receipt: Some(self.receipt),
            now: self.now,
        };
        let mut decision = decide(&facts, budget, || EventId::mint(self.now, random::bytes()).uuid());
        for planned in &mut decision.releases {
            planned.event.hops = self.hops;
        }
        decision
    }

    /// The records of this event's de-duplication keys, with its tag in `state`.
    ///
    /// What does not tell the event from a later push of the same content is a repetition only while the tag
    /// points at that content: the number of moves is part of its key. A git tag that was deleted can be
    /// pushed again at its commit, with the same commit before: the time of the deletion is part of its key.
    /// It can then be deleted again: the number of moves is part of a deletion's key.
    pub(super) fn records(&self, state: Option<&TagState>) -> Vec<Record> {
        let event = self.event;
        let days = Duration::days(DUPLICATE_DAYS);
        let max_age =
            self.config.spec.max_age().map(|age| age.checked_add(&Duration::days(1)).unwrap_or(days));
        let kept = max_age.map_or(days, |age| age.max(days));
        let moves = state.map_or(0, |state| state.retags);
        let is_deletion = event.deleted || event.kind == EventKind::ArtifactDeleted;
        let is_tag = event.kind == EventKind::GitTag && !event.deleted;
        let deleted = state.and_then(|state| state.last_deletion).filter(|_| is_tag);
        let deleted = deleted.filter(|deleted| *deleted < Instant::of(event));
        let record = |key: &DedupKey| {
            let (moves, live) = match key.by {
                KeySource::Content if is_deletion => (moves, kept),
                KeySource::Content | KeySource::DeliveryId => (0, kept),
                KeySource::Body => (0, Duration::minutes(SAME_BODY_MINUTES)),
                KeySource::Repetition => (moves, kept),
            };
            let after_deletion = deleted.filter(|_| key.by == KeySource::Content);
            let after_deletion =
                after_deletion.map(|deleted| format!("#{}", deleted.received_at.timestamp_millis()));
            let component = self.component.id;
            let identity = format!("{}#{component}#{moves}{}", key.hash, after_deletion.unwrap_or_default());
            let place = keys::duplicate(self.config.tenant_id, self.config.id, &identity);
            let live_until = after(event.received_at, live);
            Record { key: place, live_until, is_decisive: key.by.is_decisive() }
        };
        self.dedup_keys.iter().map(record).collect()
    }

    /// Writes a decision in one transaction.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub(super) async fn write(
        &self,
        store: &Store,
        decision: &Decision,
        current: Option<&TagState>,
    ) -> Result<Outcome, Error> {
        let tenant = self.config.tenant_id;
        for planned in &decision.releases {
            store.record_event_day(tenant, planned.event.id.time().date_naive()).await?;
        }
        let figures = self.figures(decision);
        let mut transaction = store.transaction();
        let records = self.records(decision.state());
        for record in &records {
            let seen = self.seen(record, &figures);
            if record.is_decisive {
                let received_at = self.event.received_at;
                transaction.create_unless_live(&store.deliveries, &record.key, &seen, received_at)?;
            } else {
                transaction.overwrite(&store.deliveries, &record.key, &seen)?;
            }
        }
        self.write_version(store, &mut transaction, decision, current)?;
        let mut guards = Vec::new();
        for planned in &decision.releases {
            let core = &store.core;
            // A new version is written once, and its releases with it; a release without a version has only
            // its guard.
            if !decision.adds_version() {
                guards.push((transaction.len(), planned.identity.clone()));
                let guard = Guard { release_id: planned.release.id };
                let place = keys::release_guard(tenant, self.component.id, &planned.identity);
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
        let mut released = Vec::new();
        for (number, identity) in guards {
            if let Some((_, guard)) = refused.iter().find(|(refused, _)| *refused == number) {
                released.push((identity, item::read::<Guard>(guard.clone())?.release_id));
            }
        }
        Ok(Outcome::Overtaken(released))
    }

    fn seen(&self, record: &Record, figures: &Figures) -> Seen {
        // Kept a day longer than it counts, for requests that were queued.
        let expires_at = record.live_until.max(after(self.now, Duration::days(1)));
        Seen { figures: figures.clone(), receipt_id: self.receipt, live_until: record.live_until, expires_at }
    }

    /// Writes the tag's state by its name, and again by time and without its history, for the list of
    /// versions.
    fn write_version(
        &self,
        store: &Store,
        transaction: &mut Transaction,
        decision: &Decision,
        current: Option<&TagState>,
    ) -> Result<(), Error> {
        let Some(state) = decision.state() else { return Ok(()) };
        let (core, tenant, component) = (&store.core, self.config.tenant_id, self.component.id);
        let (tag, place) = (keys::tag(tenant, component, &state.place()), state.place());
        let version = |state: &TagState| keys::version(tenant, component, state.listed_at(), &place);
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

    fn figures(&self, decision: &Decision) -> Figures {
        Figures {
            component_id: Some(self.component.id),
            versions_added: u32::from(decision.adds_version()),
            triggers_activated: u32::try_from(decision.releases.len()).unwrap_or(u32::MAX),
            releases: decision.releases.iter().map(|planned| planned.release.id).collect(),
            reason: decision.reason.clone(),
            release_id: decision.release_id,
        }
    }
}

/// `time` plus `by`, in seconds since 1970.
fn after(time: DateTime<Utc>, by: Duration) -> i64 {
    time.checked_add_signed(by).unwrap_or(time).timestamp()
}
