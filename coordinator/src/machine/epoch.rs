//! An epoch: a plan of steps, one of which is with a worker.

use std::collections::BTreeMap;

use autoopt_epoch::failure::{FailureKind, Outcome};
use autoopt_epoch::id::{EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::{Action, Artifact, Measurement, Stage, TrialKind};
use autoopt_epoch::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One trip of one trial on one cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    pub id: EpochId,
    pub experiment: ExperimentId,
    pub trial: TrialId,
    pub number: u32,
    pub kind: TrialKind,
    /// Its pair of the confirmation, from 1.
    #[serde(default)]
    pub pair: Option<u32>,
    pub cluster: String,
    pub started: Timestamp,
    /// What is done, in order. When something fails, the rest is replaced by what undoes it.
    pub plan: Vec<Step>,
    /// Index of the current step.
    pub at: u32,
    /// Of the current step, from 1.
    pub attempt: u32,
    pub progress: Progress,
    /// Set once the outcome is certain, while the rest of the plan cleans up.
    pub verdict: Option<Verdict>,
    pub measurement: Option<Measurement>,
    pub outputs: BTreeMap<Stage, serde_json::Map<String, serde_json::Value>>,
}

/// One thing a worker is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Step {
    pub stage: Stage,
    pub action: Action,
}

/// Where the current step is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "progress", rename_all = "snake_case")]
pub enum Progress {
    /// Published at `since`; no worker has said anything yet.
    Handed { since: Timestamp },
    /// A worker has it; without a heartbeat until `lease_until`, or without an end until `timeout_at`, it has lost it.
    Leased { since: Timestamp, worker: String, lease_until: Timestamp, timeout_at: Timestamp },
    /// To be handed out again then.
    BackingOff { until: Timestamp },
    /// The plan is done.
    Ended { at: Timestamp },
}

/// What an epoch came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub outcome: Outcome,
    pub reason: Option<String>,
}

/// What became of one handing-out of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub epoch: EpochId,
    pub step: u32,
    pub stage: Stage,
    pub action: Action,
    pub attempt: u32,
    pub worker: Option<String>,
    /// When the work began, by the worker's clock; absent if none took it.
    pub started: Option<Timestamp>,
    pub ended: Timestamp,
    pub ending: Ending,
    pub outputs: serde_json::Map<String, serde_json::Value>,
    pub artifacts: Vec<Artifact>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ending", rename_all = "snake_case")]
pub enum Ending {
    Done,
    Failed {
        kind: FailureKind,
        reason: String,
    },
    /// Its lease ran out, or the step was given up; whatever it still reports changes nothing.
    Superseded {
        reason: String,
    },
}
