//! The journal's file: one JSON value a line.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Attempt;
use crate::command::Family;
use crate::id::EpochId;
use crate::message::Report;

/// This many finished attempts are remembered at least.
const KEPT: usize = 10_000;
/// Unless their reports have more bytes than this together.
const KEPT_BYTES: u64 = 256 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "one at a time, on the stack")]
pub(super) enum Entry<'a> {
    Begun(Attempt),
    Started {
        #[serde(flatten)]
        attempt: Attempt,
        program: Cow<'a, Family>,
    },
    Cleared(Attempt),
    Finished {
        #[serde(flatten)]
        attempt: Attempt,
        report: Cow<'a, Report>,
    },
    Reported(Attempt),
}

#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) offset: u64,
    pub(super) length: usize,
    pub(super) reported: bool,
}

/// The file, and where in it is what.
pub(super) struct Lines {
    file: File,
    end: u64,
    finished: HashMap<Attempt, Slot>,
    /// The keys of `finished`, oldest first.
    order: VecDeque<Attempt>,
    /// Begun and not finished, with the programs started for them.
    open: BTreeMap<Attempt, Vec<Family>>,
    /// The newest attempt known of each epoch.
    newest: HashMap<EpochId, (u32, u32)>,
}

impl Lines {
    fn of(file: File) -> Self {
        Self {
            file,
            end: 0,
            finished: HashMap::new(),
            order: VecDeque::new(),
            open: BTreeMap::new(),
            newest: HashMap::new(),
        }
    }

    pub(super) fn read(file: File) -> io::Result<Self> {
        let mut inner = Self::of(file.try_clone()?);
        let mut lines = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = lines.read_until(b'\n', &mut line)?;
            if length == 0 {
                return Ok(inner);
            }
            match serde_json::from_slice(&line) {
                Ok(Entry::Begun(attempt)) => inner.begin(attempt),
                Ok(Entry::Started { attempt, program }) => inner.run(attempt, program.into_owned()),
                Ok(Entry::Cleared(attempt)) => inner.clear(attempt),
                Ok(Entry::Finished { attempt, .. }) => {
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

    pub(super) fn begin(&mut self, attempt: Attempt) {
        self.know(attempt);
        self.open.entry(attempt).or_default();
    }

    pub(super) fn run(&mut self, attempt: Attempt, program: Family) {
        self.open.entry(attempt).or_default().push(program);
    }

    pub(super) fn clear(&mut self, attempt: Attempt) {
        self.open.remove(&attempt);
    }

    pub(super) fn keep(&mut self, attempt: Attempt, slot: Slot) {
        self.know(attempt);
        self.clear(attempt);
        if self.finished.insert(attempt, slot).is_none() {
            self.order.push_back(attempt);
        }
    }

    pub(super) fn report(&mut self, attempt: Attempt) {
        if let Some(slot) = self.finished.get_mut(&attempt) {
            slot.reported = true;
        }
    }

    pub(super) fn append(&mut self, entry: &Entry<'_>) -> io::Result<(u64, usize)> {
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

    pub(super) fn is_long(&self) -> bool {
        self.order.len() >= 2 * KEPT || self.end >= 4 * KEPT_BYTES
    }

    pub(super) fn unfinished(&self) -> Vec<(Attempt, Vec<Family>)> {
        self.open.iter().map(|(attempt, programs)| (*attempt, programs.clone())).collect()
    }

    pub(super) fn newest(&self, epoch: EpochId) -> Option<(u32, u32)> {
        self.newest.get(&epoch).copied()
    }

    pub(super) fn report_of(&self, attempt: Attempt) -> io::Result<Option<Report>> {
        self.finished.get(&attempt).map(|slot| self.report_at(*slot)).transpose()
    }

    pub(super) fn unreported(&self) -> io::Result<Vec<Report>> {
        let slots = self.order.iter().filter_map(|attempt| self.finished.get(attempt));
        slots.filter(|slot| !slot.reported).map(|slot| self.report_at(*slot)).collect()
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

    /// Rewrites the file with the newest finished attempts, all whose report is still to be sent, and the unfinished.
    pub(super) fn compact(&mut self, path: &Path) -> io::Result<()> {
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
        let mut fresh = Self::of(file);
        for (attempt, programs) in std::mem::take(&mut self.open) {
            fresh.append(&Entry::Begun(attempt))?;
            fresh.begin(attempt);
            for program in programs {
                fresh.append(&Entry::Started { attempt, program: Cow::Borrowed(&program) })?;
                fresh.run(attempt, program);
            }
        }
        let mut writer = BufWriter::new(fresh.file.try_clone()?);
        for (attempt, slot) in kept.into_iter().rev() {
            writer.write_all(&self.line_at(slot)?)?;
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
