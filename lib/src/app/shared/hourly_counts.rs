//! Counts per hour, buffered in memory and written at most every ten seconds. They are approximate: a process
//! that is killed loses what it had not written.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use super::write_behind::{Merge, Sink, WriteBehind};
use crate::clock::Clock;
use crate::domain::shared::counts::Counts;
use crate::domain::shared::time::hour;
use crate::error::Error;
use crate::store::{Store, Table};

/// How often an hour's counts are written, in seconds.
pub(crate) const WRITTEN_SECONDS: i64 = 10;

/// A partition, and the beginning of an hour.
pub(crate) type Hour = (String, DateTime<Utc>);

impl Merge for Counts {
    fn merge(&mut self, later: Self) {
        self.add_all(&later);
    }
}

impl Sink<Hour, Counts> for Table {
    async fn write(&self, (partition, hour): &Hour, counts: &Counts) -> Result<(), Error> {
        self.count(partition, *hour, counts).await
    }
}

/// Counters per partition and hour. Clones share the buffer.
#[derive(Clone)]
pub struct HourlyCounters {
    write_behind: WriteBehind<Hour, Counts, Table>,
    clock: Arc<dyn Clock>,
}

impl HourlyCounters {
    /// Writes to the table `deliveries` of `store`.
    #[must_use]
    pub fn new(store: &Store, clock: Arc<dyn Clock>) -> Self {
        let every = Duration::seconds(WRITTEN_SECONDS);
        Self { write_behind: WriteBehind::new(store.deliveries.clone(), Arc::clone(&clock), every), clock }
    }

    /// Adds to a partition's counts of this hour.
    pub async fn add(&self, partition: String, counts: Counts) {
        self.write_behind.add((partition, hour(self.clock.now())), counts).await;
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
