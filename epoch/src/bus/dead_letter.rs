//! A message nobody could use, as a person sees it.

use crate::id::MessageId;
use crate::time::Timestamp;

/// A message in the dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DeadLetter {
    /// Absent where it was published without one by a person's tool.
    pub id: Option<MessageId>,
    /// The routing key it was first published with; `requeue` uses it again.
    pub routing_key: String,
    /// Why it could not be used.
    pub reason: String,
    /// When it was set aside, where known.
    pub at: Option<Timestamp>,
    /// Its type, such as `autoopt.trial.v1`.
    pub kind: Option<String>,
    #[serde(skip)]
    pub body: Vec<u8>,
}
