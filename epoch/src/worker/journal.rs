//! What a worker remembers across restarts: which attempts it began and what programs it started for them, which it
//! finished and with what report, and which of these reports the broker has.
//!
//! One file of JSON lines, one write each, so that a killed process leaves at most its last line torn. Reports stay in
//! the file; memory holds only where they are.

mod lines;

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use self::lines::{Entry, Lines, Slot};
use crate::command::Family;
use crate::id::EpochId;
use crate::message::{Epoch, Report, Stage};

/// One handing-out of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt {
    pub epoch: EpochId,
    pub step: u32,
    pub attempt: u32,
}

impl Attempt {
    /// The attempt that `order` asks for.
    pub const fn of(order: &Epoch) -> Self {
        Self { epoch: order.epoch, step: order.step, attempt: order.attempt }
    }

    /// The fencing token: it only grows within an epoch.
    pub const fn token(self) -> (u32, u32) {
        (self.step, self.attempt)
    }
}

/// Why there is no journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Two workers would do each other's work twice.
    #[error(
        "{} is in use by another worker of this stage; give each worker a `state_dir` of its own",
        path.display()
    )]
    InUse { path: PathBuf },
    /// The file system said no.
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

/// The journal of one stage in one directory, locked for as long as it is open.
pub struct Journal {
    path: PathBuf,
    inner: Mutex<Lines>,
    _lock: Flock<File>,
}

impl Journal {
    /// Opens `<state_dir>/<stage>.journal`, makes it if need be, and drops what is too old.
    pub fn open(state_dir: &Path, stage: Stage) -> Result<Self, JournalError> {
        let path = state_dir.join(format!("{stage}.journal"));
        let failed = |action| {
            let path = path.clone();
            move |source| JournalError::Io { action, path, source }
        };
        std::fs::create_dir_all(state_dir).map_err(failed("make the directory of"))?;
        // a file of its own, because the journal itself is replaced when it is compacted
        let lock_path = state_dir.join(format!("{stage}.lock"));
        let lock = File::options().create(true).write(true).truncate(false).open(&lock_path);
        let lock = Flock::lock(lock.map_err(failed("lock"))?, FlockArg::LockExclusiveNonblock).map_err(
            |(_, error)| match error {
                nix::errno::Errno::EWOULDBLOCK => JournalError::InUse { path: lock_path },
                other => failed("lock")(other.into()),
            },
        )?;
        let file = File::options().create(true).read(true).append(true).open(&path);
        let mut inner = Lines::read(file.map_err(failed("open"))?).map_err(failed("read"))?;
        inner.compact(&path).map_err(failed("compact"))?;
        Ok(Self { path, inner: Mutex::new(inner), _lock: lock })
    }

    /// Written before anything is touched.
    pub fn begun(&self, attempt: Attempt) -> Result<(), JournalError> {
        let mut inner = self.inner();
        self.append(&mut inner, &Entry::Begun(attempt))?;
        inner.begin(attempt);
        Ok(())
    }

    /// Written right after a program was started for `attempt`.
    pub fn started(&self, attempt: Attempt, program: &Family) -> Result<(), JournalError> {
        let mut inner = self.inner();
        self.append(&mut inner, &Entry::Started { attempt, program: Cow::Borrowed(program) })?;
        inner.run(attempt, program.clone());
        Ok(())
    }

    /// Attempts that were begun and neither finished nor [cleared](Self::cleared), with the programs started for them.
    /// When the journal has just been opened, these are what a killed process left.
    pub fn unfinished(&self) -> Vec<(Attempt, Vec<Family>)> {
        self.inner().unfinished()
    }

    /// Written once nothing of an unfinished attempt runs any more.
    pub fn cleared(&self, attempt: Attempt) -> Result<(), JournalError> {
        let mut inner = self.inner();
        self.append(&mut inner, &Entry::Cleared(attempt))?;
        inner.clear(attempt);
        Ok(())
    }

    /// Written before the report is sent.
    pub fn finished(&self, report: &Report) -> Result<(), JournalError> {
        let attempt = Attempt { epoch: report.epoch, step: report.step, attempt: report.attempt };
        let mut inner = self.inner();
        let entry = Entry::Finished { attempt, report: Cow::Borrowed(report) };
        let (offset, length) = self.append(&mut inner, &entry)?;
        inner.keep(attempt, Slot { offset, length, reported: false });
        if inner.is_long() {
            let io = |source| JournalError::Io { action: "compact", path: self.path.clone(), source };
            inner.compact(&self.path).map_err(io)?;
        }
        Ok(())
    }

    /// Written once the broker has the report.
    pub fn reported(&self, attempt: Attempt) -> Result<(), JournalError> {
        let mut inner = self.inner();
        self.append(&mut inner, &Entry::Reported(attempt))?;
        inner.report(attempt);
        Ok(())
    }

    /// The report of an attempt that was finished, if it is still remembered.
    pub fn report_of(&self, attempt: Attempt) -> Result<Option<Report>, JournalError> {
        let inner = self.inner();
        inner.report_of(attempt).map_err(|source| JournalError::Io {
            action: "read",
            path: self.path.clone(),
            source,
        })
    }

    /// Reports that the broker may not have, oldest first.
    pub fn unreported(&self) -> Result<Vec<Report>, JournalError> {
        let inner = self.inner();
        inner.unreported().map_err(|source| JournalError::Io {
            action: "read",
            path: self.path.clone(),
            source,
        })
    }

    /// The newest (`step`, `attempt`) of `epoch` that was ever begun here, as far as remembered.
    pub fn newest(&self, epoch: EpochId) -> Option<(u32, u32)> {
        self.inner().newest(epoch)
    }

    fn append(&self, inner: &mut Lines, entry: &Entry<'_>) -> Result<(u64, usize), JournalError> {
        inner.append(entry).map_err(|source| JournalError::Io {
            action: "write to",
            path: self.path.clone(),
            source,
        })
    }

    fn inner(&self) -> MutexGuard<'_, Lines> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
