//! Receiver health: attempt statistics, the circuit breaker, and automatic disabling.
//!
//! Statistics are counted in memory after every attempt and written at most once a minute; a change of the
//! breaker is written at once. A subscription that has had only failures for days is disabled, by a command
//! to `sweep`.
//!
//! Safe to run twice: counts may then be a little too high, and breaker and command stay the same. Nothing
//! here fails a delivery: a write that fails is repeated later.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use tokio::join;
use tokio::sync::Mutex;

use crate::app::shared::hourly_counts::HourlyCounters;
use crate::app::shared::ttl_cache::TtlCache;
use crate::app::shared::write_behind::{Merge, Sink, WriteBehind};
use crate::clock::Clock;
use crate::domain::outbound::breaker::{Permit, Streak};
use crate::domain::outbound::delivery::{Attempt, Delivery};
use crate::domain::outbound::health::{ReceiverView, State};
use crate::domain::outbound::message::Command;
use crate::domain::outbound::outcome::Verdict;
use crate::domain::outbound::overview;
use crate::domain::outbound::subscription::Subscription;
use crate::domain::shared::bounded_map::BoundedMap;
use crate::domain::shared::counts::Counts;
use crate::domain::shared::ids::{SubscriptionId, TenantId};
use crate::error::Error;
use crate::log_error;
use crate::metrics::Metrics;
use crate::queue::{Outgoing, Queue};
use crate::store::counts::read_hour;
use crate::store::{LatestAttempts, Store, Table, keys};

/// How often a subscription's statistics are written, in seconds.
const WRITTEN_SECONDS: i64 = 60;
/// How long a state is cached, in seconds.
const CACHED_SECONDS: i64 = 10;
/// How long the state of an open breaker is cached, in seconds.
const HELD_SECONDS: i64 = 1;
/// How much longer than the attempt's timeout a probe is leased, in milliseconds.
const PROBE_MARGIN_MS: i64 = 5_000;
/// After how many days without an attempt a receiver's state expires.
const FORGOTTEN_DAYS: i64 = 90;
/// How many receivers' streaks of failures are kept in memory.
const MAX_STREAKS: usize = 10_000;

/// The health of all receivers, as this environment sees it. Clones share it.
#[derive(Clone)]
pub struct HealthMonitor {
    table: Table,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    states: Arc<TtlCache<SubscriptionId, State>>,
    /// The streaks of failures, of receivers that have failed.
    streaks: Arc<Mutex<BoundedMap<SubscriptionId, Streak>>>,
    stats: WriteBehind<(TenantId, SubscriptionId), AttemptStats, HealthSink>,
    counters: HourlyCounters,
}

/// Statistics of a receiver's attempts, as long as they are unwritten.
#[derive(Debug, Clone)]
struct AttemptStats {
    counts: Counts,
    latest: LatestAttempts,
}

impl AttemptStats {
    fn of(attempt: &Attempt) -> Self {
        let mut counts = Counts::default();
        counts.note(attempt.success, attempt.response_time);
        let forgotten = attempt.at.checked_add_signed(Duration::days(FORGOTTEN_DAYS)).unwrap_or(attempt.at);
        let latest = LatestAttempts {
            last_delivery: attempt.at,
            last_status: attempt.status_code,
            last_success: attempt.success.then_some(attempt.at),
            expires_at: forgotten.timestamp(),
        };
        Self { counts, latest }
    }
}

impl Merge for AttemptStats {
    fn merge(&mut self, later: Self) {
        self.counts.add_all(&later.counts);
        self.latest = LatestAttempts {
            last_success: later.latest.last_success.or(self.latest.last_success),
            ..later.latest
        };
    }

    /// The first success after failures is written at once: the subscription must not be disabled by mistake.
    fn is_urgent(&self, written: Option<&Self>) -> bool {
        self.latest.last_success.is_some() && written.is_some_and(|stats| stats.latest.last_success.is_none())
    }
}

/// Writes statistics, and sends the command that disables a subscription which has failed for days.
struct HealthSink {
    table: Table,
    commands: Queue,
}

impl Sink<(TenantId, SubscriptionId), AttemptStats> for HealthSink {
    async fn write(
        &self,
        &(tenant_id, subscription_id): &(TenantId, SubscriptionId),
        AttemptStats { counts, latest }: &AttemptStats,
    ) -> Result<(), Error> {
        let state = self.table.record_attempts(&keys::state(tenant_id, subscription_id), latest).await?;
        self.table
            .count(&keys::receiver_health(tenant_id, subscription_id), latest.last_delivery, counts)
            .await?;
        if state.has_failed_for_days(latest.last_delivery) {
            let command = Command::GiveUp { tenant_id, subscription_id };
            let group = subscription_id.to_string();
            self.commands.send(Outgoing { body: &command, group, delay_seconds: 0 }).await?;
        }
        Ok(())
    }
}

impl HealthMonitor {
    /// The health of the receivers in `store`. Commands that disable a subscription go to `commands`.
    #[must_use]
    pub fn new(store: &Store, commands: Queue, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        let table = store.deliveries.clone();
        let sink = HealthSink { table: table.clone(), commands };
        Self {
            metrics,
            table,
            stats: WriteBehind::new(sink, Arc::clone(&clock), Duration::seconds(WRITTEN_SECONDS)),
            counters: HourlyCounters::new(store, Arc::clone(&clock)),
            clock,
            states: Arc::default(),
            streaks: Arc::new(Mutex::new(BoundedMap::new(MAX_STREAKS))),
        }
    }

    /// Asks the breaker whether an attempt may be made now. A [`Permit::Probe`] is leased to the caller:
    /// nobody else gets it before the lease ends.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn permit(&self, subscription: &Subscription, now: DateTime<Utc>) -> Result<Permit, Error> {
        let state = self.state(subscription, now).await?;
        let permit = state.breaker.permit(now);
        if permit != Permit::Probe {
            return Ok(permit);
        }
        let timeout = i64::try_from(subscription.spec.timeout).unwrap_or(0).saturating_add(PROBE_MARGIN_MS);
        let until = now.checked_add_signed(Duration::milliseconds(timeout)).unwrap_or(now);
        let key = keys::state(subscription.tenant_id, subscription.id);
        let (lease, now) = (until.timestamp_millis(), now.timestamp_millis());
        let is_ours = self.table.take_probe(&key, &state.breaker, lease, now).await?;
        self.states.forget(&subscription.id);
        Ok(if is_ours { Permit::Probe } else { Permit::Rejected { until } })
    }

    /// The state, which may be some seconds old.
    async fn state(&self, subscription: &Subscription, now: DateTime<Utc>) -> Result<State, Error> {
        let kept_for = |state: &State| {
            let is_free = state.breaker.open_until.is_none();
            Duration::seconds(if is_free { CACHED_SECONDS } else { HELD_SECONDS })
        };
        let key = keys::state(subscription.tenant_id, subscription.id);
        let read = async || Ok(self.table.get(&key).await?.unwrap_or_default());
        self.states.get(subscription.id, now, kept_for, read).await
    }

    /// Counts an attempt, and opens or closes the breaker by its verdict. `was_probe`: it was made by
    /// [`Permit::Probe`].
    pub async fn record(
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
                self.streaks.lock().await.remove(&subscription.id);
                false
            }
            Verdict::Retry { .. } => self.breaks(subscription.id, delivery).await || was_probe,
            // The receiver answers: that it refuses this delivery says nothing about the next.
            Verdict::Final { .. } | Verdict::Gone => false,
        };
        // A receiver that answers a probe is back, even if it refuses this delivery.
        let closes = attempt.success || (was_probe && !matches!(verdict, Verdict::Retry { .. }));
        if let Err(error) = self.switch(subscription, opens, closes, now).await {
            log_error!(WARN, error, "a breaker was not written", subscription.id = %subscription.id);
        }
        self.count(subscription, delivery, attempt).await;
    }

    /// Counts an attempt in the statistics only: a pull subscription needs no breaker.
    pub async fn count(&self, subscription: &Subscription, delivery: &Delivery, attempt: &Attempt) {
        let tenant = subscription.tenant_id;
        self.counters.add(keys::tenant_counts(tenant), overview::of_attempt(delivery, attempt)).await;
        self.stats.add((tenant, subscription.id), AttemptStats::of(attempt)).await;
    }

    /// Writes the buffered statistics that are due; called at the end of each event.
    pub async fn flush_due(&self) {
        join!(self.stats.flush_due(), self.counters.flush_due());
    }

    /// Writes all buffered statistics; called before the process ends.
    pub async fn flush_all(&self) {
        join!(self.stats.flush_all(), self.counters.flush_all());
    }

    /// Whether this delivery's failure completes a streak that opens the breaker.
    async fn breaks(&self, subscription: SubscriptionId, delivery: &Delivery) -> bool {
        let mut streaks = self.streaks.lock().await;
        streaks.get_or_insert_with(subscription, Streak::default).fail(delivery.id)
    }

    /// Opens or closes the breaker.
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
            self.table.open_breaker(&key, &before, &before.opened(now)).await
        } else if before.open_until.is_some() {
            tracing::info!(subscription.id = %subscription.id, "a breaker closes");
            self.table.close_breaker(&key).await
        } else {
            return Ok(());
        };
        self.states.forget(&subscription.id);
        done
    }
}

/// The stored state of a subscription's receiver.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn state(store: &Store, tenant: TenantId, subscription: SubscriptionId) -> Result<State, Error> {
    Ok(store.deliveries.get(&keys::state(tenant, subscription)).await?.unwrap_or_default())
}

/// What a subscription shows of its receiver in the last 24 hours, and of its filters.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn view(
    store: &Store,
    subscription: &Subscription,
    now: DateTime<Utc>,
) -> Result<ReceiverView, Error> {
    let (mut hours, mut state) = (Vec::new(), State::default());
    let partition = keys::receiver_health(subscription.tenant_id, subscription.id);
    for item in store.deliveries.last_day(&partition, now).await? {
        match read_hour(&item) {
            Some(hour) => hours.push(hour),
            None => state = crate::store::item::read(item)?,
        }
    }
    let mut view = state.view(&hours, now);
    view.filter_errors = state.filter_errors.view(subscription.mistakes(), subscription.updated_at);
    Ok(view)
}
