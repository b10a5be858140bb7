//! A few connections that read, each used by one task at a time, on threads that may wait for a disk.

use super::open;
use crate::contract::StoreError;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// The pool; connections open when they are first needed.
pub(super) struct Readers {
    file: PathBuf,
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(file: PathBuf, most: usize) -> Self {
        Self { file, turns: Arc::new(Semaphore::new(most)), idle: Arc::default() }
    }

    /// Runs `work` in a transaction of its own: all that it reads is of one moment.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(unavailable)?;
        let (file, idle) = (self.file.clone(), Arc::clone(&self.idle));
        let task = tokio::task::spawn_blocking(move || {
            // The turn ends with the work, even where nobody waits for it any more.
            let _turn = turn;
            let spare = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let conn = match spare {
                Some(conn) => conn,
                None => open::reading(&file)?,
            };
            let result = conn.unchecked_transaction().map_err(StoreError::from).and_then(|txn| work(&txn));
            if conn.is_autocommit() {
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
            }
            result
        });
        task.await.map_err(unavailable)?
    }
}

fn unavailable(error: impl std::error::Error) -> StoreError {
    StoreError::Unavailable(format!("a read was cut off: {error}"))
}
