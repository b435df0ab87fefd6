//! How receivers do: noted after every attempt, written down at most once a minute, and acted upon: a breaker
//! opens, is probed and closes; what has failed for days is disabled.
//!
//! Safe to run twice: counts may then be a little high, and the rest is what it was. Nothing here fails a
//! delivery: what cannot be written is written later.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use tokio::sync::Mutex;

use super::fresh::Fresh;
use super::tally::Tally;
use crate::clock::Clock;
use crate::domain::breaker::{Passage, Streak};
use crate::domain::delivery::{Attempt, Delivery};
use crate::domain::health::{Counts, KEPT_DAYS, State};
use crate::domain::hour;
use crate::domain::ids::{SubscriptionId, TenantId};
use crate::domain::message::Command;
use crate::domain::outcome::Verdict;
use crate::domain::overview;
use crate::domain::subscription::Subscription;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::queue::{Outgoing, Queue};
use crate::store::counts::read_hour;
use crate::store::{News, Store, Table, keys};

/// How often a subscription's news is written, in seconds.
const WRITTEN_SECONDS: i64 = 60;
/// How long a state is taken as read, in seconds.
const CACHED_SECONDS: i64 = 10;
/// How long one is taken as read that holds deliveries back, in seconds.
const HELD_SECONDS: i64 = 1;
/// What a probe may take beside the attempt's timeout, in milliseconds.
const PROBE_MARGIN_MS: i64 = 5_000;
/// After how many days without an attempt it is forgotten how a receiver did.
const FORGOTTEN_DAYS: i64 = 90;
/// How many subscriptions are remembered.
const MOST: usize = 10_000;

/// The pulse of every subscription, as far as this environment feels it. Clones share it.
#[derive(Clone)]
pub struct Pulse {
    table: Table,
    commands: Queue,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    states: Arc<Fresh<SubscriptionId, State>>,
    beats: Arc<Mutex<HashMap<SubscriptionId, Beat>>>,
    tally: Tally,
}

/// What is remembered of one subscription.
struct Beat {
    tenant: TenantId,
    /// Counted and not written yet.
    counts: Counts,
    /// What happened and is not written yet.
    news: Option<News>,
    streak: Streak,
    written_at: Option<DateTime<Utc>>,
    /// Whether what was written last is that it fails.
    written_failing: bool,
    /// Whether somebody waits to write.
    is_awaited: bool,
}

impl Beat {
    fn new(tenant: TenantId) -> Self {
        Self {
            tenant,
            counts: Counts::default(),
            news: None,
            streak: Streak::default(),
            written_at: None,
            written_failing: false,
            is_awaited: false,
        }
    }

    /// When its news may be written.
    fn due(&self) -> Option<DateTime<Utc>> {
        self.written_at?.checked_add_signed(Duration::seconds(WRITTEN_SECONDS))
    }

    fn note(&mut self, attempt: &Attempt) {
        self.counts.note(attempt.success, attempt.response_time);
        let before = self.news.and_then(|news| news.last_success);
        let forgotten = attempt.at.checked_add_signed(Duration::days(FORGOTTEN_DAYS)).unwrap_or(attempt.at);
        self.news = Some(News {
            last_delivery: attempt.at,
            last_status: attempt.status_code,
            last_success: if attempt.success { Some(attempt.at) } else { before },
            expires_at: forgotten.timestamp(),
        });
    }
}

impl Pulse {
    /// The pulse as written in this store. What is to be disabled is told to `commands`.
    #[must_use]
    pub fn new(store: &Store, commands: Queue, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            table: store.deliveries.clone(),
            commands,
            tally: Tally::new(store, Arc::clone(&clock)),
            clock,
            states: Arc::default(),
            beats: Arc::default(),
        }
    }

    /// Whether an attempt may be made now; a probe is taken for the caller, so that nobody else has it.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
    pub async fn passage(&self, subscription: &Subscription, now: DateTime<Utc>) -> Result<Passage, Error> {
        let state = self.state(subscription, now).await?;
        let passage = state.breaker.passage(now);
        if passage != Passage::Probe {
            return Ok(passage);
        }
        let timeout = i64::try_from(subscription.terms.timeout).unwrap_or(0).saturating_add(PROBE_MARGIN_MS);
        let until = now.checked_add_signed(Duration::milliseconds(timeout)).unwrap_or(now);
        let key = keys::state(subscription.tenant_id, subscription.id);
        let (lease, moment) = (until.timestamp_millis(), now.timestamp_millis());
        let is_ours = self.table.probe(&key, &state.breaker, lease, moment).await?;
        self.states.forget(&subscription.id);
        Ok(if is_ours { Passage::Probe } else { Passage::Wait(until) })
    }

    /// The state as read within the last seconds.
    async fn state(&self, subscription: &Subscription, now: DateTime<Utc>) -> Result<State, Error> {
        let kept_for = |state: &State| {
            let is_free = state.breaker.open_until.is_none();
            Duration::seconds(if is_free { CACHED_SECONDS } else { HELD_SECONDS })
        };
        let key = keys::state(subscription.tenant_id, subscription.id);
        let read = async || Ok(self.table.get(&key).await?.unwrap_or_default());
        self.states.get(subscription.id, now, kept_for, read).await
    }

    /// Notes what came of an attempt, and acts upon it. `was_probe`: it was let through to find out.
    pub async fn note(
        &self,
        subscription: &Subscription,
        delivery: &Delivery,
        attempt: &Attempt,
        verdict: &Verdict,
        was_probe: bool,
    ) {
        let now = self.clock.now();
        let opens = {
            let mut beats = self.beats.lock().await;
            let beat = beats.entry(subscription.id).or_insert_with(|| Beat::new(subscription.tenant_id));
            match verdict {
                Verdict::Delivered => {
                    beat.streak.succeed();
                    false
                }
                Verdict::Retry { .. } => beat.streak.fail(delivery.id) || was_probe,
                // It answers: that it does not want this delivery says nothing of the next.
                Verdict::Final { .. } | Verdict::Gone => false,
            }
        };
        // Whoever answers a probe is back, whatever it thinks of this delivery.
        let closes = attempt.success || (was_probe && !matches!(verdict, Verdict::Retry { .. }));
        if let Err(error) = self.switch(subscription, opens, closes, now).await {
            tracing::warn!(error = %error, subscription.id = %subscription.id, "a breaker was not written");
        }
        self.count(subscription, delivery, attempt).await;
    }

    /// Notes what came of an attempt for nothing but health: a reader that fetches needs no breaker.
    pub async fn count(&self, subscription: &Subscription, delivery: &Delivery, attempt: &Attempt) {
        self.tally.add(&keys::tally(subscription.tenant_id), &overview::of_attempt(delivery, attempt)).await;
        let now = self.clock.now();
        let writes = {
            let mut beats = self.beats.lock().await;
            if beats.len() >= MOST {
                beats.retain(|_, beat| beat.news.is_some());
            }
            let beat = beats.entry(subscription.id).or_insert_with(|| Beat::new(subscription.tenant_id));
            beat.note(attempt);
            // That it takes deliveries again is written at once: it must never be disabled by mistake.
            let recovers = attempt.success && beat.written_failing;
            recovers || beat.due().is_none_or(|due| due <= now)
        };
        if writes {
            self.write(subscription.id, now).await;
        } else {
            self.write_later(subscription.id).await;
        }
    }

    /// Opens the breaker, or closes it.
    async fn switch(
        &self,
        subscription: &Subscription,
        opens: bool,
        closes: bool,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        if !(opens || closes) {
            return Ok(());
        }
        let before = self.state(subscription, now).await?.breaker;
        let key = keys::state(subscription.tenant_id, subscription.id);
        let done = if opens {
            tracing::info!(subscription.id = %subscription.id, "a breaker opens");
            self.metrics.count("BreakersOpened", 1);
            self.table.open(&key, &before, &before.opened(now)).await
        } else if before.open_until.is_some() {
            tracing::info!(subscription.id = %subscription.id, "a breaker closes");
            self.table.close(&key).await
        } else {
            return Ok(());
        };
        self.states.forget(&subscription.id);
        done
    }

    /// Writes a subscription's news when its minute is over.
    async fn write_later(&self, subscription: SubscriptionId) {
        let due = {
            let mut beats = self.beats.lock().await;
            let Some(beat) = beats.get_mut(&subscription).filter(|beat| !beat.is_awaited) else { return };
            beat.is_awaited = true;
            beat.due()
        };
        let pulse = self.clone();
        tokio::spawn(async move {
            let now = pulse.clock.now();
            pulse.clock.sleep_until(due.unwrap_or(now)).await;
            pulse.write(subscription, pulse.clock.now()).await;
        });
    }

    async fn write(&self, subscription: SubscriptionId, now: DateTime<Utc>) {
        let (tenant, counts, news) = {
            let mut beats = self.beats.lock().await;
            let Some(beat) = beats.get_mut(&subscription) else { return };
            beat.is_awaited = false;
            let Some(news) = beat.news.take() else { return };
            beat.written_at = Some(now);
            beat.written_failing = news.last_success.is_none();
            (beat.tenant, std::mem::take(&mut beat.counts), news)
        };
        let written = self.tell(tenant, subscription, &counts, &news, now).await;
        if let Err(error) = written {
            tracing::warn!(error = %error, subscription.id = %subscription, "news was not written");
            let mut beats = self.beats.lock().await;
            if let Some(beat) = beats.get_mut(&subscription) {
                beat.counts.merge(&counts);
                beat.news = beat.news.or(Some(news));
            }
        }
    }

    async fn tell(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
        counts: &Counts,
        news: &News,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let state = self.table.tell(&keys::state(tenant, subscription), news).await?;
        let expires = now.checked_add_signed(Duration::days(KEPT_DAYS)).unwrap_or(now).timestamp();
        self.table
            .add(&keys::hour(&keys::pulse(tenant, subscription), hour(now)), counts.iter(), expires)
            .await?;
        if state.is_hopeless(now) {
            let command = Command::GiveUp { tenant_id: tenant, subscription_id: subscription };
            let group = subscription.to_string();
            self.commands.send(Outgoing { body: &command, group, delay_seconds: 0 }).await?;
        }
        Ok(())
    }
}

/// Where a subscription stands now, as far as written.
///
/// # Errors
/// Unavailable when DynamoDB is.
pub async fn state(store: &Store, tenant: TenantId, subscription: SubscriptionId) -> Result<State, Error> {
    Ok(store.deliveries.get(&keys::state(tenant, subscription)).await?.unwrap_or_default())
}

/// `lastDelivery`, `lastStatus` and `health` of a subscription, the counts of the last 24 hours.
///
/// # Errors
/// Unavailable when DynamoDB is.
pub async fn view(
    store: &Store,
    tenant: TenantId,
    subscription: SubscriptionId,
    now: DateTime<Utc>,
) -> Result<Value, Error> {
    let (mut hours, mut state) = (Vec::new(), State::default());
    for item in store.deliveries.last_day(&keys::pulse(tenant, subscription), now).await? {
        match read_hour(&item) {
            Some(hour) => hours.push(hour),
            None => state = crate::store::table::read(item)?,
        }
    }
    Ok(state.view(&hours, now))
}
