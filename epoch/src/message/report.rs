//! A report: what a worker says of a stage it was handed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::id::EpochId;
use crate::message::{Action, Artifact, Leak, Stage};
use crate::space::Parameters;
use crate::time::Timestamp;

/// `autoopt.report.v1`, routing key `report.<cluster>.<stage>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    pub epoch: EpochId,
    pub cluster: String,
    pub step: u32,
    pub stage: Stage,
    pub action: Action,
    pub attempt: u32,
    /// Which worker: `name/pid`.
    pub worker: String,
    pub at: Timestamp,
    #[serde(flatten)]
    pub state: ReportState,
}

/// Where the stage is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReportState {
    /// Taken; the lease runs from now. A stage that ends within a blink skips this report.
    Accepted,
    /// Still at it; the lease runs from now.
    Heartbeat {
        /// For people: what it is doing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Done.
    Done(Done),
    /// Not done.
    Failed(Failure),
}

/// What a finished stage gives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Done {
    /// When the work began, by the worker's clock.
    #[serde(default)]
    pub started: Timestamp,
    /// capture: the values found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captured: Option<Parameters>,
    /// collect: the numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measurement: Option<Measurement>,
    /// Small facts for later stages and for people (where each server landed, an exit code).
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub outputs: serde_json::Map<String, serde_json::Value>,
    /// What is still on the cluster although it should have been removed: no other epoch is measured there until it is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaks: Vec<Leak>,
    /// Raw output to keep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
}

/// The numbers of one epoch. All are finite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measurement {
    pub metrics: BTreeMap<String, f64>,
    pub objective: f64,
    /// Of each further objective, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<f64>,
    /// The outcome constraints that do not hold; empty in a feasible epoch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
}

/// An outcome constraint that does not hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    /// As written in the experiment.
    pub constraint: String,
    /// How far it is from holding, in the constraint's own unit; positive.
    pub by: f64,
}
