//! The data folder: where everything is that a restart must find, used by one process at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use stella::error::{Code, Error, Kind};

/// The files that we make, without what SQLite puts beside them.
const DATABASES: [&str; 4] = ["tables.db", "queues.db", "secrets.db", "checkpoints.db"];
/// What SQLite puts beside a file.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];
/// Where the default tenant's key is.
const TENANT: &str = "default-tenant.json";

/// Where the stack keeps its data.
#[derive(Debug, Clone)]
pub enum Data {
    /// In memory: gone when the process ends.
    Memory,
    /// In a folder, made if absent.
    Folder(PathBuf),
}

impl Data {
    /// The place of one of our files.
    pub(crate) fn file(&self, name: &str) -> Option<PathBuf> {
        match self {
            Self::Memory => None,
            Self::Folder(folder) => Some(folder.join(name)),
        }
    }

    /// Takes the folder for this process, until what is returned is dropped.
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
                let text = "Another process uses the data folder; stop it, or choose another with --data-dir";
                Err(Error::new(Kind::Conflict, Code::FolderInUse, text).about(folder.display().to_string()))
            }
        }
    }

    /// Forgets everything that was kept. What is not ours stays where it is.
    ///
    /// # Errors
    /// If another process uses the folder, or a file cannot be removed.
    pub fn clear(&self) -> Result<(), Error> {
        let Some(_lock) = self.lock()? else { return Ok(()) };
        let files = DATABASES.iter().flat_map(|name| BESIDE.iter().map(move |end| format!("{name}{end}")));
        for file in files.chain([TENANT.to_owned()]).filter_map(|name| self.file(&name)) {
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

    /// What was last written about the default tenant.
    pub(crate) fn read_tenant(&self) -> Result<Option<String>, Error> {
        let Some(file) = self.file(TENANT) else { return Ok(None) };
        match fs::read_to_string(&file) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(tenant_failed(&file, error)),
        }
    }

    /// Writes it, for the owner's eyes only; whole or not at all.
    pub(crate) fn write_tenant(&self, text: &str) -> Result<(), Error> {
        let Some(file) = self.file(TENANT) else { return Ok(()) };
        let fresh = file.with_extension("new");
        let write = || -> io::Result<()> {
            // A leftover could have another mode.
            match fs::remove_file(&fresh) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            let mut opened = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&fresh)?;
            opened.write_all(text.as_bytes())?;
            opened.sync_all()?;
            fs::rename(&fresh, &file)
        };
        write().map_err(|error| tenant_failed(&file, error))
    }
}

fn tenant_failed(file: &Path, error: io::Error) -> Error {
    Error::fault("The default tenant's key cannot be kept").about(file.display().to_string()).caused_by(error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_is_for_one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::Folder(folder.path().join("data"));
        let lock = data.lock().unwrap();
        let refused = data.lock().unwrap_err();
        assert_eq!(refused.code, Code::FolderInUse);
        assert!(refused.to_string().contains("--data-dir"), "{refused}");
        drop(lock);
        data.lock().unwrap();
    }

    #[test]
    fn clearing_removes_what_is_ours_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::Folder(folder.path().to_owned());
        for name in ["tables.db", "tables.db-wal", "default-tenant.json", "letter.txt"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        data.clear().unwrap();
        let mut left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["letter.txt", "lock"]);
    }

    #[test]
    fn the_tenants_key_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::Folder(folder.path().to_owned());
        assert_eq!(data.read_tenant().unwrap(), None);
        data.write_tenant("one").unwrap();
        data.write_tenant("two").unwrap();
        assert_eq!(data.read_tenant().unwrap().unwrap(), "two");
        let mode = fs::metadata(folder.path().join(TENANT)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
