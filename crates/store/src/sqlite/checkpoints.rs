//! Checkpoints: what commits wrote to the log is copied into the database beside them, on a thread and a connection of its own.
//!
//! Whoever copies the log's pages also waits until the disk has them. If the committing thread did it, everyone who delivers would wait too.
//! So another does nearly all of it. What was added meanwhile, few pages, the committing thread copies between two commits, at about the cost
//! of one more: the log begins anew only where nothing in it is left to copy, and only when nobody writes can that be.

use super::open;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// How many pages of 4 KiB are in the log when something happens.
#[derive(Clone, Copy)]
pub(super) struct Pages {
    /// The other thread begins to copy. So much at a time that a page that changed often is copied once.
    pub(super) many: u32,
    /// What may be left for the committing thread.
    pub(super) few: u32,
    /// The committing thread waits for the other, and copies what is left, however much it is: what bounds the log.
    pub(super) most: u32,
}

impl Pages {
    /// 16 MiB, 1 MiB, 64 MiB.
    pub(super) const USUAL: Self = Self { many: 4096, few: 256, most: 16_384 };
}

/// What both threads know.
#[derive(Default)]
struct Shared {
    /// How many pages are in the log since the last commit.
    log: AtomicU32,
    /// Whether there is so little left to copy that the committing thread may do it.
    nearly: AtomicBool,
    /// Whoever copies has it.
    turn: Mutex<()>,
}

/// The committing thread's side. Dropping it waits for the other thread.
pub(super) struct Checkpoints {
    shared: Arc<Shared>,
    pages: Pages,
    /// What the log had after the commit before, and what it will have when it is to be copied again.
    before: u32,
    next: u32,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Takes over from SQLite, which would copy in each commit that finds the log too long.
    ///
    /// # Errors
    /// Where the database can't be opened once more, or the system gives no thread.
    pub(super) fn start(writing: &mut Connection, file: &Path, pages: Pages) -> rusqlite::Result<Self> {
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        writing.wal_hook(Some(move |_: &mut Wal, pages: i32| {
            told.log.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let conn = open::changing(file)?;
        let (wake, woken) = sync_channel(1);
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("rollbook-checkpoint".into());
        let thread = thread.spawn(move || copy_when_woken(&conn, &of_thread, pages, &woken));
        // Without the thread, the committing one copies at the bound.
        let thread = thread.inspect_err(|error| tracing::warn!(%error, "no thread for checkpoints")).ok();
        Ok(Self { shared, pages, before: 0, next: pages.many, wake: Some(wake), thread })
    }

    /// Called by the committing thread between two transactions.
    pub(super) fn after_commit(&mut self, writing: &Connection) {
        let log = self.shared.log.load(Ordering::Relaxed);
        if log < self.before {
            self.next = self.pages.many;
        }
        self.before = log;
        if log >= self.pages.most {
            let _turn = self.shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
            copy(writing);
        } else if self.shared.nearly.swap(false, Ordering::Relaxed) {
            if let Ok(_turn) = self.shared.turn.try_lock() {
                copy(writing);
            }
        } else if log >= self.next {
            self.next = log.saturating_add(self.pages.many);
            // Where one wake-up waits already, it is for this too.
            let _ = self.wake.as_ref().map(|wake| wake.try_send(()));
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the checkpoint thread panicked");
        }
    }
}

/// The other thread: copies until little is left. A reader of what was before keeps it from copying more; then the next wake-up goes on.
fn copy_when_woken(conn: &Connection, shared: &Shared, pages: Pages, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        let mut before = 0;
        loop {
            let turn = shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(copied) = copy(conn) else { break };
            drop(turn);
            if shared.log.load(Ordering::Relaxed).saturating_sub(copied) <= pages.few {
                shared.nearly.store(true, Ordering::Relaxed);
                break;
            }
            if copied <= before {
                break;
            }
            before = copied;
        }
    }
}

/// Copies what can be copied without waiting for anybody; returns how many of the log's pages are in the database. A failure changes nothing
/// that was acknowledged: the log has it all.
fn copy(conn: &Connection) -> Option<u32> {
    match conn.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE) {
        Ok((_, copied)) => Some(u32::try_from(copied).unwrap_or(0)),
        Err(error) => {
            tracing::debug!(%error, "the log was not copied");
            None
        }
    }
}
