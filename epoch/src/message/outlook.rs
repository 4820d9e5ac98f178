//! What an optimizer's model makes of an experiment so far.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::TrialId;
use crate::space::Parameters;

/// Travels with an answer of an optimizer that has a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outlook {
    /// Results it was computed from.
    pub results: u32,
    pub recommended: Recommended,
    /// What a search that missed nothing would still gain over the recommendation, as the model expects, as a part of the
    /// recommendation's own value: 0.004 is 0.4 %. Absent where that value is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain_left: Option<f64>,
}

/// Of several goals: the evaluated parameters that are a compromise by the models, which see through noise. They are the ones of the
/// front that are nearest to the best of every goal, each seen as a part of the front's range. Travels with an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Compromise {
    /// A trial that had these parameters.
    pub trial: TrialId,
    /// Its number.
    pub number: u32,
    pub parameters: Parameters,
}

/// The best of the evaluated parameters by the model, which sees through noise, not by the luckiest measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recommended {
    /// A trial that had these parameters.
    pub trial: TrialId,
    /// Its number.
    pub number: u32,
    pub parameters: Parameters,
    /// What the objective is there: the middle of what the model holds possible, not of single measurements.
    pub objective: f64,
    /// The objective is between `low` and `high` with a probability of 90 %.
    pub low: f64,
    pub high: f64,
    /// That none of the other evaluated parameters is better.
    pub probability_best: f64,
}
