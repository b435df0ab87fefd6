//! Gathers a batch of the records of a stream that match a filter.

use tokio::sync::watch;
use tokio::time::Instant;

use super::Mapping;
use super::record::Entry;
use crate::error::Error;
use crate::signal::Signal;

/// The fewest records of a read, so that few reads are needed if most records are filtered out.
const MIN_READ: usize = 100;
/// The most records of a read.
const MAX_READ: usize = 1000;
/// The size of Lambda's largest event, in bytes. A batch ends with the record that reaches it.
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;
/// After so many records that are filtered out, the checkpoint is saved without an invocation.
const MAX_SKIPPED: usize = 1000;

/// A batch, and up to which record the stream was read for it.
#[derive(Default)]
pub(super) struct Batch {
    /// The records that match, in order.
    pub(super) entries: Vec<Entry>,
    /// The sequence number of the last record, whether it matches or not.
    pub(super) read: Option<String>,
    bytes: usize,
    skipped: usize,
}

impl Batch {
    fn is_full(&self, most: usize) -> bool {
        self.entries.len() >= most || self.bytes >= MAX_EVENT_BYTES
    }
}

impl Mapping {
    /// Waits for the next batch after a position. When `stop` fires, returns what there is.
    pub(super) async fn gather(
        &self,
        after: Option<&str>,
        changes: &mut watch::Receiver<u64>,
        stop: &Signal,
    ) -> Result<Batch, Error> {
        let arn = self.services.stream_arn(&self.table).await?.unwrap_or_default();
        let mut batch = Batch::default();
        let mut end = None;
        loop {
            // Marked before the read, so that a write during it wakes the wait.
            changes.mark_unchanged();
            let missing = self.batch_size.saturating_sub(batch.entries.len());
            let limit = missing.clamp(MIN_READ, MAX_READ);
            let position = batch.read.as_deref().or(after);
            let records = self.services.stream_records(&self.table, position, limit).await?;
            let exhausted = records.len() < limit;
            for record in records {
                if batch.is_full(self.batch_size) {
                    return Ok(batch);
                }
                let entry = Entry::new(record, &arn);
                let bytes = entry.bytes;
                batch.read = Some(entry.sequence.clone());
                if self.patterns.is_empty()
                    || self.patterns.iter().any(|pattern| pattern.matches(&entry.record))
                {
                    batch.bytes = batch.bytes.saturating_add(bytes);
                    batch.entries.push(entry);
                } else {
                    batch.skipped = batch.skipped.saturating_add(1);
                }
            }
            let idle = batch.entries.is_empty();
            if batch.is_full(self.batch_size) || (idle && batch.skipped >= MAX_SKIPPED) {
                return Ok(batch);
            }
            if !exhausted {
                continue;
            }
            let goes_on = if idle {
                stop.or(changes.changed()).await.is_some()
            } else if self.window.is_zero() {
                false
            } else {
                let end = *end.get_or_insert_with(|| Instant::now().checked_add(self.window));
                let end = end.unwrap_or_else(Instant::now);
                matches!(stop.or(tokio::time::timeout_at(end, changes.changed())).await, Some(Ok(_)))
            };
            if !goes_on {
                return Ok(batch);
            }
        }
    }
}
