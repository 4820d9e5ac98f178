//! What the HTTP API answers with, and what a client reads: the same types on both sides.
//!
//! Fields are only ever added. Names, notes and reasons come from people and from programs; a face that shows them
//! treats them as text.

mod acts;
mod tables;

use std::collections::BTreeMap;

use autoopt_epoch::experiment::{Budget, ExperimentSpec};
use autoopt_epoch::failure::{FailureKind, Outcome};
use autoopt_epoch::id::{AskId, EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::{Action, Event, Goal, Measurement, Outlook, Stage, TrialKind};
use autoopt_epoch::problem::Problem;
use autoopt_epoch::space::Parameters;
use autoopt_epoch::statistics::{Claim, Drift, Run, all_shown};
use autoopt_epoch::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::machine::Phase;

pub use acts::{DeadLetterList, DeadLetterView, Whoami};
pub use tables::{
    Effects, EffectsState, PlacementRow, Placements, SpanState, SpanView, Timeline, TrialColumns, WorkerList,
    WorkerView,
};

/// `GET /v1/experiments`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExperimentList {
    pub experiments: Vec<ExperimentSummary>,
}

/// One experiment, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExperimentSummary {
    pub id: ExperimentId,
    pub name: String,
    pub phase: Phase,
    /// Why it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub goal: Goal,
    pub budget: Budget,
    pub clusters: Vec<String>,
    /// Trials accepted beside the baselines.
    pub accepted: u32,
    /// Ended trials beside the baselines, by outcome.
    pub outcomes: BTreeMap<Outcome, u32>,
    /// The best feasible trial so far, the baseline included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<BestView>,
    /// With several objectives: the feasible trials that no other is better than in everything, the baseline among them, best first by
    /// the first objective.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub front: Vec<FrontView>,
    /// With several objectives and clusters: by cluster what its values of each objective are multiplied by to be in the front's terms,
    /// which are those of the first cluster here. They follow from the baselines so far.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub factors: BTreeMap<String, Vec<f64>>,
    /// What the optimizer made of the results when it last answered; absent while it has no model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlook: Option<Outlook>,
    /// The values to put in force: those that are or were confirmed, which are what the optimizer recommends, or the best measured
    /// ones where it has no model; with several objectives a compromise. Absent while neither is thought to beat the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended: Option<RecommendedView>,
    /// The baseline's objective on each cluster where it has been measured.
    pub baseline: BTreeMap<String, f64>,
    /// How far the runs of the baseline lie apart on each cluster.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub baseline_runs: BTreeMap<String, Spread>,
    /// Of the objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// By how much the best is better than the baseline of the cluster where it was measured, as a part of it: 0.12 is 12 %
    /// better. Absent while either is unknown, or where the baseline is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain: Option<f64>,
    /// The comparison of what the search found with the baseline by fresh runs, from its beginning on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<ConfirmationView>,
    pub started: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

/// Where some measurements lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    pub n: u32,
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

/// The best trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BestView {
    pub trial: TrialId,
    /// 0 is the baseline.
    pub number: u32,
    /// Where it was measured; empty if that was not written down.
    #[serde(default)]
    pub cluster: String,
    pub objective: f64,
    pub parameters: Parameters,
}

/// A trial of the front of several objectives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FrontView {
    pub trial: TrialId,
    /// 0 is the baseline.
    pub number: u32,
    /// Where it was measured; empty if that was not written down.
    #[serde(default)]
    pub cluster: String,
    /// Of each objective, in the order of the experiment's. With several clusters in the terms of one of them: each beside the baseline
    /// of its own cluster.
    pub values: Vec<f64>,
    pub parameters: Parameters,
}

/// Values to put in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecommendedView {
    /// Of a trial that had them.
    pub number: u32,
    pub parameters: Parameters,
}

/// A confirmation, under way or ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfirmationView {
    /// The trial whose values are measured afresh.
    pub number: u32,
    pub parameters: Parameters,
    pub began: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Pairs on all clusters: measured, wanted as far as is known, and void.
    pub done: u32,
    pub wanted: u32,
    pub void: u32,
    /// Why it ended before its time; then nothing counts as shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// At its end, if two pairs were measured on some cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// The same of each further objective, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_claims: Vec<Claim>,
    /// The result, or how far it is, as a sentence.
    pub told: String,
}

impl ConfirmationView {
    /// Of each objective; none before the end.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.claim.iter().chain(&self.other_claims)
    }

    /// Whether the values are shown to be better in everything.
    pub fn shown(&self) -> bool {
        all_shown(self.claim.as_ref(), &self.other_claims)
    }
}

/// What an experiment knows of one of its clusters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SiteView {
    /// The values that were in force before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Parameters>,
    /// Every run of the baseline, in the order in which they ended.
    pub baseline_runs: Vec<Run>,
    /// Their trend, from four runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// Of the confirmation, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<PairView>,
    /// Why nothing runs here any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_use: Option<String>,
}

/// A pair of runs of a confirmation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairView {
    pub number: u32,
    pub baseline_first: bool,
    /// The objective of each, once measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended: Option<f64>,
    /// The further objectives of each, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baseline_others: Vec<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recommended_others: Vec<f64>,
    /// Why it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<String>,
}

/// `GET /v1/experiments/X`; also the answer to what changes one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExperimentDetail {
    #[serde(flatten)]
    pub summary: ExperimentSummary,
    /// Open epochs, the oldest first.
    pub running: Vec<EpochView>,
    /// By cluster.
    #[serde(default)]
    pub sites: BTreeMap<String, SiteView>,
    /// Clusters that another experiment has at present, with its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waits_for: BTreeMap<String, String>,
    pub spec: ExperimentSpec,
}

/// `GET /v1/experiments/X/trials`, in the order of acceptance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrialList {
    pub trials: Vec<TrialView>,
    /// How many there are in all.
    pub total: u64,
}

/// Where a trial is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrialPhase {
    /// For a free cluster.
    Waiting,
    Running,
    /// For good.
    Ended,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrialView {
    pub id: TrialId,
    /// The experiment's name.
    pub experiment: String,
    pub experiment_id: ExperimentId,
    /// 0 for baselines, closings and runs of a confirmation.
    pub number: u32,
    pub kind: TrialKind,
    pub parameters: Parameters,
    /// The only cluster it may run on, if it is bound to one; where it was measured, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<AskId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Measured once more to compare: a baseline after the first one, or a run of a pair.
    #[serde(default)]
    pub again: bool,
    /// Its pair of the confirmation, from 1 on each cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<u32>,
    pub submitted: Timestamp,
    pub state: TrialPhase,
    /// The epoch that runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<EpochId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The mean over its measured epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<f64>,
    /// The mean of each further objective, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<f64>,
    /// The mean of each metric over its measured epochs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Measured epochs.
    pub repeats: u32,
}

/// `GET /v1/trials/T`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrialDetail {
    #[serde(flatten)]
    pub trial: TrialView,
    /// In the order in which they began.
    pub epochs: Vec<EpochDetail>,
}

/// Where the current step of an epoch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EpochPhase {
    /// Published; no worker has said anything yet.
    Handed,
    /// A worker has it.
    Leased,
    /// To be handed out again at `until`.
    BackingOff,
    Ended,
}

/// One epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EpochView {
    pub id: EpochId,
    pub trial: TrialId,
    pub experiment_id: ExperimentId,
    /// The trial's number.
    pub number: u32,
    pub kind: TrialKind,
    pub cluster: String,
    pub started: Timestamp,
    pub state: EpochPhase,
    /// Of the current step; absent once ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Position of the current step in the plan, from 0, and the plan's length.
    pub step: u32,
    pub steps: u32,
    pub attempt: u32,
    /// Since when the current step is where it is; when the epoch ended, once it has.
    pub since: Timestamp,
    /// When the next attempt is due, while backing off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Known before the end where the rest only cleans up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `GET /v1/epochs/E`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EpochDetail {
    #[serde(flatten)]
    pub epoch: EpochView,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measurement: Option<Measurement>,
    /// What its stages gave out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<Stage, serde_json::Map<String, serde_json::Value>>,
    /// What became of each handing-out, in order.
    pub attempts: Vec<AttemptView>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnding {
    Done,
    Failed,
    /// Its lease ran out, or the step was given up.
    Superseded,
}

/// One handing-out of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptView {
    pub step: u32,
    pub stage: Stage,
    pub action: Action,
    pub attempt: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// When the work began, by the worker's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    pub ended: Timestamp,
    pub ending: AttemptEnding,
    /// Of a failed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<FailureKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub outputs: serde_json::Map<String, serde_json::Value>,
    /// Raw output: `GET /v1/epochs/E/artifacts/STEP/ATTEMPT/NAME`.
    pub artifacts: Vec<ArtifactView>,
}

/// Raw output that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactView {
    pub name: String,
    /// Length of the content, in bytes.
    pub bytes: u64,
    /// Whether the program printed more than was kept.
    pub truncated: bool,
}

/// `GET /v1/clusters`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterList {
    pub clusters: Vec<ClusterView>,
}

/// Whether epochs may begin on a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClusterHealth {
    Healthy,
    /// No epoch begins before `until`.
    Paused,
    /// One epoch is trying it out.
    Trying,
}

/// What an epoch left behind on a cluster, where nothing is measured until it is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeakedView {
    pub since: Timestamp,
    /// The experiment's name.
    pub experiment: String,
    pub epoch: EpochId,
    pub leaks: Vec<LeakView>,
}

/// One thing that was left behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeakView {
    /// Its kind and id.
    pub what: String,
    /// The command that removes it.
    pub remedy: String,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterView {
    pub name: String,
    pub health: ClusterHealth,
    /// Epochs in a row that ended transient, invalid or broken.
    pub failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaked: Option<LeakedView>,
    /// Trials that wait and may run there.
    #[serde(default)]
    pub waiting: u32,
    /// What runs there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment_id: Option<ExperimentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<EpochId>,
}

/// One line of the log of what happened; the same as the message.
pub type EventView = Event;

/// `GET /v1/events`, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventList {
    pub events: Vec<EventView>,
}

/// A trial by hand, the body of `POST /v1/experiments/X/trials`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTrial {
    /// A value for each parameter of the space.
    pub parameters: Parameters,
    /// Chosen by the sender to make a repeated request harmless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How a part, or the whole, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    Ok,
    /// It goes on, and somebody should look.
    Degraded,
    /// It waits for something that is not there.
    Down,
}

/// `GET /health`: 200 while `status` is not `down`, else 503.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    pub status: HealthStatus,
    pub version: String,
    pub bus: Part,
    pub store: Part,
    pub relay: Part,
    /// Messages that wait to be published.
    pub backlog: u64,
    /// Whether this coordinator only stands by.
    pub standby: bool,
    /// Experiments that have not ended.
    pub open_experiments: u64,
}

/// One part of the coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    pub status: HealthStatus,
    /// What is wrong and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Part {
    /// Nothing is wrong.
    pub const fn ok() -> Self {
        Self { status: HealthStatus::Ok, reason: None }
    }

    /// Something is wrong.
    pub fn not_ok(status: HealthStatus, reason: impl Into<String>) -> Self {
        Self { status, reason: Some(reason.into()) }
    }
}

/// The body of every answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    pub error: ErrorView,
}

/// What was wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorView {
    /// For programs: `invalid`, `unauthorized`, `not_found`, `conflict`, `too_large`, `unavailable` or `internal`.
    pub code: String,
    /// For people.
    pub message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}
