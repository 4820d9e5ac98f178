//! Messages between the services: one interface, over RabbitMQ ([`amqp`]) or inside one process ([`memory`]).
//!
//! Delivery is **at least once** and may be out of order across queues; every receiver tolerates both. A publish is
//! done when its [`Confirm`] resolves: the broker has it on disk in every queue it was routed to.

pub mod amqp;
mod dead_letter;
pub mod memory;
mod pattern;
pub mod rights;
pub mod topology;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use dead_letter::DeadLetter;

use crate::id::MessageId;
use crate::message::Message;
use topology::Subscription;

/// A connection to the bus; cheap to clone.
pub type Bus = Arc<dyn Transport>;

/// What became of a try to get a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is this bus's until that is closed or [`Transport::claim_lost`] resolves.
    Ours,
    /// Another connection has it, or had it a moment ago and may be about to come back.
    Theirs,
    /// The broker's rights do not let this user have it; the reason.
    Forbidden(String),
}

/// A message to publish to the exchange `autoopt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub routing_key: String,
    pub id: MessageId,
    /// The AMQP property `type`, such as `autoopt.trial.v1`.
    pub kind: String,
    pub body: Vec<u8>,
    /// Whether it is an error that no queue wants it.
    pub mandatory: bool,
    pub headers: BTreeMap<String, String>,
}

impl Outgoing {
    /// `message` as JSON, mandatory.
    pub fn new<M: Message>(routing_key: impl Into<String>, id: MessageId, message: &M) -> Self {
        Self {
            routing_key: routing_key.into(),
            id,
            kind: M::TYPE.into(),
            body: serde_json::to_vec(message).expect("a message is representable in JSON"),
            mandatory: true,
            headers: BTreeMap::new(),
        }
    }

    /// The same message, which nobody has to want (events).
    pub fn optional(mut self) -> Self {
        self.mandatory = false;
        self
    }
}

/// Why a publish or a subscription failed.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Nobody has declared a queue for it: the service that owns the routing key was never started.
    #[error("no queue takes `{routing_key}`; start the service it is for once, so that its queue exists")]
    Unroutable { routing_key: String },
    /// The broker refused to take responsibility (queue full, or out of disk).
    #[error("the broker refused a message for `{routing_key}`")]
    Refused { routing_key: String },
    /// No confirmation in time; it may or may not have arrived.
    #[error("no confirmation for `{routing_key}` within {seconds} s")]
    Unconfirmed { routing_key: String, seconds: u64 },
    /// The connection is down; recovery is under way.
    #[error("the connection to the broker is down")]
    Down(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The bus was closed by its owner.
    #[error("the bus is closed")]
    Closed,
    /// The broker's topology or permissions do not fit.
    #[error("{action}: {reason}")]
    Setup { action: String, reason: String },
}

/// Resolves once the broker has taken responsibility for a message, or has refused it.
pub type Confirm = Pin<Box<dyn Future<Output = Result<(), BusError>> + Send>>;

/// What a bus does.
#[async_trait::async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Hands a message over; it is safe once the returned [`Confirm`] resolves. Several may be awaited at once.
    async fn publish(&self, message: Outgoing) -> Result<Confirm, BusError>;

    /// Declares the subscription's queue with its bindings and consumes it.
    async fn subscribe(&self, subscription: Subscription) -> Result<Box<dyn Incoming>, BusError>;

    /// Tries to get the claim `name`, which the bus gives to one connection at a time. Whoever has one hears what it subscribes to
    /// from then on by the connection that has the claim, so that nobody hears it who has not: after a broken connection only
    /// once the claim is back.
    async fn claim(&self, name: &str) -> Result<Claimed, BusError>;

    /// Resolves when somebody else has the claim that was [`Claimed::Ours`].
    async fn claim_lost(&self);

    /// Appends records to the log that all services share, and takes away those that are safe. Has no effect on
    /// anything else that is published.
    async fn log(&self, records: &mut Vec<Outgoing>) -> Result<(), BusError>;

    /// What nobody could use, oldest first, `limit` of it at most; it stays where it is.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BusError>;

    /// Publishes dead letters again with their first routing key and a new id: the one with this [`DeadLetter::key`], or all
    /// that are there now. Returns them.
    async fn requeue_dead_letters(&self, key: Option<MessageId>) -> Result<Vec<DeadLetter>, BusError>;

    /// Whether the connection is up now.
    fn is_connected(&self) -> bool;

    /// Resolves when the connection has been down for longer than a service should wait; the process then exits,
    /// to be started afresh, rather than hang.
    async fn lost(&self);

    /// Closes the connection; unacknowledged deliveries go back to their queues.
    async fn close(&self);
}

/// The receiving end of a subscription.
#[async_trait::async_trait]
pub trait Incoming: Send {
    /// The next delivery; `None` when the bus is closed. Survives reconnections.
    async fn next(&mut self) -> Option<Delivery>;

    /// A delivery that is there already, if any: to take several in one go.
    fn ready(&mut self) -> Option<Delivery>;
}

/// A message that arrived. Dropping it without a verdict leaves it unacknowledged until the connection ends.
pub struct Delivery {
    pub routing_key: String,
    /// Absent where a person's tool sent none.
    pub id: Option<MessageId>,
    pub kind: Option<String>,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub redelivered: bool,
    pub verdict: Box<dyn Verdict>,
}

/// What the receiver decides about a delivery.
#[async_trait::async_trait]
pub trait Verdict: Send + Sync {
    /// Done with it. `false`: the connection went away meanwhile and the message will come again.
    async fn ack(&self) -> bool;

    /// Give it back, to be delivered again.
    async fn requeue(&self) -> bool;

    /// Not usable: goes to the dead-letter queue with the reason in its headers, and is done with here.
    async fn dead_letter(&self, reason: &str) -> Result<(), BusError>;
}
