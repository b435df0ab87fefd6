//! Checkpoints: up to which record each function has handled each stream. They survive restarts.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::Error;

/// The checkpoints. Clones share them.
#[derive(Clone)]
pub(crate) struct Checkpoints(Arc<Mutex<Connection>>);

impl Checkpoints {
    /// Opens the checkpoints in a file, which is created if it does not exist, or in memory.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub(crate) fn open(location: Option<&Path>) -> Result<Self, Error> {
        let open = || -> rusqlite::Result<Connection> {
            let connection = match location {
                Some(path) => Connection::open(path)?,
                None => Connection::open_in_memory()?,
            };
            // Checkpoints survive the process. After a power failure records may be delivered again, which is
            // allowed.
            connection.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
                 CREATE TABLE IF NOT EXISTS checkpoints (
                   function TEXT NOT NULL, stream TEXT NOT NULL, sequence TEXT NOT NULL,
                   PRIMARY KEY (function, stream)
                 ) WITHOUT ROWID;",
            )?;
            Ok(connection)
        };
        let connection =
            open().map_err(|error| Error::fault("The checkpoints cannot be opened").caused_by(error))?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// The sequence number of the last record that a function has handled of a table's stream.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn read(&self, function: &str, table: &str) -> Result<Option<String>, Error> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connection
            .prepare_cached("SELECT sequence FROM checkpoints WHERE function = ?1 AND stream = ?2")
            .and_then(|mut read| read.query_row([function, table], |row| row.get(0)).optional())
            .map_err(|error| Error::fault("A checkpoint cannot be read").caused_by(error).about(table))
    }

    /// Saves this sequence number.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn save(&self, function: &str, table: &str, sequence: &str) -> Result<(), Error> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO checkpoints (function, stream, sequence) VALUES (?1, ?2, ?3)",
            )
            .and_then(|mut save| save.execute(params![function, table, sequence]))
            .map(|_| ())
            .map_err(|error| Error::fault("A checkpoint cannot be kept").caused_by(error).about(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("checkpoints");
        let checkpoints = Checkpoints::open(Some(&file)).unwrap();
        assert_eq!(checkpoints.read("Fanout", "core").unwrap(), None);
        checkpoints.save("Fanout", "core", "100000000000000000001").unwrap();
        checkpoints.save("Fanout", "core", "100000000000000000002").unwrap();
        drop(checkpoints);
        let again = Checkpoints::open(Some(&file)).unwrap();
        assert_eq!(again.read("Fanout", "core").unwrap().unwrap(), "100000000000000000002");
    }
}
