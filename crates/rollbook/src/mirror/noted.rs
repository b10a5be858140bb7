//! Which sessions are done: a file of a line each, so that a run that stopped goes on where it was.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The sessions that ended and are recorded.
#[derive(Debug)]
pub struct Noted {
    path: PathBuf,
    file: File,
    before: HashSet<Box<str>>,
    added: HashSet<Box<str>>,
}

/// Why it can't be noted what is done.
#[derive(Debug, thiserror::Error)]
pub enum NotedError {
    /// The file can't be read or written.
    #[error("can't note in {} which sessions are done: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file is of another mirror.
    #[error("{} notes the sessions of {found:?}, and not of {wanted:?}: name another file with --state", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: String,
    },
}

impl Noted {
    /// The file's notes of what is mirrored from `from` to where; a new file where there is none.
    ///
    /// # Errors
    /// Where the file can't be used, or is of another mirror.
    pub fn open(path: &Path, from: &str) -> Result<Self, NotedError> {
        let failed = |cause| NotedError::File { path: path.into(), cause };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed(error)),
        };
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        // A line that was cut off when a run was killed is none.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = whole.lines();
        match lines.next() {
            Some(found) if found != from => {
                return Err(NotedError::Other { path: path.into(), found: found.to_owned(), wanted: from.to_owned() });
            }
            Some(_) if !text.ends_with('\n') => file.write_all(b"\n").map_err(failed)?,
            Some(_) => {}
            None => writeln!(file, "{from}").map_err(failed)?,
        }
        Ok(Self { path: path.into(), file, before: lines.map(Into::into).collect(), added: HashSet::new() })
    }

    /// Whether a session is done.
    #[must_use]
    pub fn has(&self, session: &str) -> bool {
        self.was_before(session) || self.added.contains(session)
    }

    /// Whether it was done when the file was opened.
    #[must_use]
    pub fn was_before(&self, session: &str) -> bool {
        self.before.contains(session)
    }

    /// Notes that a session is done.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn add(&mut self, session: &str) -> Result<(), NotedError> {
        if !self.has(session) && self.added.insert(session.into()) {
            writeln!(self.file, "{session}").map_err(|cause| NotedError::File { path: self.path.clone(), cause })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_to_the_next_run_and_no_half_line_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.done");
        let mut noted = Noted::open(&path, "a to b").unwrap();
        noted.add("s-1").unwrap();
        noted.add("s-1").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a to b\ns-1\n");
        std::fs::write(&path, "a to b\ns-1\ns-2").unwrap();
        let mut noted = Noted::open(&path, "a to b").unwrap();
        assert_eq!((noted.has("s-1"), noted.has("s-2")), (true, false));
        noted.add("s-3").unwrap();
        assert!(Noted::open(&path, "a to b").unwrap().has("s-3"));
        let error = Noted::open(&path, "a to c").unwrap_err().to_string();
        assert!(error.ends_with("notes the sessions of \"a to b\", and not of \"a to c\": name another file with --state"), "{error}");
    }
}
