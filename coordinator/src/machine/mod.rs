//! The state machine: (world, instant, input) → effects, without I/O, clock or randomness.
//!
//! What is written down by [`Effect::Save`] is enough to continue after a crash ([`World::restore`]).
//!
//! Invariants (numbered, so that a failed check names its rule):
//! - **M1** an accepted trial ends in exactly one outcome;
//! - **M2** at most one epoch holds a cluster at any time, across experiments;
//! - **M3** (`step`, `attempt`) of an epoch only grows; a report with another value than the current one changes nothing;
//! - **M4** an epoch that began to change a cluster leaves it restored, or followed by another epoch of its experiment;
//! - **M5** an ended experiment has no open trial, no open epoch, and every cluster it touched has been closed;
//! - **M6** the same input twice has the effects of once.

mod cluster;
mod controls;
mod ending;
mod epoch;
mod events;
mod experiment;
mod order;
mod plan;
mod reports;
mod retry;
mod scheduling;
mod submission;
mod trial;

use std::collections::BTreeMap;

use autoopt_epoch::id::{EpochId, ExperimentId, MessageId, TrialId};
use autoopt_epoch::message;
use autoopt_epoch::time::Timestamp;

pub use cluster::{Breaker, Cluster};
pub use epoch::{Attempt, Ending, Epoch, Progress, Step, Verdict};
pub use experiment::{Best, Experiment, OpenAsk, Phase, Site};
pub use trial::{Trial, TrialState};

/// Everything that decisions are taken from: the open experiments, and the clusters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// Experiments that have not ended.
    pub experiments: BTreeMap<ExperimentId, Experiment>,
    /// Every cluster that was ever named, by name.
    pub clusters: BTreeMap<String, Cluster>,
    /// Whose epoch it is, for every open epoch.
    index: BTreeMap<EpochId, ExperimentId>,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A checked experiment. One with the name of an open experiment is refused.
    Submit { id: ExperimentId, spec: std::sync::Arc<autoopt_epoch::experiment::ExperimentSpec> },
    /// A trial message, from anybody.
    Trial { message: MessageId, trial: message::Trial },
    /// A worker's report.
    Report(message::Report),
    /// A person's wish about an experiment.
    Control { experiment: ExperimentId, control: Control },
    /// A person gives one trial up.
    CancelTrial { trial: TrialId },
    /// A person declares a paused cluster healthy.
    ResumeCluster { cluster: String },
    /// Time has passed.
    Tick,
}

/// A person's wish about an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Begin no new epoch; running ones go on.
    Pause,
    /// Go on.
    Resume,
    /// Accept and begin no new trial, let running ones end, then close.
    Stop,
    /// Abandon everything at once, then close.
    Cancel,
}

/// What has to be done about it, all of it in one transaction with the state change.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Write down; of several records with one key in a transaction the last is enough.
    Save(Record),
    /// Append to the event log (`seq` is the store's to give).
    Log(message::Event),
    /// Publish; `artifacts` of a collect step are the store's to add.
    Hand(Box<message::Epoch>),
    /// Publish to all workers of the stage.
    Cancel(message::Cancel),
    /// Publish to the algorithm.
    Ask(Box<message::Ask>),
    /// The input was refused, for this reason; nothing else changed.
    Reject(String),
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    Experiment(Experiment),
    Trial(Trial),
    Epoch(Epoch),
    /// A finished, failed or superseded attempt; never changed afterwards.
    Attempt(Attempt),
    Cluster(Cluster),
}

/// What the store holds of everything that is open.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    pub experiments: Vec<Experiment>,
    /// Open trials.
    pub trials: Vec<Trial>,
    /// Open epochs.
    pub epochs: Vec<Epoch>,
    /// Observations of ended trials, in the order in which they ended.
    pub results: Vec<(ExperimentId, message::Observation)>,
    pub clusters: Vec<Cluster>,
}

impl World {
    /// The world as it was written down. Every lease runs afresh from `at`: the coordinator was not there to hear
    /// heartbeats.
    pub fn restore(stored: Stored, at: Timestamp) -> Self {
        let mut world = Self {
            experiments: stored.experiments.into_iter().map(|e| (e.id, e)).collect(),
            clusters: stored.clusters.into_iter().map(|c| (c.name.clone(), c)).collect(),
            index: BTreeMap::new(),
        };
        for trial in stored.trials {
            if let Some(experiment) = world.experiments.get_mut(&trial.experiment) {
                experiment.trials.insert(trial.id, trial);
            }
        }
        for mut epoch in stored.epochs {
            let Some(experiment) = world.experiments.get_mut(&epoch.experiment) else { continue };
            if let (Some(step), Progress::Leased { lease_until, .. }) = (epoch.step(), &mut epoch.progress) {
                *lease_until = at.after(experiment.spec.stage(step.stage).lease.0);
            }
            world.index.insert(epoch.id, experiment.id);
            experiment.epochs.insert(epoch.id, epoch);
        }
        for (id, observation) in stored.results {
            if let Some(experiment) = world.experiments.get_mut(&id) {
                experiment.results.push(observation);
            }
        }
        world
    }

    /// The bus lost whatever was on it, as one within a process does when the process ends: what was handed out or asked
    /// and not answered is due again at once.
    pub fn bus_was_lost(&mut self, at: Timestamp) {
        for experiment in self.experiments.values_mut() {
            for epoch in experiment.epochs.values_mut() {
                if matches!(epoch.progress, Progress::Handed { .. } | Progress::Leased { .. }) {
                    epoch.progress = Progress::BackingOff { until: at };
                }
            }
            if let Some(ask) = &mut experiment.ask {
                ask.until = at;
            }
        }
    }

    /// The next instant at which [`Input::Tick`] would change something.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let experiments = self.experiments.values();
        let epochs = experiments.clone().flat_map(|e| e.epochs.values().filter_map(Epoch::deadline));
        let waiting = experiments.clone().flat_map(|e| {
            e.trials.values().filter_map(|t| match t.state {
                TrialState::Waiting { not_before } => Some(not_before),
                _ => None,
            })
        });
        let asks = experiments.clone().filter_map(|e| e.ask.as_ref().map(|a| a.until));
        let ends = experiments.clone().filter_map(Experiment::wall_time_over);
        let breakers = self.clusters.values().filter_map(|c| match c.breaker {
            Breaker::Open { until, .. } => Some(until),
            _ => None,
        });
        epochs.chain(waiting).chain(asks).chain(ends).chain(breakers).min()
    }

    /// Takes `input` in.
    pub fn step(&mut self, at: Timestamp, input: Input) -> Vec<Effect> {
        let mut effects = match input {
            Input::Submit { id, spec } => self.submit(at, id, spec),
            Input::Trial { message, trial } => self.accept(at, message, trial),
            Input::Report(report) => self.report(at, report),
            Input::Control { experiment, control } => self.control(at, experiment, control),
            Input::CancelTrial { trial } => self.cancel_trial(at, trial),
            Input::ResumeCluster { cluster } => self.resume_cluster(at, &cluster),
            Input::Tick => self.timers(at),
        };
        effects.extend(self.schedule(at));
        effects
    }

    /// The open epoch with this id.
    pub fn epoch(&self, id: EpochId) -> Option<&Epoch> {
        self.experiments.get(self.index.get(&id)?)?.epochs.get(&id)
    }
}
