//! The log that all services share: what each of them logs, kept for a while by the broker, for `autoopt logs`.
//!
//! It is lossy, so that it never holds a service up: a bounded queue takes the records ([`collect`]), a task hands
//! them to the bus ([`ship`]), and what does not fit meanwhile is counted and dropped. Standard error has everything.

pub mod collect;
pub mod ship;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bus::Outgoing;
use crate::bus::topology::log_key;
use crate::id::MessageId;
use crate::time::Timestamp;

/// The AMQP property `type` of a record.
const KIND: &str = "autoopt.log.v1";

/// How serious a record is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    /// The name as a line of a log has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        }
    }
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::TRACE => Self::Trace,
        }
    }
}

/// One record of a service's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub at: Timestamp,
    pub level: Level,
    /// `coordinator`, `optimizer`, `worker-apply`, …; a reader takes it from the routing key, which the broker checks.
    #[serde(default)]
    pub service: String,
    /// `host/pid`
    pub process: String,
    /// The module it comes from.
    pub target: String,
    pub message: String,
    /// What it is about (`experiment`, `experiment.id`, `trial`, `trial.number`, `epoch`, `cluster`, `stage`, as far as
    /// they apply), and whatever else it tells.
    #[serde(default)]
    pub fields: BTreeMap<String, Value>,
}

/// Who logs.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) service: String,
    pub(crate) process: String,
    /// The one cluster that a worker serves: what it logs about no other is about this one.
    cluster: Option<String>,
}

impl Origin {
    /// The service with this name (`autoopt-worker-bench`) on this host.
    pub(crate) fn new(name: &str, host: &str, cluster: Option<&str>) -> Self {
        Self {
            service: name.strip_prefix("autoopt-").unwrap_or(name).to_owned(),
            process: format!("{host}/{}", std::process::id()),
            cluster: cluster.map(str::to_owned),
        }
    }

    fn record(
        &self,
        level: Level,
        target: &str,
        message: String,
        mut fields: BTreeMap<String, Value>,
    ) -> Record {
        if let Some(cluster) = &self.cluster {
            fields.entry("cluster".into()).or_insert_with(|| cluster.as_str().into());
        }
        Record {
            at: Timestamp::now(),
            level,
            service: self.service.clone(),
            process: self.process.clone(),
            target: target.to_owned(),
            message,
            fields,
        }
    }
}

impl Record {
    /// A field that is text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// As it is published, with the key `log.<service>.<cluster>`.
    pub fn outgoing(&self) -> Outgoing {
        Outgoing {
            routing_key: log_key(&self.service, self.text("cluster")),
            // nobody looks for a record's id
            id: MessageId(uuid::Uuid::nil()),
            kind: KIND.into(),
            body: serde_json::to_vec(self).expect("a record is representable in JSON"),
            mandatory: false,
            headers: BTreeMap::new(),
        }
    }
}
