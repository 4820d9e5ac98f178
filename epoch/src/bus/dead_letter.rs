//! A message nobody could use, as a person sees it.

use std::collections::BTreeMap;

use super::Outgoing;
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

impl DeadLetter {
    /// The message as it is sent again, with an id derived from the old one and the time of its failure: under the old id its
    /// receiver would take it for a duplicate.
    pub(super) fn again(&self) -> Outgoing {
        let id = self.id.map_or(MessageId(uuid::Uuid::nil()), |id| {
            let at = self.at.map_or_else(String::new, |at| at.to_string());
            MessageId::derived(id.0, &format!("requeued {at}"))
        });
        Outgoing {
            routing_key: self.routing_key.clone(),
            id,
            kind: self.kind.clone().unwrap_or_default(),
            body: self.body.clone(),
            mandatory: true,
            headers: BTreeMap::default(),
        }
    }

    /// What it is known by: its id, or what follows from its content where it has none.
    pub fn key(&self) -> MessageId {
        self.id.unwrap_or_else(|| {
            let mut content = format!("{} {:?} ", self.routing_key, self.at).into_bytes();
            content.extend(&self.body);
            MessageId(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, &content))
        })
    }
}
