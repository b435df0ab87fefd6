//! Requests that a config refused, counted by the hour in memory, and written at most every ten seconds. They
//! are approximate: a process that is killed loses what it had not written.
//!
//! # Whether a config has ever accepted a request
//!
//! `authenticationHint` needs to know. Nothing is written for it when a request is accepted: each accepted
//! request has a receipt, which is there for 30 days, and one receipt is looked for when a config that refused
//! requests is shown. A request that is authenticated and refused afterwards has no receipt, so these are
//! counted with the other refusals.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use crate::app::shared::hourly_counts::{Hour, WRITTEN_SECONDS};
use crate::app::shared::write_behind::{Merge, Sink, WriteBehind};
use crate::clock::Clock;
use crate::domain::inbound::config::Config;
use crate::domain::inbound::receipt::Receipt;
use crate::domain::inbound::rejections::{Refusal, Rejections, RejectionsView};
use crate::domain::shared::counts::{Counts, RETENTION_DAYS, SHOWN_HOURS};
use crate::domain::shared::ids::{ConfigId, TenantId};
use crate::domain::shared::time::hour;
use crate::error::Error;
use crate::store::counts::{read_hour, read_last};
use crate::store::{Item, Store, Table, keys};

/// The refusals of an hour that are not written yet.
#[derive(Debug, Clone)]
struct Refused {
    counts: Counts,
    last_at: Option<DateTime<Utc>>,
}

impl Merge for Refused {
    fn merge(&mut self, later: Self) {
        self.counts.merge(later.counts);
        self.last_at = self.last_at.max(later.last_at);
    }
}

impl Sink<Hour, Refused> for Table {
    async fn write(&self, (partition, hour): &Hour, refused: &Refused) -> Result<(), Error> {
        self.count_last(partition, *hour, &refused.counts, refused.last_at).await
    }
}

/// Counts refused requests. Clones share the buffer.
#[derive(Clone)]
pub struct RejectedRequests {
    write_behind: WriteBehind<Hour, Refused, Table>,
    clock: Arc<dyn Clock>,
}

impl RejectedRequests {
    /// Writes to the table `deliveries` of `store`.
    #[must_use]
    pub fn new(store: &Store, clock: Arc<dyn Clock>) -> Self {
        let every = Duration::seconds(WRITTEN_SECONDS);
        Self { write_behind: WriteBehind::new(store.deliveries.clone(), Arc::clone(&clock), every), clock }
    }

    /// Counts one refused request.
    pub async fn count(&self, config: &Config, refusal: Refusal) {
        let now = self.clock.now();
        let partition = keys::rejections(config.tenant_id, config.id);
        let refused = Refused { counts: refusal.counts(), last_at: refusal.is_shown().then_some(now) };
        self.write_behind.add((partition, hour(now)), refused).await;
    }

    /// Writes the counts that are due; called at the end of each event.
    pub async fn flush_due(&self) {
        self.write_behind.flush_due().await;
    }

    /// Writes all counts; called before the process ends.
    pub async fn flush_all(&self) {
        self.write_behind.flush_all().await;
    }
}

/// How many requests to a config did not authenticate within the last 24 hours.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn last_day(
    store: &Store,
    tenant: TenantId,
    config: ConfigId,
    now: DateTime<Utc>,
) -> Result<u64, Error> {
    let items = store.deliveries.last_day(&keys::rejections(tenant, config), now).await?;
    Ok(sum(&items, DateTime::UNIX_EPOCH).unauthenticated())
}

/// What a config's owner sees of its refused requests.
pub struct Seen {
    /// How many did not authenticate within the last 24 hours.
    pub last_day: u64,
    /// All that are counted.
    pub rejections: RejectionsView,
    /// Why requests probably did not authenticate, if there were some within the last 24 hours and none was
    /// accepted.
    pub authentication_hint: Option<String>,
}

/// The refused requests of a config.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn of_config(store: &Store, config: &Config, now: DateTime<Utc>) -> Result<Seen, Error> {
    let partition = keys::rejections(config.tenant_id, config.id);
    let hours = RETENTION_DAYS.saturating_mul(24);
    let items = store.deliveries.last_hours(&partition, hours, now).await?;
    let day_ago = now.checked_sub_signed(Duration::hours(SHOWN_HOURS)).unwrap_or(now);
    let (last_day, all) = (sum(&items, day_ago), sum(&items, DateTime::UNIX_EPOCH));
    let is_suspect = last_day.unauthenticated() > 0 && all.authenticated() == 0;
    let authentication_hint = if is_suspect && !has_receipt(store, config).await? {
        Some(last_day.authentication_hint(&config.spec.scheme()))
    } else {
        None
    };
    Ok(Seen { last_day: last_day.unauthenticated(), rejections: all.view(), authentication_hint })
}

async fn has_receipt(store: &Store, config: &Config) -> Result<bool, Error> {
    let receipts = keys::receipts(config.tenant_id, config.id);
    let (found, _) = store.deliveries.next::<Receipt>(&receipts, "", 1).await?;
    Ok(!found.is_empty())
}

/// The refusals of the hours that began after `after`.
fn sum(items: &[Item], after: DateTime<Utc>) -> Rejections {
    let mut sum = Rejections::default();
    for item in items {
        if let Some((hour, counts)) = read_hour(item)
            && hour > after
        {
            sum.add_hour(&counts, read_last(item));
        }
    }
    sum
}
