//! An epoch message: the coordinator hands one stage of an epoch to a worker.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::experiment::{Metric, Objective, StageSpec};
use crate::id::{EpochId, ExperimentId, TrialId};
use crate::message::{Artifact, Leak, TrialKind};
use crate::space::Parameters;
use crate::time::{Period, Timestamp};

/// One of the four stages; each is owned by one worker service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Put the parameters in force.
    Apply,
    /// Keep the background load.
    Load,
    /// Deploy the application and benchmark it.
    Bench,
    /// Fetch the results, compute metrics, clean up.
    Collect,
}

impl Stage {
    /// In the order of the circle.
    pub const ALL: [Self; 4] = [Self::Apply, Self::Load, Self::Bench, Self::Collect];

    /// The name used in routing keys, the store and every face.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Load => "load",
            Self::Bench => "bench",
            Self::Collect => "collect",
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a worker is to do in its stage. Each action can be done twice with the effect of once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Apply only: read the values in force, to measure the baseline under them and to restore them later.
    Capture,
    /// apply: put `parameters` in force and read them back; load: have the load running; bench: measure; collect: read the result.
    Run,
    /// apply: put `restore` back; load: remove the load; bench and collect: remove what an unfinished run left.
    Undo,
}

impl Action {
    /// The name used in messages, the store and every face.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Run => "run",
            Self::Undo => "undo",
        }
    }
}

/// `autoopt.epoch.v1`, routing key `epoch.<cluster>.<stage>`: one stage of one epoch, handed out.
///
/// (`step`, `attempt`) is the fencing token: it only ever grows within an epoch, and a report that carries an older
/// one changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Epoch {
    pub experiment: String,
    pub experiment_id: ExperimentId,
    pub trial: TrialId,
    /// The trial's number within its experiment; 0 is the baseline.
    pub number: u32,
    pub kind: TrialKind,
    pub epoch: EpochId,
    pub cluster: String,
    /// Position in the epoch's plan, from 0.
    pub step: u32,
    pub stage: Stage,
    pub action: Action,
    /// How often this step has been handed out, from 1.
    pub attempt: u32,
    pub issued: Timestamp,
    /// A worker that sends no heartbeat for this long has lost the stage.
    pub lease: Period,
    /// A stage that runs longer is ended by its worker.
    pub timeout: Period,
    /// The values of this trial; for `capture` the defaults, which name what to read.
    #[serde(default)]
    pub parameters: Parameters,
    /// The backend and its settings, as the experiment has them.
    pub backend: StageSpec,
    /// What `capture` found on this cluster; the values for `undo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<Parameters>,
    /// What earlier steps of this epoch gave out, by stage.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<Stage, serde_json::Map<String, serde_json::Value>>,
    /// Raw output of the bench stage, for collect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// undo of bench: what an earlier epoch left on the cluster; what of it is still there is told in the report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaks: Vec<Leak>,
    /// How to get from raw output to numbers; for collect only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<Measure>,
}

/// What collect computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measure {
    pub metrics: Vec<Metric>,
    pub objective: Objective,
    /// Further objectives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_objectives: Vec<Objective>,
    /// Comparisons over metrics that a feasible trial satisfies, such as `latency_p95 <= 50`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcome_constraints: Vec<String>,
    /// The baseline's metrics on this cluster, for formulas with `baseline.NAME`; absent while it is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BTreeMap<String, f64>>,
}

/// `autoopt.cancel.v1`, routing key `cancel.<cluster>.<stage>`, to every worker of the stage: stop this epoch's steps up to
/// and including (`step`, `attempt`). Losing it is harmless: it is sent again in answer to the next stale heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancel {
    pub epoch: EpochId,
    pub cluster: String,
    pub stage: Stage,
    pub step: u32,
    pub attempt: u32,
    /// For the log.
    pub reason: String,
}
