//! An event: one line of the append-only log of what happened.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{EpochId, ExperimentId, TrialId};
use crate::message::Stage;
use crate::time::Timestamp;

/// `autoopt.event.v1`, routing key `event.<experiment>.<kind>` (`event.-.<kind>` where it belongs to no experiment).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Position in the coordinator's log; the id of the event stream.
    pub seq: i64,
    pub at: Timestamp,
    pub kind: EventKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment_id: Option<ExperimentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialId>,
    /// The trial's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<EpochId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Whose wish it followed from at once, where somebody's name was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    /// What happened, in words.
    pub message: String,
    /// The same for programs.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub detail: serde_json::Value,
}

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct By {
    pub name: String,
    /// Whether a token of their own says so; otherwise it is what they called themselves.
    pub proven: bool,
}

impl std::fmt::Display for By {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let doubt = if self.proven { "" } else { " (as they say)" };
        write!(f, "{}{doubt}", self.name)
    }
}

impl Event {
    /// An event that belongs to nothing in particular and has no place in a log yet (`seq` 0).
    pub fn new(
        at: Timestamp,
        kind: EventKind,
        message: impl Into<String>,
        detail: serde_json::Value,
    ) -> Self {
        Self {
            seq: 0,
            at,
            kind,
            experiment: None,
            experiment_id: None,
            trial: None,
            number: None,
            epoch: None,
            cluster: None,
            stage: None,
            attempt: None,
            by: None,
            message: message.into(),
            detail,
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What kind of thing happened. The set only grows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum EventKind {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl EventKind {
            /// The name used in routing keys, the store and every face.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }

        impl std::str::FromStr for EventKind {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text { $($text => Ok(Self::$name),)* _ => Err(format!("unknown event kind `{text}`")) }
            }
        }
    };
}

kinds! {
    ExperimentSubmitted = "experiment.submitted",
    ExperimentPaused = "experiment.paused",
    ExperimentResumed = "experiment.resumed",
    /// Another budget, or other clusters.
    ExperimentChanged = "experiment.changed",
    /// No new trials; running ones go on.
    ExperimentStopping = "experiment.stopping",
    /// All trials have ended; the clusters are being left as the experiment says.
    ExperimentClosing = "experiment.closing",
    ExperimentEnded = "experiment.ended",
    /// The search is over; its best values are compared with the baseline by fresh runs.
    ConfirmationStarted = "confirmation.started",
    /// What the fresh runs show.
    ConfirmationEnded = "confirmation.ended",
    TrialAccepted = "trial.accepted",
    TrialRejected = "trial.rejected",
    /// A person gives up one that runs; `trial.ended` follows when it is cleaned up.
    TrialCancelled = "trial.cancelled",
    /// Exactly one for each accepted trial.
    TrialEnded = "trial.ended",
    EpochStarted = "epoch.started",
    EpochEnded = "epoch.ended",
    StageAccepted = "stage.accepted",
    StageDone = "stage.done",
    StageFailed = "stage.failed",
    /// Handed out again, and why.
    StageRetried = "stage.retried",
    /// No heartbeat for a lease's length.
    LeaseExpired = "lease.expired",
    /// A report that changes nothing: superseded, finished, or a duplicate with other content.
    ReportIgnored = "report.ignored",
    /// The circuit breaker opened.
    ClusterPaused = "cluster.paused",
    ClusterResumed = "cluster.resumed",
    /// An experiment restores it, for another one that waits.
    ClusterHandedOver = "cluster.handed_over",
    OptimizerAsked = "optimizer.asked",
    OptimizerSilent = "optimizer.silent",
    /// Went to the dead-letter exchange.
    MessageRejected = "message.rejected",
    /// A dead letter was sent again.
    MessageRequeued = "message.requeued",
    /// No queue takes the messages with a routing key; they wait.
    QueueMissing = "queue.missing",
    /// A queue takes them again.
    QueueFound = "queue.found",
}

impl std::fmt::Display for EventKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
