//! The queues and their messages in SQLite: visibility, dead letters and their redrive.
//!
//! A message that is not visible is in flight if it has a receipt, and delayed if it has none.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Map, Value};

use super::fair_queue::round_robin;
use super::wire::Refusal;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS queues (
  name TEXT PRIMARY KEY, attributes TEXT NOT NULL, tags TEXT NOT NULL,
  created INTEGER NOT NULL, modified INTEGER NOT NULL, purged INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, turn TEXT NOT NULL, visible_at INTEGER NOT NULL,
  message_id TEXT NOT NULL, body TEXT NOT NULL, attributes TEXT NOT NULL, system TEXT NOT NULL,
  sent INTEGER NOT NULL, first_received INTEGER, receives INTEGER NOT NULL DEFAULT 0, receipt TEXT);
CREATE INDEX IF NOT EXISTS due ON messages (queue, visible_at, id, turn);
CREATE INDEX IF NOT EXISTS turns ON messages (queue, turn, visible_at);
";

/// How often expired messages of a queue are deleted, in milliseconds.
const EXPIRY_INTERVAL_MILLIS: i64 = 60_000;

/// A queue as it is stored. Times are milliseconds since 1970.
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) attributes: Map<String, Value>,
    pub(super) tags: Map<String, Value>,
    pub(super) created: i64,
    pub(super) modified: i64,
    pub(super) purged: Option<i64>,
}

/// A message to be stored.
pub(super) struct Sent {
    pub(super) message_id: String,
    pub(super) body: String,
    pub(super) attributes: Map<String, Value>,
    pub(super) system: Map<String, Value>,
    pub(super) group: String,
    pub(super) visible_at: i64,
}

/// A received message.
pub(super) struct Received {
    pub(super) id: i64,
    pub(super) message_id: String,
    pub(super) body: String,
    pub(super) attributes: Map<String, Value>,
    pub(super) system: Map<String, Value>,
    pub(super) group: String,
    pub(super) sent: i64,
    pub(super) first: Option<i64>,
    pub(super) receives: i64,
    pub(super) receipt: String,
}

/// A redrive policy: the dead-letter queue, and after how many receives messages are moved there.
pub(super) struct Redrive {
    pub(super) queue: String,
    pub(super) most: i64,
    pub(super) source_arn: String,
}

pub(super) struct Store {
    connection: Connection,
    /// The group that was served last, by queue.
    served: HashMap<String, String>,
    /// When expired messages were last deleted, by queue.
    searched: HashMap<String, i64>,
}

impl Store {
    /// Opens the file exclusively: another process would make visible what this one has in flight.
    pub(super) fn open(location: Option<&Path>) -> rusqlite::Result<Self> {
        let connection = match location {
            Some(path) => Connection::open(path)?,
            None => Connection::open_in_memory()?,
        };
        connection.busy_timeout(Duration::ZERO)?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection, served: HashMap::new(), searched: HashMap::new() })
    }

    pub(super) fn queue(&self, name: &str) -> Result<Queue, Refusal> {
        self.find(name)?.ok_or_else(Refusal::no_queue)
    }

    pub(super) fn find(&self, name: &str) -> rusqlite::Result<Option<Queue>> {
        let sql = "SELECT name, attributes, tags, created, modified, purged FROM queues WHERE name = ?1";
        let found = self.connection.prepare_cached(sql)?.query_row([name], |row| {
            Ok(Queue {
                name: row.get(0)?,
                attributes: object(row, 1)?,
                tags: object(row, 2)?,
                created: row.get(3)?,
                modified: row.get(4)?,
                purged: row.get(5)?,
            })
        });
        found.optional()
    }

    pub(super) fn names(&self) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.connection.prepare_cached("SELECT name FROM queues ORDER BY name")?;
        statement.query_map([], |row| row.get(0))?.collect()
    }

    pub(super) fn save(&self, queue: &Queue) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO queues VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.connection.prepare_cached(sql)?.execute(params![
            queue.name,
            Value::Object(queue.attributes.clone()).to_string(),
            Value::Object(queue.tags.clone()).to_string(),
            queue.created,
            queue.modified,
            queue.purged
        ])?;
        Ok(())
    }

    pub(super) fn remove_queue(&mut self, name: &str) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        transaction.execute("DELETE FROM messages WHERE queue = ?1", [name])?;
        transaction.execute("DELETE FROM queues WHERE name = ?1", [name])?;
        transaction.commit()
    }

    pub(super) fn purge(&self, name: &str) -> rusqlite::Result<()> {
        self.connection.execute("DELETE FROM messages WHERE queue = ?1", [name])?;
        Ok(())
    }

    /// Stores messages, all or none.
    pub(super) fn send(&mut self, queue: &str, now: i64, messages: &[Sent]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        let sql = "INSERT INTO messages (queue, turn, visible_at, message_id, body, attributes, system, sent)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        for message in messages {
            transaction.prepare_cached(sql)?.execute(params![
                queue,
                message.group,
                message.visible_at,
                message.message_id,
                message.body,
                Value::Object(message.attributes.clone()).to_string(),
                Value::Object(message.system.clone()).to_string(),
                now
            ])?;
        }
        transaction.commit()
    }

    /// Receives up to `most` visible messages, round robin among groups. Messages that were received too
    /// often are moved to the dead-letter queue instead; the flag is true if there were any.
    pub(super) fn receive(
        &mut self,
        queue: &str,
        now: i64,
        visible_again: i64,
        most: usize,
        redrive: Option<&Redrive>,
    ) -> rusqlite::Result<(Vec<Received>, bool)> {
        let mut moved = false;
        let mut received: Vec<Received> = Vec::new();
        let cursor = self.served.get(queue).cloned();
        let mut last = None;
        let transaction = self.connection.transaction()?;
        while received.len() < most {
            let wanted = most.saturating_sub(received.len());
            let ids = round_robin(&transaction, queue, now, wanted, last.as_deref().or(cursor.as_deref()))?;
            if ids.is_empty() {
                break;
            }
            for id in ids {
                let count: i64 = transaction
                    .prepare_cached("SELECT receives FROM messages WHERE id = ?1")?
                    .query_row([id], |r| r.get(0))?;
                if let Some(redrive) = redrive.filter(|redrive| count >= redrive.most) {
                    let sql = "UPDATE messages SET queue = ?2, visible_at = ?3, receives = 0, receipt = NULL,
                               system = json_set(system, '$.DeadLetterQueueSourceArn', ?4) WHERE id = ?1";
                    transaction.prepare_cached(sql)?.execute(params![
                        id,
                        redrive.queue,
                        now,
                        redrive.source_arn
                    ])?;
                    moved = true;
                    continue;
                }
                let sql = "UPDATE messages SET visible_at = ?2, receives = receives + 1, receipt = ?3,
                           first_received = coalesce(first_received, ?4) WHERE id = ?1
                           RETURNING id, message_id, body, attributes, system, turn, sent, first_received, receives, receipt";
                let receipt = uuid::Uuid::new_v4().simple().to_string();
                let message = transaction
                    .prepare_cached(sql)?
                    .query_row(params![id, visible_again, receipt, now], message)?;
                last = Some(message.group.clone());
                received.push(message);
            }
            // Without a visibility timeout, received messages stay visible, so there is one pass only.
            if visible_again <= now {
                break;
            }
        }
        transaction.commit()?;
        if let Some(last) = last {
            self.served.insert(queue.to_owned(), last);
        }
        Ok((received, moved))
    }

    /// The time at which the next message of a queue becomes visible.
    pub(super) fn next_due(&self, queue: &str, now: i64) -> rusqlite::Result<Option<i64>> {
        let sql = "SELECT min(visible_at) FROM messages WHERE queue = ?1 AND visible_at > ?2";
        self.connection.prepare_cached(sql)?.query_row(params![queue, now], |row| row.get(0))
    }

    /// Deletes the messages of receipt handles. Old handles have no effect.
    pub(super) fn delete(&mut self, queue: &str, handles: &[(i64, &str)]) -> rusqlite::Result<()> {
        let sql = "DELETE FROM messages WHERE id = ?1 AND queue = ?2 AND receipt = ?3";
        let transaction = self.connection.transaction()?;
        for (id, receipt) in handles {
            transaction.prepare_cached(sql)?.execute(params![id, queue, receipt])?;
        }
        transaction.commit()
    }

    /// Changes when a message in flight becomes visible. Returns whether it is in flight; `None` if it does
    /// not exist.
    pub(super) fn hide(
        &self,
        queue: &str,
        id: i64,
        receipt: &str,
        now: i64,
        until: i64,
    ) -> rusqlite::Result<Option<bool>> {
        let sql = "SELECT visible_at > ?4 FROM messages WHERE id = ?1 AND queue = ?2 AND receipt = ?3";
        let in_flight: Option<bool> = self
            .connection
            .prepare_cached(sql)?
            .query_row(params![id, queue, receipt, now], |row| row.get(0))
            .optional()?;
        if in_flight == Some(true) {
            let sql = "UPDATE messages SET visible_at = ?2 WHERE id = ?1";
            self.connection.prepare_cached(sql)?.execute(params![id, until])?;
        }
        Ok(in_flight)
    }

    /// The number of messages that are visible, in flight, and delayed.
    pub(super) fn counts(&self, queue: &str, now: i64) -> rusqlite::Result<(i64, i64, i64)> {
        let sql = "SELECT count(*) FILTER (WHERE visible_at <= ?2),
                          count(*) FILTER (WHERE visible_at > ?2 AND receipt IS NOT NULL),
                          count(*) FILTER (WHERE visible_at > ?2 AND receipt IS NULL)
                   FROM messages WHERE queue = ?1";
        self.connection
            .prepare_cached(sql)?
            .query_row(params![queue, now], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }

    /// Makes all messages in flight visible, after a crash. Their last receive does not count, unless it was
    /// the first: the receiver did not fail, it ended with the whole process.
    pub(super) fn release(&self, now: i64) -> rusqlite::Result<usize> {
        let sql = "UPDATE messages SET visible_at = ?1, receives = max(1, receives - 1)
                   WHERE receipt IS NOT NULL AND visible_at > ?1";
        self.connection.execute(sql, [now])
    }

    /// Deletes the messages of a queue that are older than its retention period. At most once a minute.
    pub(super) fn expire(&mut self, queue: &str, now: i64, keeps: i64) -> rusqlite::Result<()> {
        if self.searched.get(queue).is_some_and(|last| now < last.saturating_add(EXPIRY_INTERVAL_MILLIS)) {
            return Ok(());
        }
        let sql = "DELETE FROM messages WHERE queue = ?1 AND sent < ?2";
        self.connection.prepare_cached(sql)?.execute(params![queue, now.saturating_sub(keeps)])?;
        self.searched.insert(queue.to_owned(), now);
        Ok(())
    }

    /// Moves all visible messages of a dead-letter queue to a queue, or each to its source queue, as if they
    /// were newly sent. Messages whose target does not exist stay.
    pub(super) fn move_all(&self, from: &str, to: Option<&str>, now: i64) -> rusqlite::Result<usize> {
        let target = "coalesce(?2, replace(json_extract(system, '$.DeadLetterQueueSourceArn'), ?4, ''))";
        let sql = format!(
            "UPDATE messages SET queue = {target}, visible_at = ?3, sent = ?3,
               receives = 0, first_received = NULL, receipt = NULL,
               system = json_remove(system, '$.DeadLetterQueueSourceArn')
             WHERE queue = ?1 AND visible_at <= ?3 AND {target} IN (SELECT name FROM queues)"
        );
        self.connection.execute(&sql, params![from, to, now, super::arn("")])
    }
}

fn message(row: &Row<'_>) -> rusqlite::Result<Received> {
    Ok(Received {
        id: row.get(0)?,
        message_id: row.get(1)?,
        body: row.get(2)?,
        attributes: object(row, 3)?,
        system: object(row, 4)?,
        group: row.get(5)?,
        sent: row.get(6)?,
        first: row.get(7)?,
        receives: row.get(8)?,
        receipt: row.get(9)?,
    })
}

fn object(row: &Row<'_>, column: usize) -> rusqlite::Result<Map<String, Value>> {
    let text: String = row.get(column)?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}
