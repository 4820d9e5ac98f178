//! nova-scheduler as a service: what it read when it started, what it holds in memory, and whether it is there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Cloud, CloudAggregate, Millis};
use crate::faults::Fault;
use crate::scheduler::conf::Options;
use crate::scheduler::select::Choice;
use crate::scheduler::{Aggregate, Settings};

/// The service.
#[derive(Clone, Debug)]
pub struct Scheduler {
    /// Those in force.
    pub settings: Settings,
    pub options: Options,
    /// The files that were read at the last start.
    pub files: Vec<PathBuf>,
    /// Why it did not start, if it did not.
    pub failure: Option<String>,
    pub started: Timestamp,
    /// Until then it restarts.
    pub ready: Millis,
    aggregates: BTreeMap<i64, (Vec<usize>, Arc<Aggregate>)>,
}

/// A request that was placed or refused.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Virtual time.
    pub at: Millis,
    pub servers: Vec<(Uuid, String)>,
    pub result: Result<Vec<Choice>, String>,
}

/// So many decisions are kept for whoever asks why.
const DECISIONS_KEPT: usize = 200;

impl Scheduler {
    pub(super) fn new(release: u32) -> Self {
        Self {
            settings: Settings::defaults(release),
            options: Options::default(),
            files: Vec::new(),
            failure: None,
            started: Timestamp::UNIX_EPOCH,
            ready: 0,
            aggregates: BTreeMap::new(),
        }
    }

    /// Whether it takes requests at `now`.
    pub fn is_up(&self, now: Millis) -> bool {
        self.failure.is_none() && self.ready <= now
    }

    pub(super) fn aggregates_of(&self, host: usize) -> Vec<Arc<Aggregate>> {
        self.aggregates.values().filter(|(hosts, _)| hosts.contains(&host)).map(|(_, a)| a.clone()).collect()
    }

    pub(super) fn see_aggregate(&mut self, id: i64, aggregate: Option<&CloudAggregate>) {
        match aggregate {
            Some(a) => {
                let seen = Aggregate { name: a.name.clone(), metadata: a.metadata.clone() };
                self.aggregates.insert(id, (a.hosts.clone(), Arc::new(seen)));
            }
            None => {
                self.aggregates.remove(&id);
            }
        }
    }
}

impl Cloud {
    /// Restarts nova-scheduler: it reads its configuration and all aggregates anew, and takes requests after `scheduler.restart` seconds.
    /// What it cannot start with is in `scheduler.failure`.
    pub fn restart_scheduler(&mut self) {
        self.scheduler.ready = self.now + (self.config.scheduler.restart * 1000.0) as Millis;
        self.start_scheduler();
        if self.faults.strikes(Fault::SchedulerDown, &mut self.rng) {
            self.scheduler.failure = Some("it does not come back (a fault that was asked for)".into());
        }
    }

    pub(super) fn start_scheduler(&mut self) {
        self.scheduler.started = self.wall;
        for (id, aggregate) in &self.aggregates {
            self.scheduler.see_aggregate(*id, Some(aggregate));
        }
        let seen: Vec<i64> = self.scheduler.aggregates.keys().copied().collect();
        for id in seen.into_iter().filter(|id| !self.aggregates.contains_key(id)) {
            self.scheduler.see_aggregate(id, None);
        }
        if self.faults.strikes(Fault::IgnoredConf, &mut self.rng) {
            self.scheduler.failure = None;
            return;
        }
        match self.read_conf() {
            Ok((options, files, settings)) => {
                self.scheduler.options = options;
                self.scheduler.files = files;
                self.scheduler.settings = settings;
                self.scheduler.failure = None;
            }
            Err(problem) => self.scheduler.failure = Some(problem),
        }
    }

    fn read_conf(&self) -> Result<(Options, Vec<PathBuf>, Settings), String> {
        let config = &self.config.scheduler;
        let mut options = Options::default();
        options.add("nova.conf", &config.conf).map_err(|e| e.to_string())?;
        let files = match &config.config_dir {
            Some(directory) => options.add_directory(directory).map_err(|e| e.to_string())?,
            None => Vec::new(),
        };
        let settings = Settings::read(&options, config.release).map_err(|e| e.to_string())?;
        Ok((options, files, settings))
    }

    pub(super) fn record(&mut self, decision: Decision) {
        self.decisions.push_back(decision);
        while self.decisions.len() > DECISIONS_KEPT {
            self.decisions.pop_front();
        }
    }
}
