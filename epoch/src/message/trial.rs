//! A trial: values to evaluate, from the optimizer, from a person, or the baseline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{AskId, TrialId};
use crate::message::{Compromise, Outlook};
use crate::space::Parameters;

/// `autoopt.trial.v1`, routing key `trial`: asks for one evaluation. Only the first two fields are required.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trial {
    /// The name (or id) of an open experiment.
    pub experiment: String,
    /// A value for each parameter of its space.
    pub parameters: Parameters,
    /// Chosen by the sender to make a repeated message harmless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialId>,
    /// The question this answers; absent in a trial by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<AskId>,
    /// Run it there only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// For people: why this trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Beside an answer: what the optimizer makes of the results so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlook: Option<Outlook>,
    /// Beside an answer to a question with several goals: what the optimizer would recommend by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromise: Option<Compromise>,
}

/// Where a trial came from. The set only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrialKind {
    /// What was found on the cluster before the experiment touched it.
    Baseline,
    /// Proposed by the optimizer.
    Proposed,
    /// Submitted by a person.
    Manual,
    /// The values that the search found best, measured afresh to compare them with the baseline.
    Recommended,
    /// Not evaluated: takes the load away and leaves the cluster as the experiment says.
    Closing,
}

impl TrialKind {
    /// The name used in messages, the store and every face.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Proposed => "proposed",
            Self::Manual => "manual",
            Self::Recommended => "recommended",
            Self::Closing => "closing",
        }
    }
}
