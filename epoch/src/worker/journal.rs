//! What a worker remembers across restarts: which attempts it began, which it finished and with what report, and
//! which of these reports the broker has.
//!
//! One file of JSON lines, one write each, so that a killed process leaves at most its last line torn. Reports stay in
//! the file; memory holds only where they are.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::id::EpochId;
use crate::message::{Epoch, Report, Stage};

/// This many finished attempts are remembered at least.
pub const KEPT: usize = 10_000;
/// Unless their reports have more bytes than this together.
const KEPT_BYTES: u64 = 256 * 1024 * 1024;

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

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "one at a time, on the stack")]
enum Entry<'a> {
    Begun(Attempt),
    Finished {
        #[serde(flatten)]
        attempt: Attempt,
        report: Cow<'a, Report>,
    },
    Reported(Attempt),
}

#[derive(Clone, Copy)]
struct Slot {
    offset: u64,
    length: usize,
    reported: bool,
}

/// The journal of one stage in one directory, locked for as long as it is open.
pub struct Journal {
    path: PathBuf,
    inner: Mutex<Inner>,
    _lock: Flock<File>,
}

struct Inner {
    file: File,
    end: u64,
    finished: HashMap<Attempt, Slot>,
    /// The keys of `finished`, oldest first.
    order: VecDeque<Attempt>,
    /// The newest attempt known of each epoch.
    newest: HashMap<EpochId, (u32, u32)>,
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
        let mut inner = Inner::read(file.map_err(failed("open"))?).map_err(failed("read"))?;
        inner.compact(&path).map_err(failed("compact"))?;
        Ok(Self { path, inner: Mutex::new(inner), _lock: lock })
    }

    /// Written before anything is touched.
    pub fn begun(&self, attempt: Attempt) -> Result<(), JournalError> {
        let mut inner = self.inner();
        self.append(&mut inner, &Entry::Begun(attempt))?;
        inner.know(attempt);
        Ok(())
    }

    /// Written before the report is sent.
    pub fn finished(&self, report: &Report) -> Result<(), JournalError> {
        let attempt = Attempt { epoch: report.epoch, step: report.step, attempt: report.attempt };
        let mut inner = self.inner();
        let entry = Entry::Finished { attempt, report: Cow::Borrowed(report) };
        let (offset, length) = self.append(&mut inner, &entry)?;
        inner.know(attempt);
        inner.keep(attempt, Slot { offset, length, reported: false });
        if inner.order.len() >= 2 * KEPT || inner.end >= 4 * KEPT_BYTES {
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
        let read = || inner.finished.get(&attempt).map(|slot| inner.report_at(*slot)).transpose();
        read().map_err(|source| JournalError::Io { action: "read", path: self.path.clone(), source })
    }

    /// Reports that the broker may not have, oldest first.
    pub fn unreported(&self) -> Result<Vec<Report>, JournalError> {
        let inner = self.inner();
        let slots = inner.order.iter().filter_map(|a| inner.finished.get(a)).filter(|slot| !slot.reported);
        let reports: io::Result<_> = slots.map(|slot| inner.report_at(*slot)).collect();
        reports.map_err(|source| JournalError::Io { action: "read", path: self.path.clone(), source })
    }

    /// The newest (`step`, `attempt`) of `epoch` that was ever begun here, as far as remembered.
    pub fn newest(&self, epoch: EpochId) -> Option<(u32, u32)> {
        self.inner().newest.get(&epoch).copied()
    }

    fn append(&self, inner: &mut Inner, entry: &Entry<'_>) -> Result<(u64, usize), JournalError> {
        inner.append(entry).map_err(|source| JournalError::Io {
            action: "write to",
            path: self.path.clone(),
            source,
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn read(file: File) -> io::Result<Self> {
        let mut inner = Self {
            file: file.try_clone()?,
            end: 0,
            finished: HashMap::new(),
            order: VecDeque::new(),
            newest: HashMap::new(),
        };
        let mut lines = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = lines.read_until(b'\n', &mut line)?;
            if length == 0 {
                return Ok(inner);
            }
            match serde_json::from_slice(&line) {
                Ok(Entry::Begun(attempt)) => inner.know(attempt),
                Ok(Entry::Finished { attempt, .. }) => {
                    inner.know(attempt);
                    inner.keep(attempt, Slot { offset: inner.end, length, reported: false });
                }
                Ok(Entry::Reported(attempt)) => inner.report(attempt),
                // the process was killed while it wrote: what the line was about is done again
                Err(error) => {
                    tracing::warn!(offset = inner.end, %error, "skipped a torn line of the journal")
                }
            }
            inner.end += length as u64;
        }
    }

    fn know(&mut self, attempt: Attempt) {
        let newest = self.newest.entry(attempt.epoch).or_default();
        *newest = (*newest).max(attempt.token());
    }

    fn keep(&mut self, attempt: Attempt, slot: Slot) {
        if self.finished.insert(attempt, slot).is_none() {
            self.order.push_back(attempt);
        }
    }

    fn report(&mut self, attempt: Attempt) {
        if let Some(slot) = self.finished.get_mut(&attempt) {
            slot.reported = true;
        }
    }

    fn append(&mut self, entry: &Entry<'_>) -> io::Result<(u64, usize)> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line) {
            // half a line would spoil the next one
            self.file.set_len(self.end)?;
            return Err(error);
        }
        let offset = self.end;
        self.end += line.len() as u64;
        Ok((offset, line.len()))
    }

    fn line_at(&self, slot: Slot) -> io::Result<Vec<u8>> {
        let mut line = vec![0; slot.length];
        self.file.read_exact_at(&mut line, slot.offset)?;
        Ok(line)
    }

    fn report_at(&self, slot: Slot) -> io::Result<Report> {
        match serde_json::from_slice(&self.line_at(slot)?)? {
            Entry::Finished { report, .. } => Ok(report.into_owned()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "no report where one was written")),
        }
    }

    /// Rewrites the file with the newest finished attempts, and all whose report is still to be sent.
    fn compact(&mut self, path: &Path) -> io::Result<()> {
        let (mut count, mut bytes) = (0, 0);
        let mut kept: Vec<(Attempt, Slot)> = Vec::new();
        for attempt in self.order.iter().rev() {
            let Some(slot) = self.finished.get(attempt) else { continue };
            count += 1;
            bytes += slot.length as u64;
            if !slot.reported || (count <= KEPT && bytes <= KEPT_BYTES) {
                kept.push((*attempt, *slot));
            }
        }
        let fresh_path = path.with_extension("journal.new");
        // emptied only after it was opened for appending: a leftover of a killed process may be there
        let file = File::options().create(true).read(true).append(true).open(&fresh_path)?;
        file.set_len(0)?;
        let mut fresh =
            Self { file, end: 0, finished: HashMap::new(), order: VecDeque::new(), newest: HashMap::new() };
        let mut writer = BufWriter::new(fresh.file.try_clone()?);
        for (attempt, slot) in kept.into_iter().rev() {
            writer.write_all(&self.line_at(slot)?)?;
            fresh.know(attempt);
            fresh.keep(attempt, Slot { offset: fresh.end, ..slot });
            fresh.end += slot.length as u64;
            if slot.reported {
                let mut line = serde_json::to_vec(&Entry::Reported(attempt))?;
                line.push(b'\n');
                writer.write_all(&line)?;
                fresh.end += line.len() as u64;
            }
        }
        writer.flush()?;
        drop(writer);
        fresh.file.sync_data()?;
        std::fs::rename(&fresh_path, path)?;
        // a begun attempt without an end still tells older ones from newer ones
        let recent = self.newest.drain().filter(|(epoch, _)| fresh.newest.contains_key(epoch));
        fresh.newest = recent.collect();
        *self = fresh;
        Ok(())
    }
}
