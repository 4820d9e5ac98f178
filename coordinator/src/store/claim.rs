//! One coordinator at a time works on a store; a second one stands by until the first has ended.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use autoopt_epoch::service::systemd;
use sqlx::sqlite::SqliteConnectOptions;

use super::session::Session;
use super::{Store, StoreError};

/// How often one that stands by looks whether the claim is free.
const POLL: Duration = Duration::from_secs(1);
/// How often the session that holds the claim is looked at, for when nothing is committed.
const WATCH: Duration = Duration::from_secs(5);

/// The right to work on a store, until it is dropped or [lost](Claim::lost).
///
/// PostgreSQL: a session's advisory lock, and commits go through that session. SQLite: a lock on the file
/// `DATABASE.lock`, which the system gives up when the process ends, however it ends.
#[derive(Debug)]
pub struct Claim {
    held: Held,
}

#[derive(Debug)]
enum Held {
    Session(Arc<Session>),
    File {
        _lock: File,
    },
    /// A database in memory, which nobody else can reach.
    Memory,
}

impl Claim {
    /// Resolves when somebody else has the store; nothing can be committed any more, and the process has to end.
    ///
    /// A database server that restarts does not cost the claim, unless another coordinator was faster.
    pub async fn lost(&self) {
        let Held::Session(session) = &self.held else { return std::future::pending().await };
        loop {
            tokio::select! {
                () = session.lost.cancelled() => return,
                () = tokio::time::sleep(WATCH) => session.watch().await,
            }
        }
    }
}

impl Store {
    /// Waits until the store is this process's to work on; says once in the log, and to systemd, that it waits.
    ///
    /// # Errors
    /// The lock file cannot be used. A database that cannot be reached is waited for.
    pub async fn claim(&self) -> Result<Claim, StoreError> {
        let mut told = false;
        loop {
            match self.try_claim().await {
                Ok(Some(claim)) => {
                    tracing::info!("the store is this coordinator's");
                    return Ok(claim);
                }
                Ok(None) if !told => {
                    tracing::info!("another coordinator works on this store; standing by until it ends");
                    systemd::status("stands by: another coordinator works on the store");
                    told = true;
                }
                Ok(None) => {}
                Err(error @ StoreError::Database(_)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the store cannot be claimed");
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The claim, or `None` where somebody else has it.
    pub async fn try_claim(&self) -> Result<Option<Claim>, StoreError> {
        if !self.is_sqlite() {
            let Some(session) = Session::claim(&self.url).await.map_err(super::sql)? else { return Ok(None) };
            let session = Arc::new(session);
            *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::downgrade(&session));
            return Ok(Some(Claim { held: Held::Session(session) }));
        }
        let Some(at) = self.lock_file()? else { return Ok(Some(Claim { held: Held::Memory })) };
        let unusable = |source| StoreError::Lock { at: at.clone(), source };
        let lock = File::options().create(true).append(true).open(&at).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Claim { held: Held::File { _lock: lock } })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    /// The session to commit on; none where the store is not claimed, as in a tool that only fills one.
    pub(super) fn session(&self) -> Result<Option<Arc<Session>>, StoreError> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.as_ref().map(|s| s.upgrade().ok_or(StoreError::Lost)).transpose()
    }

    /// Beside the database's file, wherever a link to that leads; a database in memory has none.
    fn lock_file(&self) -> Result<Option<PathBuf>, StoreError> {
        let options = SqliteConnectOptions::from_str(&self.url).map_err(super::sql)?;
        match options.get_filename().canonicalize() {
            Ok(mut file) => {
                file.as_mut_os_string().push(".lock");
                Ok(Some(file))
            }
            Err(_) if self.url.contains("memory") => Ok(None),
            Err(source) => Err(StoreError::Lock { at: options.get_filename().into(), source }),
        }
    }
}
