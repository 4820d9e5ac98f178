//! What an optimizer's model thinks of an experiment's results, for whoever shows it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::ExperimentId;
use crate::space::Value;

/// `autoopt.explanation.v1`, routing key `explanation.<experiment>`: the answer to an ask with the routing key `ask.explain`,
/// a pure function of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    pub experiment_id: ExperimentId,
    /// Results that the ask held.
    pub results: u32,
    /// Why nothing can be said; the rest is empty then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// By parameter that can vary, the most important first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
    /// The strongest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interactions: Vec<Interaction>,
    /// The share of the variance of results that is predicted where they are left out, 1 at best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r_squared: Option<f64>,
    /// What is not to be concluded, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<String>,
}

/// A number and where it is with a probability of 90 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

impl Estimate {
    /// Of draws from the posterior: their mean, and their quantiles at 5 % and 95 %.
    pub fn of(mut draws: Vec<f64>) -> Self {
        draws.sort_by(f64::total_cmp);
        let n = draws.len().max(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place among draws"
        )]
        let at = |p: f64| draws.get((p * (n - 1) as f64).round() as usize).copied().unwrap_or(f64::NAN);
        #[expect(clippy::cast_precision_loss, reason = "a count of draws")]
        let mean = draws.iter().sum::<f64>() / n as f64;
        Self { mean, low: at(0.05), high: at(0.95) }
    }
}

/// What one parameter does, averaged over all others, each uniform over its range (the logarithm of a log parameter, the
/// values of a categorical).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    pub parameter: String,
    /// First-order Sobol index: the share of the objective's variance over the space that this parameter explains by
    /// itself (Sobol 1993).
    pub first_order: Estimate,
    /// Total Sobol index: the same with all interactions it takes part in (Homma, Saltelli 1996).
    pub total: Estimate,
    pub levels: Vec<Level>,
}

/// The mean objective where a parameter has one value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Level {
    pub value: Value,
    pub objective: Estimate,
}

/// What two parameters do together beyond what each does by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interaction {
    pub parameters: [String; 2],
    /// Second-order Sobol index: its share of the variance.
    pub share: Estimate,
}
