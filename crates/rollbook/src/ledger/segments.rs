//! The rosters of ended sessions as files, mapped into memory. A cache: every file can be deleted at any time.

use super::View;
use super::basis::{Basis, Held};
use bytes::Bytes;
use rollbook_core::id::App;
use rollbook_core::roster::Snapshot;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// A folder of segments, or none.
pub(super) struct Segments(Option<PathBuf>);

impl Segments {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }

    /// The segment of a session, if there is one that this version reads.
    pub(super) fn open(&self, app: &App, session: Uuid, view: View, epoch: u64) -> Option<Held> {
        let roster = Snapshot::new(map(&self.path(app, session, view)?).ok()?).ok()?;
        let basis = Basis::decode(roster.tag())?;
        let print = roster.is_steady().then(|| basis.print());
        Some(Held { roster: Arc::new(roster), basis, mapped: true, epoch, complete: true, searches: Arc::default(), print })
    }

    /// Writes a segment, where there is a folder, in place of an older one: readers have either. One that can't be written is missed by nobody.
    pub(super) fn write(&self, app: &App, session: Uuid, view: View, roster: &[u8]) {
        let Some(path) = self.path(app, session, view) else { return };
        if let Err(error) = replace(&path, roster) {
            tracing::warn!(%error, path = %path.display(), "segment not written; the roster is made from the journal instead");
        }
    }

    fn path(&self, app: &App, session: Uuid, view: View) -> Option<PathBuf> {
        let name = match view {
            View::Raw => format!("{session}.raw"),
            View::Consolidated => format!("{session}.all"),
        };
        let shard = &name[..2];
        Some(self.0.as_ref()?.join(app.namespace().to_string()).join(shard).join(name))
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_data()?;
    temporary.persist(path)?;
    Ok(())
}

#[expect(unsafe_code, reason = "mapping a file is the one thing here that needs it")]
fn map(path: &Path) -> io::Result<Bytes> {
    let file = File::open(path)?;
    // SAFETY: segments are never changed in place: `replace` renames a whole new file over the old one, whose map stays as it was.
    let map = unsafe { memmap2::Mmap::map(&file)? };
    Ok(Bytes::from_owner(map))
}
