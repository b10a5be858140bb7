//! The data folder: made, locked against a second process, its database opened and brought to today's schema.

use super::schema;
use crate::transfer::Mark;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The database within the data folder.
const LEDGER: &str = "ledger.db";
/// The file whose lock says that a process is at work in the folder. It stays when the process ends; its lock doesn't.
const LOCK: &str = "rollbook.lock";

/// Why a data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder, or the lock in it, can't be made or read.
    #[error("data folder {} can't be used: {reason}. Check that it is on a disk that works and that this user may write to it", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// Another process has it.
    #[error("data folder {} is in use by another rollbook: stop that one first, or give this one a data folder of its own", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// A newer rollbook wrote it.
    #[error(
        "{} has schema version {found}, and this rollbook knows versions up to {known}: start the newer rollbook that wrote it, \
         or restore a backup from before the upgrade", file.display()
    )]
    Newer {
        /// The database.
        file: PathBuf,
        /// Its version.
        found: usize,
        /// The latest version that this binary knows.
        known: usize,
    },
    /// Something else wrote it.
    #[error("{} is a database of something other than rollbook: choose another data folder", file.display())]
    Foreign {
        /// The database.
        file: PathBuf,
    },
    /// There is none.
    #[error("there is no ledger in {}: {LEDGER} is missing", folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
    },
    /// It is being moved, or was.
    #[error("data folder {}: {mark}", folder.display())]
    Marked {
        /// The folder.
        folder: PathBuf,
        /// What it is marked with.
        mark: Mark,
    },
    /// SQLite refuses it.
    #[error("{} can't be opened: {reason}", file.display())]
    Database {
        /// The database.
        file: PathBuf,
        /// What SQLite said.
        reason: String,
    },
}

impl OpenError {
    pub(super) fn database(file: &Path, error: &rusqlite::Error) -> Self {
        Self::Database { file: file.into(), reason: error.to_string() }
    }

    pub(super) fn thread(file: &Path, error: &io::Error) -> Self {
        Self::Database { file: file.into(), reason: format!("no thread for its writer: {error}") }
    }
}

/// A data folder that is this process's own while this lives.
pub(super) struct Folder {
    ledger: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where there is none, and takes its lock.
    pub(super) fn take(folder: &Path) -> Result<Self, OpenError> {
        let failed = |reason| OpenError::Folder { folder: folder.into(), reason };
        make(folder).map_err(failed)?;
        let lock = File::options().create(true).truncate(false).write(true).open(folder.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { ledger: folder.join(LEDGER), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { folder: folder.into() }),
            Err(TryLockError::Error(reason)) => Err(failed(reason)),
        }
    }

    /// The database file.
    pub(super) fn ledger(&self) -> &Path {
        &self.ledger
    }
}

/// Attendance is personal data: a folder that is made here is its owner's alone. Its name is synced, so that the ledger in it can't
/// be lost with it.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    let folder = fs::canonicalize(folder)?;
    if cfg!(unix) {
        for above in folder.ancestors().skip(1).take(2) {
            File::open(above)?.sync_all()?;
        }
    }
    Ok(())
}

/// The database file of a folder that has one, of a version that this binary knows or of one before it.
pub(super) fn existing(dir: &Path) -> Result<PathBuf, OpenError> {
    let file = dir.join(LEDGER);
    if !file.is_file() {
        return Err(OpenError::Missing { folder: dir.into() });
    }
    let conn = reading(&file).map_err(|error| OpenError::database(&file, &error))?;
    match schema::version(&conn, &file)? {
        0 => Err(OpenError::Foreign { file }),
        _ => Ok(file),
    }
}

/// A connection that changes what is there, beside the one that writes.
pub(super) fn changing(file: &Path) -> rusqlite::Result<Connection> {
    let conn = connect(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;")?;
    Ok(conn)
}

/// The connection that writes.
pub(super) fn writing(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = connect(file, flags)?;
    // WAL with FULL syncs every commit before it returns: that is what an acknowledgement stands for. The two `fullfsync` ask macOS for
    // a sync that reaches the disk. When the log is copied into the database is for `checkpoints` to say.
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
         PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -65536;",
    )?;
    Ok(conn)
}

/// One of the connections that read.
pub(super) fn reading(file: &Path) -> rusqlite::Result<Connection> {
    let conn = connect(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.execute_batch("PRAGMA cache_size = -16384;")?;
    Ok(conn)
}

fn connect(file: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(file, flags)?;
    // Someone may be copying the database with SQLite's own shell; that takes a lock for moments.
    conn.busy_timeout(Duration::from_secs(10))?;
    conn.set_prepared_statement_cache_capacity(64);
    // Else statements whose plan might depend on what is bound to them are prepared again each time that something is.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Sorting in memory keeps reads working when the disk is full. No mmap: with it a failing disk kills the process instead of one read.
    conn.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;")?;
    Ok(conn)
}
