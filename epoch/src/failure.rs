//! What can become of an epoch: measured, or one of six kinds of failure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::message::Artifact;

/// Why something failed, in the only sense that matters: what has to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A passing fault (an API's 503, a reset connection): the stage is tried again; nothing is learned.
    Transient,
    /// The test bed is at fault for longer: the cluster is paused; nothing is learned.
    Broken,
    /// This configuration cannot work: the optimizer learns it.
    Infeasible,
    /// A guardrail was crossed: restored at once; the optimizer learns it.
    Violated,
    /// The measurement is no measurement (truncated, empty, no steady state): measured again, up to a limit.
    Invalid,
    /// Cancelled by a person: nothing is learned.
    Abandoned,
}

impl FailureKind {
    /// All kinds, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Transient, Self::Broken, Self::Infeasible, Self::Violated, Self::Invalid, Self::Abandoned];

    /// The name used in messages, the store and every face.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Broken => "broken",
            Self::Infeasible => "infeasible",
            Self::Violated => "violated",
            Self::Invalid => "invalid",
            Self::Abandoned => "abandoned",
        }
    }

    /// Whether the configuration itself is at fault, so that the optimizer has to hear of it.
    pub const fn teaches(self) -> bool {
        matches!(self, Self::Infeasible | Self::Violated)
    }
}

impl std::fmt::Display for FailureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failed stage: the kind, and a reason a person can act on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{kind}: {reason}")]
pub struct Failure {
    /// What has to follow.
    pub kind: FailureKind,
    /// What was wrong, where, and what to do.
    pub reason: String,
    /// Raw output that shows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
}

impl Failure {
    /// A failure of `kind` with nothing attached.
    pub fn new(kind: FailureKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), artifacts: Vec::new() }
    }

    /// The same failure with raw output attached.
    pub fn with_artifact(mut self, artifact: Artifact) -> Self {
        self.artifacts.push(artifact);
        self
    }
}

/// What became of an epoch or a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has a value.
    Measured,
    /// A passing fault outlasted its retries.
    Transient,
    /// The test bed was at fault.
    Broken,
    /// The configuration cannot work.
    Infeasible,
    /// A guardrail was crossed.
    Violated,
    /// No valid measurement within the limit.
    Invalid,
    /// Cancelled, or its experiment ended first.
    Abandoned,
}

impl Outcome {
    /// The name used in messages, the store and every face.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Transient => "transient",
            Self::Broken => "broken",
            Self::Infeasible => "infeasible",
            Self::Violated => "violated",
            Self::Invalid => "invalid",
            Self::Abandoned => "abandoned",
        }
    }
}

impl From<FailureKind> for Outcome {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Transient => Self::Transient,
            FailureKind::Broken => Self::Broken,
            FailureKind::Infeasible => Self::Infeasible,
            FailureKind::Violated => Self::Violated,
            FailureKind::Invalid => Self::Invalid,
            FailureKind::Abandoned => Self::Abandoned,
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
