//! Names of exchanges, queues and routing keys, and the arguments of queues: in one place, because a queue that is
//! declared twice with different arguments is an error.

use crate::id::ExperimentId;
use crate::message::{EventKind, Stage};

/// The topic exchange everything is published to.
pub const EXCHANGE: &str = "autoopt";
/// The fanout exchange that unusable messages go to, and its queue of the same name.
pub const DEAD_LETTERS: &str = "autoopt.dead";
/// The coordinator's queue.
pub const COORDINATOR_QUEUE: &str = "autoopt.coordinator";
/// The claim of the one coordinator that works on a vhost: an exclusive queue, which goes with its connection.
pub const COORDINATOR_CLAIM: &str = "autoopt.coordinator.claim";
/// The stream with what the services log: kept by the broker, and read by any number of readers.
pub const LOG_STREAM: &str = "autoopt.log";
/// How much of the log is kept, in bytes: some 200,000 records.
pub const LOG_BYTES: i64 = 100_000_000;
/// A part of the log on disk, in bytes; whole parts are forgotten.
pub const LOG_SEGMENT_BYTES: i64 = 10_000_000;
/// What the log's stream takes.
pub const LOG_BINDING: &str = "log.#";
/// The routing key of trials.
pub const TRIAL_KEY: &str = "trial";
/// A message that was delivered this often without a verdict goes to the dead letters.
pub const DELIVERY_LIMIT: i32 = 20;
/// Header of a dead letter: why.
pub const REASON_HEADER: &str = "autoopt-reason";
/// Header of a dead letter: the routing key it came with, which `requeue` uses.
pub const ORIGINAL_KEY_HEADER: &str = "autoopt-routing-key";

/// `epoch.<cluster>.<stage>`; the cluster may be `*` in a binding.
pub fn epoch_key(cluster: &str, stage: Stage) -> String {
    format!("epoch.{cluster}.{stage}")
}

/// `cancel.<cluster>.<stage>`
pub fn cancel_key(cluster: &str, stage: Stage) -> String {
    format!("cancel.{cluster}.{stage}")
}

/// `report.<cluster>.<stage>`
pub fn report_key(cluster: &str, stage: Stage) -> String {
    format!("report.{cluster}.{stage}")
}

/// `ask.<algorithm>`
pub fn ask_key(algorithm: &str) -> String {
    format!("ask.{algorithm}")
}

/// The name that asks for an explanation have in the place of an algorithm's.
pub const EXPLAIN: &str = "explain";

/// `explanation.<experiment>`
pub fn explanation_key(experiment: ExperimentId) -> String {
    format!("explanation.{experiment}")
}

/// `event.<experiment>.<kind>`
pub fn event_key(experiment: Option<&str>, kind: EventKind) -> String {
    format!("event.{}.{kind}", experiment.unwrap_or("-"))
}

/// `log.<service>.<cluster>`, or `log.<service>.-` for what is about no cluster.
pub fn log_key(service: &str, cluster: Option<&str>) -> String {
    // a name that is no word would be another key
    let plain = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    format!("log.{service}.{}", cluster.filter(plain).unwrap_or("-"))
}

/// A queue, what it takes, and how much of it at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// `None`: a queue of this connection only, which goes with it (not durable, unnamed).
    pub queue: Option<String>,
    /// Routing-key patterns on [`EXCHANGE`].
    pub bindings: Vec<String>,
    /// Deliveries without a verdict at any time.
    pub prefetch: u16,
}

impl Subscription {
    /// The coordinator's: trials, reports and explanations.
    pub fn coordinator(prefetch: u16) -> Self {
        Self {
            queue: Some(COORDINATOR_QUEUE.into()),
            bindings: vec![TRIAL_KEY.into(), "report.*.*".into(), "explanation.*".into()],
            prefetch,
        }
    }

    /// A worker group's queue for its stage: `autoopt.<stage>.<group>`. Workers of one group share it.
    pub fn worker(stage: Stage, group: &str, clusters: &[String], prefetch: u16) -> Self {
        Self {
            queue: Some(format!("autoopt.{stage}.{group}")),
            bindings: clusters.iter().map(|c| epoch_key(c, stage)).collect(),
            prefetch,
        }
    }

    /// Every worker process's own queue of cancellations.
    pub fn cancellations(stage: Stage, clusters: &[String]) -> Self {
        Self { queue: None, bindings: clusters.iter().map(|c| cancel_key(c, stage)).collect(), prefetch: 64 }
    }

    /// The queue of those who answer for one algorithm: `autoopt.ask.<algorithm>`.
    pub fn optimizer(algorithm: &str, prefetch: u16) -> Self {
        Self { queue: Some(format!("autoopt.ask.{algorithm}")), bindings: vec![ask_key(algorithm)], prefetch }
    }

    /// A listener's own queue of events; `experiment` may be `*`.
    pub fn events(experiment: &str) -> Self {
        Self { queue: None, bindings: vec![format!("event.{experiment}.#")], prefetch: 256 }
    }
}
