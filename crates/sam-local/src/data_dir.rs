//! The data directory: everything that survives a restart. One process uses it at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use crate::error::{Error, ErrorKind};

/// The databases of the services and of the event sources.
const DATABASES: [&str; 4] = ["tables.db", "queues.db", "secrets.db", "checkpoints.db"];
/// The suffixes of a database and of the files that SQLite puts beside it.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Where a stack keeps its data.
#[derive(Debug, Clone)]
pub enum Data {
    /// In memory, until the stack is dropped.
    Memory,
    /// In a directory, which is created if it does not exist.
    Folder(PathBuf),
}

impl Data {
    /// The path of a file in the directory; `None` in memory.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        match self {
            Self::Memory => None,
            Self::Folder(folder) => Some(folder.join(name)),
        }
    }

    /// Locks the directory for this process until the result is dropped.
    pub(crate) fn lock(&self) -> Result<Option<File>, Error> {
        let Self::Folder(folder) = self else { return Ok(None) };
        let failed = |error: io::Error| {
            Error::fault("The data folder cannot be used")
                .about(folder.display().to_string())
                .caused_by(error)
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock"));
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::Error(error)) => Err(failed(error)),
            Err(TryLockError::WouldBlock) => {
                let text = "Another process uses the data folder; stop it, or choose another";
                Err(Error::new(ErrorKind::DataDirInUse, text).about(folder.display().to_string()))
            }
        }
    }

    /// Deletes the files of the services, and those with these names. Other files stay.
    ///
    /// # Errors
    /// If another process uses the directory, or a file cannot be deleted.
    pub fn clear(&self, more: &[&str]) -> Result<(), Error> {
        let Some(_lock) = self.lock()? else { return Ok(()) };
        let files = DATABASES.iter().flat_map(|name| BESIDE.iter().map(move |end| format!("{name}{end}")));
        for file in files.chain(more.iter().map(ToString::to_string)).filter_map(|name| self.file(&name)) {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::fault("A file of the data folder cannot be removed")
                        .about(file.display().to_string())
                        .caused_by(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn one_process_at_a_time_uses_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::Folder(folder.path().join("data"));
        let lock = data.lock().unwrap();
        let refused = data.lock().unwrap_err();
        assert_eq!(refused.kind, ErrorKind::DataDirInUse);
        drop(lock);
        data.lock().unwrap();
    }

    #[test]
    fn clearing_deletes_the_databases_and_the_files_that_are_named_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::Folder(folder.path().to_owned());
        for name in ["tables.db", "tables.db-wal", "key.json", "letter.txt"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        data.clear(&["key.json"]).unwrap();
        let mut left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["letter.txt", "lock"]);
    }
}
