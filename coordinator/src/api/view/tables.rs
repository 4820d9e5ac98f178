//! What a face that draws many things at once reads: trials by column, spans of time, workers.

use std::collections::BTreeMap;

use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::{EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::{Action, Explanation, Stage, TrialKind};
use autoopt_epoch::space::Value;
use autoopt_epoch::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TrialPhase;

/// `GET /v1/experiments/X/columns`: its trials, one list for each property. The lists have the same length; instants are
/// milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrialColumns {
    /// The position in the event log that this is up to; what comes after it, `changed_after` brings.
    pub position: i64,
    /// How many trials the experiment has, whether or not they are in these lists.
    pub total: u64,
    pub trial: Vec<TrialId>,
    /// 0 for baselines and closings.
    pub number: Vec<u32>,
    pub kind: Vec<TrialKind>,
    pub state: Vec<TrialPhase>,
    pub outcome: Vec<Option<Outcome>>,
    /// Where it runs or ran last, or the only cluster it may run on.
    pub cluster: Vec<Option<String>>,
    pub submitted: Vec<i64>,
    /// When its first epoch began.
    pub started: Vec<Option<i64>>,
    pub ended: Vec<Option<i64>>,
    /// The mean over its measured epochs.
    pub objective: Vec<Option<f64>>,
    /// Of each further objective, in the order of the experiment's, the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Vec<Option<f64>>>,
    /// The standard error of that mean; absent with fewer than two measured epochs.
    pub error: Vec<Option<f64>>,
    /// Measured epochs.
    pub repeats: Vec<u32>,
    /// Why it failed, by position in the lists.
    pub reason: BTreeMap<usize, String>,
    /// What its sender wrote, by position in the lists.
    pub note: BTreeMap<usize, String>,
    /// Values by parameter.
    pub parameters: BTreeMap<String, Vec<Option<Value>>>,
    /// Means over the measured epochs by metric.
    pub metrics: BTreeMap<String, Vec<Option<f64>>>,
}

/// `GET /v1/timeline`: what ran lately, and runs now, on each cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timeline {
    /// The coordinator's clock.
    pub now: Timestamp,
    /// The position in the event log that this is up to.
    pub position: i64,
    /// From when on it is complete; later than asked for where there were too many.
    pub since: Timestamp,
    /// By cluster, then by time.
    pub spans: Vec<SpanView>,
}

/// One attempt at one step, as a span of time by the coordinator's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpanView {
    pub cluster: String,
    pub experiment_id: ExperimentId,
    pub trial: TrialId,
    /// The trial's number.
    pub number: u32,
    pub kind: TrialKind,
    pub epoch: EpochId,
    pub step: u32,
    pub attempt: u32,
    pub stage: Stage,
    pub action: Action,
    pub state: SpanState,
    /// When it was handed out, or the worker began if that is known to lie between.
    pub began: Timestamp,
    /// Absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a span shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpanState {
    /// No worker has taken it yet.
    Handed,
    Running,
    /// Failed; the next attempt is due when the span says.
    Waiting,
    Done,
    Failed,
    Superseded,
}

/// `GET /v1/workers`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerList {
    /// The coordinator's clock.
    pub now: Timestamp,
    /// Those that this coordinator has heard of since it began to lead, by name.
    pub workers: Vec<WorkerView>,
}

/// One worker process, by its latest report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerView {
    /// `name/pid`
    pub worker: String,
    pub stage: Stage,
    /// The cluster of the latest report.
    pub cluster: String,
    /// Which version of the program it is; absent where the worker does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When its latest report arrived.
    pub heard: Timestamp,
    /// By how much its clock is ahead of the coordinator's, in milliseconds; time on the way counts against it.
    pub clock_ahead_ms: i64,
    /// What it is at; absent while it has nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<EpochId>,
    /// Until when it keeps that without a further heartbeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Timestamp>,
    /// What it says it is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Steps that it ended, since this coordinator began to lead.
    pub ended_steps: u64,
}

/// `GET /v1/experiments/X/placements`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Placements {
    pub servers: Vec<String>,
    /// The baseline on each cluster, then the newest epochs, the newest first.
    pub rows: Vec<PlacementRow>,
}

/// Where one epoch's servers landed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlacementRow {
    pub trial: TrialId,
    pub epoch: EpochId,
    /// The trial's number.
    pub number: u32,
    pub kind: TrialKind,
    pub cluster: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<f64>,
    /// In the order of `servers`; absent for one that was not there.
    pub hosts: Vec<Option<String>>,
}

/// `GET /v1/experiments/X/effects`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effects {
    pub state: EffectsState,
    /// Results that are known now.
    pub results: u32,
    /// Why the optimizer could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The latest answer, which may be of fewer results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

/// Whether an explanation is up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EffectsState {
    Current,
    /// The optimizer was asked, and has not answered yet.
    Computing,
    /// It could not be asked.
    Failed,
}
