//! Streams of tables: their records in order, kept for a day, with an index that the engine lacks.
//!
//! The engine looks up the last record with every write, and the next ones with every read, in one table that
//! has the records of all streams and never shrinks. Without the index, writes are four times slower after
//! 8000 records.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use dynoxide::actions::get_records::{GetRecordsRequest, Record};
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use rusqlite::{Connection, params};

use super::{DynamoDb, engine};
use crate::error::Error;

/// How long DynamoDB keeps records.
const RETENTION: TimeDelta = TimeDelta::days(1);
/// How many records are deleted in one transaction. Writers wait for its end.
const AT_ONCE: usize = 500;

impl DynamoDb {
    /// Reads up to `limit` (at most 1000) records of a table's stream, oldest first, from its beginning or
    /// after a sequence number. Empty for a table without a stream.
    ///
    /// # Errors
    /// If the table does not exist, or the sequence number was never issued.
    pub fn stream_records(
        &self,
        table: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, Error> {
        let about = |error| engine(&error).about(table);
        let Some(metadata) = self.database.get_table_metadata(table).map_err(about)? else {
            return Err(Error::not_found().about(table));
        };
        if !metadata.stream_enabled {
            return Ok(Vec::new());
        }
        let from = if after.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" };
        let request = GetShardIteratorRequest {
            stream_arn: dynoxide::streams::stream_arn(
                table,
                metadata.stream_label.as_deref().unwrap_or_default(),
            ),
            shard_id: dynoxide::streams::shard_id(table),
            shard_iterator_type: from.to_owned(),
            sequence_number: after.map(str::to_owned),
        };
        let iterator = self.database.get_shard_iterator(request).map_err(about)?;
        let shard_iterator = iterator.shard_iterator.unwrap_or_default();
        let request = GetRecordsRequest { shard_iterator, limit: Some(limit) };
        Ok(self.database.get_records(request).map_err(about)?.records)
    }

    /// The ARN of a table's stream; `None` without a stream.
    ///
    /// # Errors
    /// If the engine fails.
    pub fn stream_arn(&self, table: &str) -> Result<Option<String>, Error> {
        let metadata =
            self.database.get_table_metadata(table).map_err(|error| engine(&error).about(table))?;
        Ok(metadata
            .filter(|metadata| metadata.stream_enabled)
            .map(|metadata| dynoxide::streams::stream_arn(table, &metadata.stream_label.unwrap_or_default())))
    }
}

/// Creates the index, in the file or shared memory that the engine has opened.
pub(super) fn index(name: &str) -> rusqlite::Result<()> {
    let sql = "CREATE INDEX IF NOT EXISTS stream_order
               ON _stream_records (table_name, CAST(sequence_number AS INTEGER))";
    Connection::open(name)?.execute_batch(sql)
}

/// Deletes the records of a file that are too old, in several transactions.
pub(super) fn forget(file: &Path, now: DateTime<Utc>) -> rusqlite::Result<()> {
    let before = now.checked_sub_signed(RETENTION).unwrap_or(DateTime::UNIX_EPOCH).timestamp();
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let mut statement = connection.prepare(
        "DELETE FROM _stream_records WHERE created_at < ?1
           AND id IN (SELECT id FROM _stream_records ORDER BY id LIMIT ?2)",
    )?;
    let limit = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
    while statement.execute(params![before, limit])? == AT_ONCE {}
    Ok(())
}
