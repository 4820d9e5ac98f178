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
//! - **M6** the same input twice has the effects of once;
//! - **M7** a confirmation has at most one run under way on a cluster, and only the last of its pairs there may be unfinished; it ends
//!   before its experiment closes;
//! - **M8** a cluster changes hands only when it is restored: an experiment that will come back to it has nothing in force there, and
//!   none that leaves values of its own has it meanwhile;
//! - **M9** no cluster stands idle that somebody has a claim on: the trial begins, its experiment has the cluster restored, or asks.
//!
//! Where things are: `turn` (one call of [`World::step`]), `submit`, `control`, `change` and `closing` (an experiment from end to end),
//! `sharing` and `scheduling` (whose a free cluster is, and what begins there), `again` (the baseline once more), `confirm` (what was found against the baseline),
//! `steps`, `plan` and `reports` (an epoch), `accept`, `conclude`, `class`, `cost` and `front` (a trial), `ask` and `outlook` (the optimizer), `breaker` (a
//! cluster's health), `leaks` (what was left behind on one), `retry` (pauses), `events` (the log's sentences), `index` (what is looked up,
//! derived from the rest), `invariants` (the rules above as predicates).

mod accept;
mod again;
mod ask;
mod breaker;
mod change;
mod class;
mod closing;
mod cluster;
mod conclude;
mod confirm;
mod confirmation;
mod control;
mod cost;
mod epoch;
mod events;
mod experiment;
mod front;
mod index;
pub mod invariants;
mod leaks;
mod outlook;
mod plan;
mod reports;
mod restore;
mod retry;
mod scheduling;
mod sharing;
mod steps;
mod submit;
mod trial;
mod turn;

use std::collections::BTreeMap;

use autoopt_epoch::id::{EpochId, ExperimentId, MessageId, TrialId};
use autoopt_epoch::message;
use autoopt_epoch::space::Parameters;
use autoopt_epoch::time::Timestamp;

pub(crate) use ask::question;
pub use change::Change;
pub use cluster::{Breaker, Cluster, Leaked};
pub use confirmation::{Confirmation, PairRun};
pub use epoch::{Attempt, Ending, Epoch, Progress, Step, Verdict};
pub use experiment::{Best, Experiment, FrontTrial, OpenAsk, Phase, Site};
pub use trial::{Trial, TrialState};

/// Everything that decisions are taken from: the open experiments, and the clusters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// Experiments that have not ended.
    pub experiments: BTreeMap<ExperimentId, Experiment>,
    /// Every cluster that was ever named, by name.
    pub clusters: BTreeMap<String, Cluster>,
    /// Derived from the two above.
    index: index::Index,
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
    /// A person changes an experiment.
    Change { experiment: ExperimentId, change: Change },
    /// A person gives one trial up.
    CancelTrial { trial: TrialId },
    /// A person declares a paused cluster healthy.
    ResumeCluster {
        cluster: String,
        /// What was left behind there is to stay, too.
        keep_leaks: bool,
    },
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
    /// The input was refused, for this reason. A refused trial brings its `trial.rejected` event with it, and a refused answer
    /// of the optimizer also changes its experiment: the other effects count as ever.
    Reject(String),
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    Experiment(Experiment),
    Site {
        experiment: ExperimentId,
        cluster: String,
        site: Site,
    },
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
    pub sites: Vec<(ExperimentId, String, Site)>,
    /// Open trials.
    pub trials: Vec<Trial>,
    /// Open epochs.
    pub epochs: Vec<Epoch>,
    /// Observations of ended trials, in the order in which they ended.
    pub results: Vec<(ExperimentId, message::Observation)>,
    /// The values of every ended trial of the open experiments: by them a trial that is sent again is recognised.
    pub ended: Vec<(ExperimentId, TrialId, Parameters)>,
    pub clusters: Vec<Cluster>,
}

impl World {
    /// The world as it was written down. Every lease runs afresh from `at`: the coordinator was not there to hear
    /// heartbeats.
    pub fn restore(stored: Stored, at: Timestamp) -> Self {
        restore::world(stored, at)
    }

    /// The bus lost whatever was on it, as one within a process does when the process ends: what was handed out or asked
    /// and not answered is due again at once.
    pub fn bus_was_lost(&mut self, at: Timestamp) {
        restore::after_bus_loss(self, at);
    }

    /// Nothing could be heard until now. What was sent meanwhile is on its way: nobody is late before a lease's length from `at`.
    pub fn heard_nothing(&mut self, at: Timestamp) {
        restore::after_silence(self, at);
    }

    /// The next instant at which [`Input::Tick`] would change something.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.index.timers.first()
    }

    /// Takes `input` in. A refusal is the first effect; then come the rows, in the order in which they refer to
    /// each other.
    pub fn step(&mut self, at: Timestamp, input: Input) -> Vec<Effect> {
        let mut turn = turn::Turn::new(self, at);
        match input {
            Input::Submit { id, spec } => turn.submit(id, spec),
            Input::Trial { message, trial } => turn.take_trial(message, trial),
            Input::Report(report) => turn.take_report(report),
            Input::Control { experiment, control } => turn.control(experiment, control),
            Input::Change { experiment, change } => turn.change(experiment, &change),
            Input::CancelTrial { trial } => turn.cancel_trial(trial),
            Input::ResumeCluster { cluster, keep_leaks } => turn.resume_cluster(&cluster, keep_leaks),
            Input::Tick => turn.tick(),
        }
        turn.settle();
        #[cfg(debug_assertions)]
        let overlooked = if invariants::is_small(turn.world) { turn.overlooked() } else { None };
        let effects = turn.finish();
        #[cfg(debug_assertions)]
        if invariants::is_small(self)
            && let Err(broken) = invariants::check(self).and_then(|()| overlooked.map_or(Ok(()), Err))
        {
            panic!("{broken}");
        }
        effects
    }

    /// The open epoch with this id.
    pub fn epoch(&self, id: EpochId) -> Option<&Epoch> {
        self.experiments.get(self.index.epochs.get(&id)?)?.epochs.get(&id)
    }
}
