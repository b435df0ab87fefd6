//! The secrets in SQLite, in a file that only this user can read.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::secret::{ARN, Content, Secret, Version};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS secrets (
  name TEXT PRIMARY KEY, arn TEXT NOT NULL, description TEXT NOT NULL, tags TEXT NOT NULL,
  created INTEGER NOT NULL, changed INTEGER NOT NULL, accessed INTEGER,
  deleted INTEGER, gone INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
  number INTEGER PRIMARY KEY AUTOINCREMENT, secret TEXT NOT NULL, id TEXT NOT NULL,
  created INTEGER NOT NULL, text TEXT, binary TEXT, stages TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS of_secret ON versions (secret);
";

pub(super) struct Store(Connection);

impl Store {
    pub(super) fn open(location: Option<&Path>) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let connection = match location {
            Some(path) => {
                own(path)?;
                Connection::open(path)?
            }
            None => Connection::open_in_memory()?,
        };
        connection.busy_timeout(Duration::ZERO)?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(connection))
    }

    /// The secret with a name, an ARN, or an ARN without its random characters. A deleted secret whose
    /// recovery window is over is removed, and not found.
    pub(super) fn find(&mut self, id: &str, now: i64) -> rusqlite::Result<Option<Secret>> {
        let sql = "SELECT name, arn, description, tags, created, changed, accessed, deleted, gone
                   FROM secrets WHERE name = ?1 OR name = ?2 OR arn = ?3 ORDER BY name = ?1 DESC LIMIT 1";
        let of_arn = id.strip_prefix(ARN);
        let found = self.0.prepare_cached(sql)?.query_row(params![id, of_arn, id], secret).optional()?;
        let Some(mut secret) = found else { return Ok(None) };
        if secret.deletion.is_some_and(|(_, gone)| gone <= now) {
            self.remove(&secret.name)?;
            return Ok(None);
        }
        let sql = "SELECT id, created, text, binary, stages FROM versions WHERE secret = ?1 ORDER BY number";
        secret.versions = self
            .0
            .prepare_cached(sql)?
            .query_map([&secret.name], version)?
            .collect::<rusqlite::Result<_>>()?;
        Ok(Some(secret))
    }

    pub(super) fn names(&self) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.0.prepare_cached("SELECT name FROM secrets ORDER BY name")?;
        statement.query_map([], |row| row.get(0))?.collect()
    }

    pub(super) fn save(&mut self, secret: &Secret) -> rusqlite::Result<()> {
        let transaction = self.0.transaction()?;
        transaction.execute(
            "INSERT OR REPLACE INTO secrets VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                secret.name,
                secret.arn,
                secret.description,
                secret.tags.to_string(),
                secret.created,
                secret.changed,
                secret.accessed,
                secret.deletion.map(|(deleted, _)| deleted),
                secret.deletion.map(|(_, gone)| gone),
            ],
        )?;
        transaction.execute("DELETE FROM versions WHERE secret = ?1", [&secret.name])?;
        for version in &secret.versions {
            let (text, binary) = match &version.content {
                Content::Text(text) => (Some(text), None),
                Content::Binary(binary) => (None, Some(binary)),
            };
            let stages = serde_json::json!(version.stages).to_string();
            transaction.execute(
                "INSERT INTO versions (secret, id, created, text, binary, stages) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![secret.name, version.id, version.created, text, binary, stages],
            )?;
        }
        transaction.commit()
    }

    pub(super) fn accessed(&self, name: &str, now: i64) -> rusqlite::Result<()> {
        self.0
            .prepare_cached("UPDATE secrets SET accessed = ?2 WHERE name = ?1")?
            .execute(params![name, now])?;
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> rusqlite::Result<()> {
        let transaction = self.0.transaction()?;
        transaction.execute("DELETE FROM secrets WHERE name = ?1", [name])?;
        transaction.execute("DELETE FROM versions WHERE secret = ?1", [name])?;
        transaction.commit()
    }
}

/// Creates the file with mode 0600, which SQLite uses for its journal too.
fn own(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn secret(row: &Row<'_>) -> rusqlite::Result<Secret> {
    let tags: String = row.get(3)?;
    let deleted: Option<i64> = row.get(7)?;
    Ok(Secret {
        name: row.get(0)?,
        arn: row.get(1)?,
        description: row.get(2)?,
        tags: serde_json::from_str(&tags).unwrap_or_default(),
        created: row.get(4)?,
        changed: row.get(5)?,
        accessed: row.get(6)?,
        deletion: deleted.zip(row.get(8)?),
        versions: Vec::new(),
    })
}

fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    let text: Option<String> = row.get(2)?;
    let content = match text {
        Some(text) => Content::Text(text),
        None => Content::Binary(row.get(3)?),
    };
    let stages: String = row.get(4)?;
    Ok(Version {
        id: row.get(0)?,
        created: row.get(1)?,
        content,
        stages: serde_json::from_str(&stages).unwrap_or_default(),
    })
}
