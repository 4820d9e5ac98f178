//! The experiment file's types. What the types cannot say is checked by `check`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::FailureKind;
use crate::message::{Goal, Observation, Stage};
use crate::space::{Parameter, Parameters};
use crate::time::Period;

/// An experiment: the search for better values of some parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExperimentSpec {
    /// Letters, digits, `_` and `-`, at most 64. Unique among the experiments that are open.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The clusters to run on; each runs one epoch at a time. Letters, digits, `_` and `-`.
    pub clusters: Vec<String>,
    /// Same experiment, seed and results: same suggestions.
    #[serde(default)]
    pub seed: u64,
    /// Epochs for each trial; the trial's value is their mean.
    #[serde(default = "one")]
    pub repeats: u32,
    /// How to leave each cluster.
    #[serde(default)]
    pub at_end: AtEnd,
    /// Beside other experiments on the same cluster: the higher one goes first, and takes the cluster over after the running epoch.
    #[serde(default)]
    pub priority: i32,
    /// How many epochs it may run on a cluster before another experiment of the same priority has its turn there.
    #[serde(default = "five")]
    pub turn: u32,
    pub budget: Budget,
    #[serde(default)]
    pub algorithm: Algorithm,
    /// The knobs.
    pub parameters: Vec<Parameter>,
    /// Between parameters: `a < b`, `a + 2 * b <= 10`. Linear; every trial satisfies them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<String>,
    /// Groups of parameters whose common scale does not matter: all of them multiplied by one positive number mean the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scale_free: Vec<Vec<String>>,
    /// Trials before any other but the baseline; a parameter that is left out has its default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub presets: Vec<Parameters>,
    pub apply: StageSpec,
    pub load: StageSpec,
    pub bench: StageSpec,
    pub collect: StageSpec,
    /// The numbers a trial yields.
    pub metrics: Vec<Metric>,
    pub objective: Objective,
    /// Further objectives, none of which may be given up for another: what is sought is the front of the trials that no other one is
    /// better than in everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_objectives: Vec<Objective>,
    /// Over metrics: `latency_p95 <= 50`. A trial that breaks one is `violated`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcome_constraints: Vec<String>,
    /// What follows a failure, by kind.
    #[serde(default)]
    pub retry: RetryPolicies,
    /// The baseline is measured again while the search runs; without it, once, at its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// When the search is over its best values, with several objectives a compromise, are compared with the baseline by fresh runs;
    /// without it they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Confirm>,
}

const fn one() -> u32 {
    1
}

const fn five() -> u32 {
    5
}

impl ExperimentSpec {
    /// All objectives; the first is `objective`.
    pub fn objectives(&self) -> impl Iterator<Item = &Objective> {
        std::iter::once(&self.objective).chain(&self.other_objectives)
    }

    /// Which way each objective is better.
    pub fn goals(&self) -> Vec<Goal> {
        self.objectives().map(Objective::goal).collect()
    }

    /// The specification of one stage.
    pub const fn stage(&self, stage: Stage) -> &StageSpec {
        match stage {
            Stage::Apply => &self.apply,
            Stage::Load => &self.load,
            Stage::Bench => &self.bench,
            Stage::Collect => &self.collect,
        }
    }
}

/// How one stage is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageSpec {
    /// `command`, `noop`, or what a later release of the worker offers.
    pub backend: String,
    /// The backend's own; for `command` the `name` of an entry in the worker's configuration.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// A run that takes longer is ended and counts as a transient failure.
    #[serde(default = "ten_minutes")]
    pub timeout: Period,
    /// A worker that is silent for longer has lost the stage.
    #[serde(default = "thirty_seconds")]
    pub lease: Period,
    /// load only: kept for the whole experiment, or made anew for each epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<KeepLoad>,
}

const fn ten_minutes() -> Period {
    Period::seconds(600)
}

const fn thirty_seconds() -> Period {
    Period::seconds(30)
}

/// How long a background load lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeepLoad {
    /// Made once, checked before each benchmark, removed at the end.
    #[default]
    Experiment,
    /// Made before and removed after each benchmark.
    Epoch,
}

/// How to leave a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AtEnd {
    /// As it was found.
    #[default]
    Restore,
    /// With the best values applied; as it was found if nothing beat the baseline, or if that was to be confirmed and was not.
    Best,
    /// With the last trial's values.
    Keep,
}

/// When to stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Trials beside the baseline; trials by hand count, runs to confirm do not.
    pub trials: u32,
    /// No new trial is begun after this long; what is to be confirmed is confirmed after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_time: Option<Period>,
    /// The search ends early once the expected gain left, as a part of the best value, is below this in three answers of
    /// the optimizer in a row: 0.005 is 0.5 %. Needs an optimizer with a model, as `gp` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_below: Option<f64>,
}

/// How often the baseline is measured again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Once in so many trials of a cluster, before one that is drawn by lot: randomised blocks.
    pub every: u32,
}

/// How the best values are confirmed: on each cluster in pairs of runs, one of them with the baseline's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Confirm {
    /// On each cluster; from 2 on. With `precision` the first ones, from whose noise the number of all is planned.
    pub pairs: u32,
    /// How far the gain's interval may reach to either side, as a part of the baseline: 0.05 is 5 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<f64>,
    /// No more than this on each cluster, whatever the noise.
    pub max_pairs: u32,
    /// How sure the interval is, between 0 and 1; with several objectives, all their intervals together.
    pub level: f64,
}

impl Default for Confirm {
    fn default() -> Self {
        Self { pairs: 6, precision: None, max_pairs: 20, level: 0.95 }
    }
}

/// Who proposes trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Algorithm {
    /// `gp`, `sobol`, `lhs`, `grid`, `random`; `manual` asks nobody; any other name is asked as `ask.NAME`.
    pub name: String,
    /// Trials of the design before a model proposes; by default it follows from the number of parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<u32>,
    /// The algorithm's own.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Results of earlier experiments, with this space or another one: parameters are known by their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warm_start: Vec<WarmStart>,
}

/// What is known from before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WarmStart {
    /// In an experiment file: what `autoopt export --format json` wrote, beside it. `autoopt` puts the results in its place.
    File(String),
    /// The results themselves.
    Earlier(Earlier),
}

/// An experiment that was made before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Earlier {
    /// For people.
    pub name: String,
    /// Which way its objective is better.
    pub goal: Goal,
    /// The same of its further objectives, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_goals: Vec<Goal>,
    /// Its measured trials, baselines among them: values are compared as parts of these, or by how far they are from them.
    pub results: Vec<Observation>,
}

impl Algorithm {
    /// The name of the algorithm that asks nobody.
    pub const MANUAL: &'static str = "manual";
}

impl Default for Algorithm {
    fn default() -> Self {
        Self { name: "gp".into(), initial: None, settings: serde_json::Map::new(), warm_start: Vec::new() }
    }
}

/// A number that a trial yields: read from raw output (`parser` and `field`), or computed (`formula`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Letters, digits and `_`, starting with a letter: it is used in formulas.
    pub name: String,
    /// Reads the artifact `from`: `sysbench`, `iperf3`, `rabbitmq-perf-test`, `fio`, `pgbench`, `stress-ng`, `regex`, `json`
    /// or `key-value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parser: Option<String>,
    /// Which artifact of the bench stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Which number: a field the parser knows, a regular expression with one group, a JSON pointer, or a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Over metrics defined before this one, and `baseline.NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// What to make better: exactly one of the two, an expression over metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximize: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimize: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

impl Objective {
    /// Which way is better.
    pub const fn goal(&self) -> Goal {
        if self.minimize.is_some() { Goal::Minimize } else { Goal::Maximize }
    }

    /// The expression.
    pub fn expression(&self) -> &str {
        self.maximize.as_deref().or(self.minimize.as_deref()).unwrap_or_default()
    }
}

/// What follows a failure. Kinds without an entry: never tried again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicies {
    /// Of a stage.
    pub transient: RetryPolicy,
    /// Of the whole epoch, measured again.
    pub invalid: RetryPolicy,
    /// Of the whole trial, put back while its cluster is paused.
    pub broken: RetryPolicy,
    /// The cluster is paused after this many epochs in a row that ended transient, invalid or broken.
    pub breaker_after: u32,
    /// A paused cluster is tried again after this long.
    pub breaker_pause: Period,
}

impl RetryPolicies {
    /// The policy for one kind of failure, if there is one.
    pub const fn get(&self, kind: FailureKind) -> Option<&RetryPolicy> {
        match kind {
            FailureKind::Transient => Some(&self.transient),
            FailureKind::Invalid => Some(&self.invalid),
            FailureKind::Broken => Some(&self.broken),
            FailureKind::Infeasible | FailureKind::Violated | FailureKind::Abandoned => None,
        }
    }
}

impl Default for RetryPolicies {
    fn default() -> Self {
        Self {
            transient: RetryPolicy {
                attempts: 5,
                backoff: Period::seconds(1),
                max_backoff: Period::seconds(60),
            },
            invalid: RetryPolicy {
                attempts: 3,
                backoff: Period::seconds(1),
                max_backoff: Period::seconds(60),
            },
            broken: RetryPolicy {
                attempts: 3,
                backoff: Period::seconds(30),
                max_backoff: Period::seconds(600),
            },
            breaker_after: 3,
            breaker_pause: Period::seconds(300),
        }
    }
}

/// How often, and how far apart. The n-th pause is `backoff * 2^(n-1)`, at most `max_backoff`, times a factor between 0.5 and 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// In all, the first included.
    pub attempts: u32,
    pub backoff: Period,
    pub max_backoff: Period,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 3, backoff: Period::seconds(1), max_backoff: Period::seconds(60) }
    }
}
