//! A cluster: who holds it, and its circuit breaker.

use autoopt_epoch::id::{EpochId, ExperimentId};
use autoopt_epoch::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A cluster, which runs one epoch at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    pub name: String,
    /// The epoch that runs there, and its experiment.
    pub holder: Option<(ExperimentId, EpochId)>,
    pub breaker: Breaker,
}

/// Keeps epochs away from a cluster that fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "breaker", rename_all = "snake_case")]
pub enum Breaker {
    /// Healthy; `failures` epochs in a row ended transient, invalid or broken.
    Closed { failures: u32 },
    /// No epoch begins before `until`; the first one after that decides.
    Open { until: Timestamp, reason: String },
    /// One epoch is trying the cluster out.
    Trying { reason: String },
}
