//! What is looked up while an input is handled, so that no input scans all trials or experiments.
//!
//! All of it follows from the experiments and clusters; [`Index::rebuild`] says how.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use autoopt_epoch::id::{EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::TrialKind;
use autoopt_epoch::space::Space;
use autoopt_epoch::time::Timestamp;

use super::{Breaker, Cluster, Epoch, Experiment, Progress, Trial, TrialState};

/// A step that nobody took for this long is remarked on.
pub(super) const UNTAKEN: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Index {
    pub(super) names: BTreeMap<String, ExperimentId>,
    pub(super) epochs: HashMap<EpochId, ExperimentId>,
    pub(super) trials: HashMap<TrialId, ExperimentId>,
    pub(super) queues: HashMap<ExperimentId, Queue>,
    pub(super) users: HashMap<String, BTreeSet<ExperimentId>>,
    /// The experiment that a cluster is occupied by.
    pub(super) owners: HashMap<String, ExperimentId>,
    /// Whom a cluster counts for: to whom it is promised, or who occupies it; and for how many each is counted.
    counted: HashMap<String, ExperimentId>,
    pub(super) held: HashMap<ExperimentId, u32>,
    /// Clusters where an epoch could begin: not held, not kept away from by the breaker.
    pub(super) idle: BTreeSet<String>,
    pub(super) timers: Timers,
}

/// An experiment's compiled space, and its trials that could begin now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Queue {
    pub(super) space: Arc<Space>,
    /// For any cluster.
    pub(super) any: BTreeSet<Place>,
    /// For one cluster only.
    pub(super) pinned: HashMap<String, BTreeSet<Place>>,
    /// Those in back-off, by the cluster they are for.
    pub(super) later: HashMap<Option<String>, BTreeSet<TrialId>>,
    /// Open trials that count against the budget, waiting or running.
    pub(super) open: u32,
}

/// A place in a queue: rank, number, trial.
pub(super) type Place = (u8, u32, TrialId);

/// What is due at an instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Timer {
    Epoch(EpochId),
    Trial(TrialId),
    Ask(ExperimentId),
    WallTime(ExperimentId),
    /// A cluster has to be looked at: its breaker's pause is over, or nobody knows what has become due there.
    Cluster(String),
}

/// One instant for each timer that is set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Timers {
    order: BTreeSet<(Timestamp, Timer)>,
    at: HashMap<Timer, Timestamp>,
}

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Option<Timestamp>) {
        let before = match at {
            Some(at) => self.at.insert(timer.clone(), at),
            None => self.at.remove(&timer),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&(before, timer.clone()));
        }
        if let Some(at) = at {
            self.order.insert((at, timer));
        }
    }

    pub(super) fn first(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes the earliest timer out, if it is due.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<Timer> {
        if self.first()? > now {
            return None;
        }
        let (_, timer) = self.order.pop_first()?;
        self.at.remove(&timer);
        Some(timer)
    }
}

impl Queue {
    pub(super) fn new(experiment: &Experiment) -> Self {
        let spec = &experiment.spec;
        // a spec that was accepted by an earlier release stays usable, without what no longer parses
        let space = Space::new(spec.parameters.clone(), &spec.constraints)
            .unwrap_or_else(|_| Space { parameters: spec.parameters.clone(), constraints: Vec::new() });
        Self {
            space: Arc::new(space),
            any: BTreeSet::new(),
            pinned: HashMap::new(),
            later: HashMap::new(),
            open: 0,
        }
    }

    pub(super) fn insert(&mut self, trial: &Trial) {
        self.forget_later(trial);
        match &trial.cluster {
            Some(cluster) => self.pinned.entry(cluster.clone()).or_default().insert(place(trial)),
            None => self.any.insert(place(trial)),
        };
    }

    fn forget_later(&mut self, trial: &Trial) {
        if let Some(later) = self.later.get_mut(&trial.cluster) {
            later.remove(&trial.id);
            if later.is_empty() {
                self.later.remove(&trial.cluster);
            }
        }
    }

    pub(super) fn remove(&mut self, trial: &Trial) {
        self.forget_later(trial);
        match &trial.cluster {
            Some(cluster) => {
                if let Some(queue) = self.pinned.get_mut(cluster) {
                    queue.remove(&place(trial));
                    if queue.is_empty() {
                        self.pinned.remove(cluster);
                    }
                }
            }
            None => {
                self.any.remove(&place(trial));
            }
        }
    }
}

/// What leaves a cluster first; then trials that are half measured (their repeats belong together), then a person's, then the
/// optimizer's; in the order of acceptance. A first baseline is alone with its cluster.
fn place(trial: &Trial) -> Place {
    let rank = match trial.kind {
        TrialKind::Closing => 0,
        TrialKind::Baseline | TrialKind::Recommended => 1,
        _ if !trial.measurements.is_empty() => 1,
        TrialKind::Manual => 2,
        TrialKind::Proposed => 3,
    };
    (rank, trial.number, trial.id)
}

/// Whether a trial counts against the budget.
pub(super) const fn counts(kind: TrialKind) -> bool {
    matches!(kind, TrialKind::Manual | TrialKind::Proposed)
}

/// When the world has to look after an epoch that nobody reports on.
pub(super) fn deadline(epoch: &Epoch) -> Option<Timestamp> {
    match &epoch.progress {
        Progress::Handed { since } => Some(since.after(UNTAKEN)),
        Progress::Leased { lease_until, timeout_at, .. } => Some(*lease_until.min(timeout_at)),
        Progress::BackingOff { until } => Some(*until),
        Progress::Ended { .. } => None,
    }
}

impl Index {
    pub(super) fn rebuild(
        experiments: &BTreeMap<ExperimentId, Experiment>,
        clusters: &BTreeMap<String, Cluster>,
        at: Timestamp,
    ) -> Self {
        let mut index = Self::default();
        for experiment in experiments.values() {
            index.add(experiment);
            for trial in experiment.trials.values() {
                index.add_trial(trial, at);
            }
            for epoch in experiment.epochs.values() {
                index.epochs.insert(epoch.id, experiment.id);
                index.timers.set(Timer::Epoch(epoch.id), deadline(epoch));
            }
        }
        for cluster in clusters.values() {
            index.watch(cluster, at);
            index.count(cluster);
        }
        // back-offs and pauses may have ended that nobody was there to see the end of
        for cluster in &index.idle {
            index.timers.set(Timer::Cluster(cluster.clone()), Some(at));
        }
        index
    }

    /// Takes an experiment in, without its trials and epochs.
    pub(super) fn add(&mut self, experiment: &Experiment) {
        let id = experiment.id;
        self.names.insert(experiment.spec.name.clone(), id);
        self.queues.insert(id, Queue::new(experiment));
        for (cluster, site) in experiment.sites.iter() {
            self.users.entry(cluster.clone()).or_default().insert(id);
            if site.occupied() {
                self.owners.insert(cluster.clone(), id);
            }
        }
        self.time(experiment);
    }

    /// Counts a cluster for the experiment that has it, or will; says who has one more or less now.
    pub(super) fn count(&mut self, cluster: &Cluster) -> [Option<ExperimentId>; 2] {
        let who = cluster.promised.or_else(|| self.owners.get(&cluster.name).copied());
        let before = match who {
            Some(who) => self.counted.insert(cluster.name.clone(), who),
            None => self.counted.remove(&cluster.name),
        };
        let (loses, gains) = if before == who { (None, None) } else { (before, who) };
        if let Some(held) = loses.and_then(|id| self.held.get_mut(&id)) {
            *held -= 1;
        }
        if let Some(id) = gains {
            *self.held.entry(id).or_default() += 1;
        }
        self.held.retain(|_, held| *held > 0);
        [loses, gains]
    }

    /// Sets the timers of an experiment itself.
    pub(super) fn time(&mut self, experiment: &Experiment) {
        let running = experiment.phase == super::Phase::Running;
        let ask = experiment.ask.as_ref().map(|a| a.until).or(experiment.ask_after);
        self.timers.set(Timer::Ask(experiment.id), ask.filter(|_| running));
        self.timers.set(Timer::WallTime(experiment.id), experiment.wall_end().filter(|_| running));
    }

    /// Forgets an ended experiment.
    pub(super) fn forget(&mut self, experiment: &Experiment) {
        self.names.remove(&experiment.spec.name);
        self.queues.remove(&experiment.id);
        for cluster in experiment.sites.keys() {
            if let Some(users) = self.users.get_mut(cluster) {
                users.remove(&experiment.id);
                if users.is_empty() {
                    self.users.remove(cluster);
                }
            }
        }
        self.time(experiment);
    }

    /// Takes in a trial that is new, or waits again.
    pub(super) fn add_trial(&mut self, trial: &Trial, at: Timestamp) {
        let new = self.trials.insert(trial.id, trial.experiment).is_none();
        let Some(queue) = self.queues.get_mut(&trial.experiment) else { return };
        if new && counts(trial.kind) {
            queue.open += 1;
        }
        if let TrialState::Waiting { not_before } = trial.state {
            if not_before > at {
                self.timers.set(Timer::Trial(trial.id), Some(not_before));
                queue.later.entry(trial.cluster.clone()).or_default().insert(trial.id);
            } else {
                queue.insert(trial);
            }
        }
    }

    /// Takes a trial out that has ended.
    pub(super) fn forget_trial(&mut self, trial: &Trial) {
        self.timers.set(Timer::Trial(trial.id), None);
        let known = self.trials.remove(&trial.id).is_some();
        if let Some(queue) = self.queues.get_mut(&trial.experiment) {
            queue.remove(trial);
            if known && counts(trial.kind) {
                queue.open = queue.open.saturating_sub(1);
            }
        }
    }

    /// Notes whether an epoch could begin on a cluster now, and when it has to be looked at again.
    pub(super) fn watch(&mut self, cluster: &Cluster, at: Timestamp) {
        let opens = match &cluster.breaker {
            Breaker::Open { until, .. } if *until > at => Some(*until),
            _ => None,
        };
        self.timers.set(Timer::Cluster(cluster.name.clone()), opens);
        if cluster.holder.is_none() && opens.is_none() {
            self.idle.insert(cluster.name.clone());
        } else {
            self.idle.remove(&cluster.name);
        }
    }
}
