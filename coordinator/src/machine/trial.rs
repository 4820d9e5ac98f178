//! A trial, from acceptance to its one outcome.

use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::{AskId, EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::{Measurement, Observation, TrialKind};
use autoopt_epoch::space::Parameters;
use autoopt_epoch::time::Timestamp;
use serde::{Deserialize, Serialize};

/// An accepted trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    pub id: TrialId,
    pub experiment: ExperimentId,
    /// 0 for baselines, closings and runs of a confirmation, then 1, 2, … in the order of acceptance.
    pub number: u32,
    pub kind: TrialKind,
    pub parameters: Parameters,
    /// It runs there only.
    pub cluster: Option<String>,
    pub ask: Option<AskId>,
    pub note: Option<String>,
    /// Measured once more to compare: a baseline after the first one, or a run of a pair. `repeats` is not for it.
    #[serde(default)]
    pub again: bool,
    /// Its pair of the confirmation, from 1.
    #[serde(default)]
    pub pair: Option<u32>,
    pub submitted: Timestamp,
    pub state: TrialState,
    /// One for each measured epoch.
    pub measurements: Vec<Measurement>,
    /// What the measured epochs tell of where their servers landed; shorter than `measurements` where one tells nothing.
    #[serde(default)]
    pub placements: Vec<String>,
    /// How long the measured epochs took, in seconds, less what their changes cost.
    #[serde(default)]
    pub seconds: Vec<f64>,
    /// Epochs begun so far, by which their ids are derived.
    pub epochs: u32,
    /// Epochs that ended `invalid`, and `broken`; each has its limit.
    pub invalid: u32,
    pub broken: u32,
}

impl Trial {
    /// One that waits and was never run.
    pub fn new(
        id: TrialId,
        experiment: ExperimentId,
        kind: TrialKind,
        parameters: Parameters,
        at: Timestamp,
    ) -> Self {
        Self {
            id,
            experiment,
            number: 0,
            kind,
            parameters,
            cluster: None,
            ask: None,
            note: None,
            again: false,
            pair: None,
            submitted: at,
            state: TrialState::Waiting { not_before: at },
            measurements: Vec::new(),
            placements: Vec::new(),
            seconds: Vec::new(),
            epochs: 0,
            invalid: 0,
            broken: 0,
        }
    }

    /// One that the experiment has by itself, on one of its clusters; `called` tells it from the others.
    pub(super) fn own(
        experiment: ExperimentId,
        called: &str,
        kind: TrialKind,
        parameters: Parameters,
        cluster: &str,
        at: Timestamp,
    ) -> Self {
        let id = TrialId::derived(experiment.0, called);
        Self { cluster: Some(cluster.to_owned()), ..Self::new(id, experiment, kind, parameters, at) }
    }
}

/// Where a trial is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TrialState {
    /// For a free cluster, not before this instant.
    Waiting {
        not_before: Timestamp,
    },
    Running {
        epoch: EpochId,
    },
    /// For good.
    Ended {
        at: Timestamp,
        outcome: Outcome,
        reason: Option<String>,
        /// What the optimizer is told, if it is told.
        observation: Option<Box<Observation>>,
    },
}
