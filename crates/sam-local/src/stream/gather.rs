//! Gathering a batch from a stream: what matches, up to a size, within a window.

use crate::error::Error;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Mapping;
use super::record::Entry;
use crate::signal::Signal;

/// The fewest records read at once, so that patterns that drop most cost few reads.
const MIN_READ: usize = 100;
/// The most that one read gives.
const MAX_READ: usize = 1000;
/// Lambda's largest event, in bytes: a batch ends with the record that reaches it.
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;
/// After so many records that no pattern wants, the checkpoint moves without an invocation.
const MAX_SKIPPED: usize = 1000;

/// Records to be handled, and how far the stream was read for them.
#[derive(Default)]
pub(super) struct Batch {
    /// What matched, in order.
    pub(super) entries: Vec<Entry>,
    /// The last record examined, whether it matched or not.
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
    /// The next batch after a position. Waits for one; ends with what there is when it is time to stop.
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
            // Seen before the read: a write during it wakes the wait that follows.
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
