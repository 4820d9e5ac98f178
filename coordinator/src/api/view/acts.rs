//! What a face that people act from reads: who they are, what nobody could use.

use autoopt_epoch::id::MessageId;
use autoopt_epoch::message::By;
use autoopt_epoch::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GET /v1/whoami`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Whoami {
    /// By whom the log will say something was done; absent while nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
}

/// `GET /v1/dead-letters`; the oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetterList {
    pub letters: Vec<DeadLetterView>,
}

/// A message that nobody could use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetterView {
    /// What it is known by.
    pub key: MessageId,
    pub routing_key: String,
    /// Why it could not be used.
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Its beginning, as text.
    pub content: String,
}
