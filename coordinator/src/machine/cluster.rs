//! A cluster: who holds it, and its circuit breaker.

use autoopt_epoch::experiment::StageSpec;
use autoopt_epoch::id::{EpochId, ExperimentId};
use autoopt_epoch::message::Leak;
use autoopt_epoch::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A cluster, which runs one epoch at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    pub name: String,
    /// The epoch that runs there, and its experiment.
    pub holder: Option<(ExperimentId, EpochId)>,
    pub breaker: Breaker,
    /// What an epoch left there. Every epoch but a closing begins with looking whether it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaked: Option<Leaked>,
    /// Epochs that the experiment which has it began since it took it, while others wanted it, too.
    #[serde(default)]
    pub turn: u32,
    /// For whom it is being restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<ExperimentId>,
}

/// What an epoch left behind on a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leaked {
    pub leaks: Vec<Leak>,
    pub since: Timestamp,
    /// The experiment's name.
    pub experiment: String,
    pub epoch: EpochId,
    /// How its bench stage reached the cluster, for looking again.
    pub bench: StageSpec,
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
