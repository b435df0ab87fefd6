//! How receivers do: noted after every attempt, written down at most once a minute, and acted upon: a breaker
//! opens, is probed and closes; what has failed for days is disabled.
//!
//! Safe to run twice: counts may then be a little high, and the rest is what it was. Nothing here fails a
//! delivery: what cannot be written is written later.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use tokio::join;
use tokio::sync::Mutex;

use crate::app::shared::hourly_counts::HourlyCounters;
use crate::app::shared::ttl_cache::TtlCache;
use crate::app::shared::write_behind::{Merge, Sink, WriteBehind};
use crate::clock::Clock;
use crate::domain::outbound::breaker::{Permit, Streak};
use crate::domain::outbound::delivery::{Attempt, Delivery};
use crate::domain::outbound::health::State;
use crate::domain::outbound::message::Command;
use crate::domain::outbound::outcome::Verdict;
use crate::domain::outbound::overview;
use crate::domain::outbound::subscription::Subscription;
use crate::domain::shared::counts::Counts;
use crate::domain::shared::ids::{SubscriptionId, TenantId};
use crate::error::Error;
use crate::log_error;
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
/// How many receivers' failures are remembered.
const MOST: usize = 10_000;

/// The pulse of every subscription, as far as this environment feels it. Clones share it.
#[derive(Clone)]
pub struct HealthMonitor {
    table: Table,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    states: Arc<TtlCache<SubscriptionId, State>>,
    /// Of receivers that have failed.
    streaks: Arc<Mutex<HashMap<SubscriptionId, Streak>>>,
    beats: WriteBehind<(TenantId, SubscriptionId), AttemptStats, HealthSink>,
    tally: HourlyCounters,
}

/// What attempts say of a receiver.
#[derive(Debug, Clone)]
struct AttemptStats {
    counts: Counts,
    news: News,
}

impl AttemptStats {
    fn of(attempt: &Attempt) -> Self {
        let mut counts = Counts::default();
        counts.note(attempt.success, attempt.response_time);
        let forgotten = attempt.at.checked_add_signed(Duration::days(FORGOTTEN_DAYS)).unwrap_or(attempt.at);
        let news = News {
            last_delivery: attempt.at,
            last_status: attempt.status_code,
            last_success: attempt.success.then_some(attempt.at),
            expires_at: forgotten.timestamp(),
        };
        Self { counts, news }
    }
}

impl Merge for AttemptStats {
    fn merge(&mut self, later: Self) {
        self.counts.add_all(&later.counts);
        self.news = News { last_success: later.news.last_success.or(self.news.last_success), ..later.news };
    }

    /// That it takes deliveries again is written at once: it must never be disabled by mistake.
    fn is_urgent(&self, written: Option<&Self>) -> bool {
        self.news.last_success.is_some() && written.is_some_and(|beats| beats.news.last_success.is_none())
    }
}

/// Where it is written how receivers do, and who hears of it when one has failed for days.
struct HealthSink {
    table: Table,
    commands: Queue,
}

impl Sink<(TenantId, SubscriptionId), AttemptStats> for HealthSink {
    async fn write(
        &self,
        &(tenant_id, subscription_id): &(TenantId, SubscriptionId),
        AttemptStats { counts, news }: &AttemptStats,
    ) -> Result<(), Error> {
        let state = self.table.tell(&keys::state(tenant_id, subscription_id), news).await?;
        self.table.count(&keys::pulse(tenant_id, subscription_id), news.last_delivery, counts).await?;
        if state.is_hopeless(news.last_delivery) {
            let command = Command::GiveUp { tenant_id, subscription_id };
            let group = subscription_id.to_string();
            self.commands.send(Outgoing { body: &command, group, delay_seconds: 0 }).await?;
        }
        Ok(())
    }
}

impl HealthMonitor {
    /// The pulse as written in this store. What is to be disabled is told to `commands`.
    #[must_use]
    pub fn new(store: &Store, commands: Queue, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        let table = store.deliveries.clone();
        let chart = HealthSink { table: table.clone(), commands };
        Self {
            metrics,
            table,
            beats: WriteBehind::new(chart, Arc::clone(&clock), Duration::seconds(WRITTEN_SECONDS)),
            tally: HourlyCounters::new(store, Arc::clone(&clock)),
            clock,
            states: Arc::default(),
            streaks: Arc::default(),
        }
    }

    /// Whether an attempt may be made now; a probe is taken for the caller, so that nobody else has it.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
    pub async fn permit(&self, subscription: &Subscription, now: DateTime<Utc>) -> Result<Permit, Error> {
        let state = self.state(subscription, now).await?;
        let passage = state.breaker.permit(now);
        if passage != Permit::Probe {
            return Ok(passage);
        }
        let timeout = i64::try_from(subscription.spec.timeout).unwrap_or(0).saturating_add(PROBE_MARGIN_MS);
        let until = now.checked_add_signed(Duration::milliseconds(timeout)).unwrap_or(now);
        let key = keys::state(subscription.tenant_id, subscription.id);
        let (lease, moment) = (until.timestamp_millis(), now.timestamp_millis());
        let is_ours = self.table.probe(&key, &state.breaker, lease, moment).await?;
        self.states.forget(&subscription.id);
        Ok(if is_ours { Permit::Probe } else { Permit::Rejected { until } })
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

    /// WriteBehind what came of an attempt, and acts upon it. `was_probe`: it was let through to find out.
    pub async fn note(
        &self,
        subscription: &Subscription,
        delivery: &Delivery,
        attempt: &Attempt,
        verdict: &Verdict,
        was_probe: bool,
    ) {
        let now = self.clock.now();
        let opens = match verdict {
            Verdict::Delivered => {
                if let Some(streak) = self.streaks.lock().await.get_mut(&subscription.id) {
                    streak.succeed();
                }
                false
            }
            Verdict::Retry { .. } => self.breaks(subscription.id, delivery).await || was_probe,
            // It answers: that it does not want this delivery says nothing of the next.
            Verdict::Final { .. } | Verdict::Gone => false,
        };
        // Whoever answers a probe is back, whatever it thinks of this delivery.
        let closes = attempt.success || (was_probe && !matches!(verdict, Verdict::Retry { .. }));
        if let Err(error) = self.switch(subscription, opens, closes, now).await {
            log_error!(WARN, error, "a breaker was not written", subscription.id = %subscription.id);
        }
        self.count(subscription, delivery, attempt).await;
    }

    /// WriteBehind what came of an attempt for nothing but health: a reader that fetches needs no breaker.
    pub async fn count(&self, subscription: &Subscription, delivery: &Delivery, attempt: &Attempt) {
        let tenant = subscription.tenant_id;
        self.tally.add(keys::tally(tenant), overview::of_attempt(delivery, attempt)).await;
        self.beats.add((tenant, subscription.id), AttemptStats::of(attempt)).await;
    }

    /// Writes what is due of what was noted; called as an event ends.
    pub async fn write_due(&self) {
        join!(self.beats.write_due(), self.tally.write_due());
    }

    /// Writes all that was noted; called before the process ends.
    pub async fn write_all(&self) {
        join!(self.beats.write_all(), self.tally.write_all());
    }

    /// Whether this delivery's failure is one too many.
    async fn breaks(&self, subscription: SubscriptionId, delivery: &Delivery) -> bool {
        let mut streaks = self.streaks.lock().await;
        if streaks.len() >= MOST {
            streaks.clear();
        }
        streaks.entry(subscription).or_default().fail(delivery.id)
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
}

/// Where a subscription stands now, as far as written.
///
/// # Errors
/// Unavailable when DynamoDB is.
pub async fn state(store: &Store, tenant: TenantId, subscription: SubscriptionId) -> Result<State, Error> {
    Ok(store.deliveries.get(&keys::state(tenant, subscription)).await?.unwrap_or_default())
}

/// `lastDelivery`, `lastStatus` and `health` of a subscription, the counts of the last 24 hours, and its
/// `filterErrors`, if there are any.
///
/// # Errors
/// Unavailable when DynamoDB is.
pub async fn view(store: &Store, subscription: &Subscription, now: DateTime<Utc>) -> Result<Value, Error> {
    let (mut hours, mut state) = (Vec::new(), State::default());
    let partition = keys::pulse(subscription.tenant_id, subscription.id);
    for item in store.deliveries.last_day(&partition, now).await? {
        match read_hour(&item) {
            Some(hour) => hours.push(hour),
            None => state = crate::store::item::read(item)?,
        }
    }
    let mut view = state.view(&hours, now);
    let failed = state.filter_errors.view(subscription.mistakes(), subscription.updated_at);
    if let (Some(members), Some(failed)) = (view.as_object_mut(), failed) {
        members.insert("filterErrors".to_owned(), failed);
    }
    Ok(view)
}
