//! A question to the optimizer: everything it needs, so that its answer is a pure function of the message.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::experiment::Algorithm;
use crate::failure::Outcome;
use crate::id::{AskId, ExperimentId, TrialId};
use crate::message::{TrialKind, Violation};
use crate::space::{Parameter, Parameters};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    Maximize,
    Minimize,
}

impl Goal {
    /// +1 to maximise, −1 to minimise: `sign * value` is always "larger is better".
    pub const fn sign(self) -> f64 {
        match self {
            Self::Maximize => 1.0,
            Self::Minimize => -1.0,
        }
    }
}

/// `autoopt.ask.v1`, routing key `ask.<algorithm>`; answered by a `trial` message whose `ask` is this one's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ask {
    pub ask: AskId,
    pub experiment: String,
    pub experiment_id: ExperimentId,
    /// The number the answer will have, from 1; part of the seed.
    pub number: u32,
    pub algorithm: Algorithm,
    pub seed: u64,
    pub goal: Goal,
    /// Of each further objective, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_goals: Vec<Goal>,
    pub parameters: Vec<Parameter>,
    /// Constraints between parameters, as the experiment has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<String>,
    /// Groups of parameters whose common scale does not matter, as the experiment has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scale_free: Vec<Vec<String>>,
    /// The experiment's outcome constraints, over the results' metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcome_constraints: Vec<String>,
    /// The values in force on each cluster where the trial may run at once; told where a parameter has a `change_cost`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_force: Vec<Parameters>,
    /// Trials planned in all.
    pub budget: u32,
    /// Evaluations that can run at once.
    pub parallel: u32,
    /// What is known, in the order in which it became known.
    pub results: Vec<Observation>,
    /// What is being evaluated.
    #[serde(default)]
    pub pending: Vec<Pending>,
}

/// One ended trial that teaches something: measured, infeasible or violated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    pub trial: TrialId,
    pub number: u32,
    pub kind: TrialKind,
    pub cluster: String,
    pub parameters: Parameters,
    pub outcome: Outcome,
    /// The mean over repeats; present when measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<f64>,
    /// The mean of each further objective, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<f64>,
    /// Standard error of that mean; present from two repeats on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std_error: Option<f64>,
    /// Epochs behind the mean.
    #[serde(default)]
    pub repeats: u32,
    /// Mean of each metric.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Which placement its servers had, where that is known and was the same in all its epochs: equal texts of one cluster, equal
    /// placements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<String>,
    /// How long its measured epochs took on average, in seconds, less what the changes before them cost by their parameters'
    /// `change_cost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Outcome constraints that did not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
}

/// A trial that is waiting or running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pending {
    pub trial: TrialId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    pub parameters: Parameters,
}
