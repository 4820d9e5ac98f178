//! The workers that reports came from, for whoever looks after them. Nothing is decided by it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use autoopt_epoch::id::EpochId;
use autoopt_epoch::message::{Report, ReportState, Stage};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::VERSION_HEADER;

/// Workers that are remembered; the one that was silent for longest makes room. A worker that starts anew has a new name.
const MAX_WORKERS: usize = 4096;
/// Characters of a version that are remembered; whoever may report may write more.
const LONGEST_VERSION: usize = 40;

/// A worker, by its latest report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub stage: Stage,
    pub cluster: String,
    /// Which version of the program it is; one from before this was told says nothing.
    pub version: Option<String>,
    /// When it arrived.
    pub heard: Timestamp,
    /// What the worker's own clock said then.
    pub said: Timestamp,
    /// What it is at.
    pub epoch: Option<EpochId>,
    pub note: Option<String>,
    /// Steps that it ended.
    pub ended_steps: u64,
}

/// By `name/pid`; the engine keeps it up to date.
#[derive(Clone, Debug, Default)]
pub(super) struct Roster(Arc<Mutex<BTreeMap<String, Heard>>>);

impl Roster {
    /// All of them.
    pub(super) fn all(&self) -> BTreeMap<String, Heard> {
        self.lock().clone()
    }

    /// Notes a report that arrived at `heard` with `headers`.
    pub(super) fn note(&self, heard: Timestamp, report: &Report, headers: &BTreeMap<String, String>) {
        let (epoch, note, ended) = match &report.state {
            ReportState::Accepted => (Some(report.epoch), None, 0),
            ReportState::Heartbeat { note } => (Some(report.epoch), note.clone(), 0),
            ReportState::Done(_) | ReportState::Failed(_) => (None, None, 1),
        };
        let mut workers = self.lock();
        let before = workers.get(&report.worker).map_or(0, |w| w.ended_steps);
        if before == 0 && !workers.contains_key(&report.worker) && workers.len() >= MAX_WORKERS {
            let silent = workers.iter().min_by_key(|(_, w)| w.heard).map(|(name, _)| name.clone());
            silent.and_then(|name| workers.remove(&name));
        }
        let version = headers.get(VERSION_HEADER).map(|v| v.chars().take(LONGEST_VERSION).collect());
        let (stage, cluster, said) = (report.stage, report.cluster.clone(), report.at);
        let now = Heard { stage, cluster, version, heard, said, epoch, note, ended_steps: before + ended };
        workers.insert(report.worker.clone(), now);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Heard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
