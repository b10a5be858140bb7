//! A file of a data folder that is read whole and replaced whole, by any number of processes at once.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use tokio::task::JoinError;

/// Why such a file could not be read or replaced.
#[derive(Debug, thiserror::Error)]
#[error("{what} {path}: {cause}", path = .path.display())]
pub struct FileError {
    /// What was tried.
    pub what: &'static str,
    /// With which file.
    pub path: PathBuf,
    /// Why it failed.
    pub cause: io::Error,
}

impl FileError {
    fn of<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |cause| Self { what, path: path.to_owned(), cause }
    }
}

/// The file `name` of a folder; neither needs to exist yet.
#[derive(Clone)]
pub(crate) struct WholeFile {
    dir: PathBuf,
    name: &'static str,
}

/// What tells one state of the file from another. Every change is a rename of a new file, so one of these always differs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp {
    modified: Option<std::time::SystemTime>,
    len: u64,
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            modified: meta.modified().ok(),
            len: meta.len(),
            #[cfg(unix)]
            inode: (meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// The file as it stands, with the stamp of exactly what was read; no stamp and no bytes where there is no file.
pub(crate) struct Reading {
    pub(crate) stamp: Option<Stamp>,
    pub(crate) bytes: Result<Option<Vec<u8>>, FileError>,
}

impl WholeFile {
    pub(crate) fn new(dir: &Path, name: &'static str) -> Self {
        Self { dir: dir.to_owned(), name }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join(self.name)
    }

    /// The stamp of the file as it stands; none where there is no file.
    pub(crate) fn stamp(&self) -> Result<Option<Stamp>, FileError> {
        let path = self.path();
        match fs::metadata(&path) {
            Ok(meta) => Ok(Some(Stamp::of(&meta))),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(FileError::of("can't look at", &path)(cause)),
        }
    }

    pub(crate) fn read(&self) -> Reading {
        let path = self.path();
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Reading { stamp: None, bytes: Ok(None) },
            Err(cause) => return Reading { stamp: self.stamp().ok().flatten(), bytes: Err(FileError::of("can't open", &path)(cause)) },
        };
        let stamp = file.metadata().ok().map(|meta| Stamp::of(&meta));
        let mut bytes = Vec::new();
        let read = file.read_to_end(&mut bytes).map_err(FileError::of("can't read", &path));
        Reading { stamp, bytes: read.map(|_| Some(bytes)) }
    }

    /// Reads the file, lets `change` say what becomes of it, and replaces it. One process at a time, so that of two commands at once
    /// neither undoes the other's work. Where `change` fails, the file stays as it was.
    pub(crate) fn edit<T, E: From<FileError>>(&self, change: impl FnOnce(Option<Vec<u8>>) -> Result<(String, T), E>) -> Result<T, E> {
        make(&self.dir).map_err(FileError::of("can't create", &self.dir))?;
        let lock_path = self.path().with_extension("lock");
        // The lock is a file of its own because the file is replaced: a lock on it would be one on its former self.
        let lock = private().create(true).truncate(false).open(&lock_path).map_err(FileError::of("can't open", &lock_path))?;
        lock.lock().map_err(FileError::of("can't lock", &lock_path))?;
        let (text, outcome) = change(self.read().bytes?)?;
        self.replace(&text)?;
        Ok(outcome)
    }

    /// A crash leaves the old file or the new one, never a part: written aside, synced, renamed, and the rename synced too.
    fn replace(&self, text: &str) -> Result<(), FileError> {
        let (path, aside) = (self.path(), self.dir.join(format!("{}.new", self.name)));
        let failed = |what| FileError::of(what, &path);
        // Left over by a crash, and perhaps with another mode: a file keeps the mode that it was created with.
        fs::remove_file(&aside)
            .or_else(|cause| if cause.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(cause) })
            .map_err(failed("can't write"))?;
        let mut file = private().create_new(true).open(&aside).map_err(failed("can't write"))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed("can't write"))?;
        fs::rename(&aside, &path).map_err(failed("can't replace"))?;
        // Elsewhere a folder can't be opened as a file, and the rename is on its own.
        if cfg!(unix) {
            File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(FileError::of("can't sync", &self.dir))?;
        }
        Ok(())
    }
}

/// What a file says, told again whenever it has changed.
pub(crate) struct Changes<T, E> {
    file: WholeFile,
    parse: fn(&WholeFile, Option<&[u8]>) -> Result<T, E>,
    /// The state of the file that was told.
    told: Option<Option<Stamp>>,
}

impl<T: Send + 'static, E: From<FileError> + From<JoinError> + Send + 'static> Changes<T, E> {
    /// Of the file as `parse` reads it, given no bytes where there is no file.
    pub(crate) fn new(file: WholeFile, parse: fn(&WholeFile, Option<&[u8]>) -> Result<T, E>) -> Self {
        Self { file, parse, told: None }
    }

    /// What it says, where that may be something else than the last time.
    pub(crate) async fn next(&mut self) -> Result<Option<T>, E> {
        let (file, parse, told) = (self.file.clone(), self.parse, self.told);
        let reading = aside::<_, E>(move || {
            let stands = file.stamp()?;
            if told == Some(stands) {
                return Ok(None);
            }
            let reading = file.read();
            Ok(Some((reading.stamp, parse(&file, reading.bytes?.as_deref())?)))
        });
        let Some((stamp, said)) = reading.await? else { return Ok(None) };
        self.told = Some(stamp);
        Ok(Some(said))
    }
}

/// Does what waits for the disk where no request waits behind it.
pub(crate) async fn aside<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<JoinError> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await?
}

/// Files that only their owner reads: who has which access is nobody else's business.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Like the store, which may find the folder made by us: a data folder is its owner's alone.
fn make(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
}
