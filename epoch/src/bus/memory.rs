//! The bus inside one process: for `autoopt run`, and for tests of what runs on a bus.
//!
//! It behaves as the broker does: named queues keep messages for those who come later, consumers of one queue compete,
//! what a dropped subscription had not settled comes again, and what is unusable is kept in [`MemoryBus::dead_letters`].
//! [`MemoryBus::with_faults`] adds what a network adds: duplicates and disorder, the same ones for the same seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::pattern::matches;
use super::topology::{DELIVERY_LIMIT, Subscription};
use super::{Bus, BusError, Claimed, Confirm, DeadLetter, Delivery, Incoming, Outgoing, Transport, Verdict};
use crate::id::MessageId;
use crate::time::Timestamp;

/// How often the bus misbehaves; both are probabilities per message and queue.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaultPlan {
    /// A message arrives twice.
    pub duplicate: f64,
    /// A message overtakes some of those that wait before it.
    pub reorder: f64,
}

/// A bus within this process; clones share it.
#[derive(Clone, Default)]
pub struct MemoryBus {
    shared: Arc<Shared>,
}

/// One end of it, as a service has one.
struct Connection {
    shared: Arc<Shared>,
    /// The claims that it has.
    claims: Mutex<BTreeSet<String>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    closed: AtomicBool,
}

#[derive(Default)]
struct State {
    queues: BTreeMap<String, Queue>,
    dead: Vec<DeadLetter>,
    claims: BTreeSet<String>,
    faults: FaultPlan,
    random: u64,
    serial: u64,
}

#[derive(Default)]
struct Queue {
    bindings: Vec<String>,
    ready: VecDeque<Item>,
    changed: Arc<Notify>,
}

#[derive(Clone)]
struct Item {
    message: Arc<Outgoing>,
    /// How often it was delivered before.
    deliveries: i32,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // a poisoned lock means that a test panicked elsewhere; the state is changed in single steps only
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl State {
    /// A number in [0, 1); splitmix64, which is enough to choose faults.
    fn chance(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double")]
        let unit = ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
        unit
    }

    /// Puts `message` into every queue that wants it; `false` if there is none.
    fn route(&mut self, message: &Arc<Outgoing>) -> bool {
        let names: Vec<String> = self
            .queues
            .iter()
            .filter(|(_, queue)| queue.bindings.iter().any(|pattern| matches(pattern, &message.routing_key)))
            .map(|(name, _)| name.clone())
            .collect();
        for name in &names {
            let copies = if self.chance() < self.faults.duplicate { 2 } else { 1 };
            for _ in 0..copies {
                let (overtakes, place) = (self.chance() < self.faults.reorder, self.chance());
                let Some(queue) = self.queues.get_mut(name) else { continue };
                let item = Item { message: message.clone(), deliveries: 0 };
                let length = queue.ready.len();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "a place in the queue"
                )]
                let index = if overtakes { (place * length as f64) as usize } else { length };
                queue.ready.insert(index.min(length), item);
                queue.changed.notify_waiters();
            }
        }
        !names.is_empty()
    }

    /// Gives undelivered or unsettled items back to the front of their queue, in their order.
    fn give_back(&mut self, queue: &str, items: impl DoubleEndedIterator<Item = Item>) {
        for item in items.rev() {
            if item.deliveries > DELIVERY_LIMIT {
                self.bury(&item.message, &format!("delivered {} times without a verdict", item.deliveries));
            } else if let Some(queue) = self.queues.get_mut(queue) {
                queue.ready.push_front(item);
            }
        }
        if let Some(queue) = self.queues.get(queue) {
            queue.changed.notify_waiters();
        }
    }

    fn bury(&mut self, message: &Outgoing, reason: &str) {
        self.dead.push(DeadLetter {
            id: Some(message.id).filter(|id| !id.0.is_nil()),
            routing_key: message.routing_key.clone(),
            reason: reason.into(),
            at: Some(Timestamp::now()),
            kind: Some(message.kind.clone()).filter(|kind| !kind.is_empty()),
            body: message.body.clone(),
        });
    }
}

impl MemoryBus {
    /// An empty bus.
    pub fn new() -> Self {
        Self::default()
    }

    /// A bus that duplicates and reorders, the same way for the same `seed` and sequence of publishes.
    pub fn with_faults(seed: u64, faults: FaultPlan) -> Self {
        let bus = Self::default();
        {
            let mut state = bus.shared.state();
            state.faults = faults;
            state.random = seed;
        }
        bus
    }

    /// This bus as the services take it: a connection of one's own.
    pub fn bus(&self) -> Bus {
        Arc::new(Connection { shared: self.shared.clone(), claims: Mutex::default() })
    }

    /// What could not be used, oldest first.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.shared.state().dead.clone()
    }

    /// How many messages wait in the queue `name`, without those being worked on.
    pub fn waiting(&self, name: &str) -> usize {
        self.shared.state().queues.get(name).map_or(0, |queue| queue.ready.len())
    }
}

#[async_trait::async_trait]
impl Transport for Connection {
    async fn publish(&self, message: Outgoing) -> Result<Confirm, BusError> {
        if self.shared.closed() {
            return Err(BusError::Closed);
        }
        let message = Arc::new(message);
        let routed = self.shared.state().route(&message);
        let result = if routed || !message.mandatory {
            Ok(())
        } else {
            Err(BusError::Unroutable { routing_key: message.routing_key.clone() })
        };
        Ok(Box::pin(std::future::ready(result)))
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Box<dyn Incoming>, BusError> {
        if self.shared.closed() {
            return Err(BusError::Closed);
        }
        let mut state = self.shared.state();
        state.serial += 1;
        let exclusive = subscription.queue.is_none();
        let name = subscription.queue.unwrap_or_else(|| format!("(own) {}", state.serial));
        let queue = state.queues.entry(name.clone()).or_default();
        for binding in subscription.bindings {
            if !queue.bindings.contains(&binding) {
                queue.bindings.push(binding);
            }
        }
        let changed = queue.changed.clone();
        Ok(Box::new(Consumer {
            claim: Arc::new(Claim {
                shared: self.shared.clone(),
                queue: name,
                changed,
                held: Mutex::default(),
            }),
            prefetch: usize::from(subscription.prefetch.max(1)),
            next_tag: 0,
            exclusive,
        }))
    }

    async fn claim(&self, name: &str) -> Result<Claimed, BusError> {
        let mut own = self.claims();
        if own.contains(name) {
            return Ok(Claimed::Ours);
        }
        if !self.shared.state().claims.insert(name.to_owned()) {
            return Ok(Claimed::Theirs);
        }
        own.insert(name.to_owned());
        Ok(Claimed::Ours)
    }

    async fn claim_lost(&self) {
        // memory does not go away
        std::future::pending().await
    }

    async fn log(&self, records: &mut Vec<Outgoing>) -> Result<(), BusError> {
        // within one process standard error is the log
        records.clear();
        Ok(())
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BusError> {
        Ok(self.shared.state().dead.iter().take(limit).cloned().collect())
    }

    async fn requeue_dead_letters(&self, key: Option<MessageId>) -> Result<Vec<DeadLetter>, BusError> {
        let mut state = self.shared.state();
        let (again, kept) = std::mem::take(&mut state.dead)
            .into_iter()
            .partition::<Vec<_>, _>(|letter| key.is_none_or(|key| letter.key() == key));
        state.dead = kept;
        let mut sent = Vec::new();
        for letter in again {
            if state.route(&Arc::new(letter.again())) {
                sent.push(letter);
            } else {
                state.dead.push(letter);
            }
        }
        Ok(sent)
    }

    fn is_connected(&self) -> bool {
        !self.shared.closed()
    }

    async fn lost(&self) {
        // memory does not go away
        std::future::pending().await
    }

    async fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        for queue in self.shared.state().queues.values() {
            queue.changed.notify_waiters();
        }
    }
}

impl Connection {
    fn claims(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let own = std::mem::take(&mut *self.claims());
        self.shared.state().claims.retain(|name| !own.contains(name));
    }
}

/// What one subscription has taken and not settled.
struct Claim {
    shared: Arc<Shared>,
    queue: String,
    changed: Arc<Notify>,
    /// `None` once the subscription is gone. Locked after the state where both are needed.
    held: Mutex<Option<BTreeMap<u64, Item>>>,
}

impl Claim {
    fn held(&self) -> MutexGuard<'_, Option<BTreeMap<u64, Item>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of one item; `None` if it is no longer this subscription's.
    fn settle(&self, tag: u64) -> Option<Item> {
        let item = self.held().as_mut().and_then(|held| held.remove(&tag));
        self.changed.notify_waiters();
        item
    }
}

struct Consumer {
    claim: Arc<Claim>,
    prefetch: usize,
    next_tag: u64,
    exclusive: bool,
}

impl Consumer {
    fn take(&mut self) -> Option<Delivery> {
        let mut state = self.claim.shared.state();
        let mut held = self.claim.held();
        let held = held.get_or_insert_with(BTreeMap::new);
        if held.len() >= self.prefetch {
            return None;
        }
        let mut item = state.queues.get_mut(&self.claim.queue)?.ready.pop_front()?;
        let redelivered = item.deliveries > 0;
        item.deliveries += 1;
        let message = item.message.clone();
        let tag = self.next_tag;
        self.next_tag += 1;
        held.insert(tag, item);
        Some(Delivery {
            routing_key: message.routing_key.clone(),
            id: Some(message.id).filter(|id| !id.0.is_nil()),
            kind: Some(message.kind.clone()).filter(|kind| !kind.is_empty()),
            headers: message.headers.clone(),
            body: message.body.clone(),
            redelivered,
            verdict: Box::new(Settle { claim: self.claim.clone(), tag }),
        })
    }
}

#[async_trait::async_trait]
impl Incoming for Consumer {
    async fn next(&mut self) -> Option<Delivery> {
        let changed = self.claim.changed.clone();
        loop {
            let mut notified = std::pin::pin!(changed.notified());
            // registered before looking, so that what arrives in between is not missed
            notified.as_mut().enable();
            if self.claim.shared.closed() {
                return None;
            }
            if let Some(delivery) = self.take() {
                return Some(delivery);
            }
            notified.await;
        }
    }

    fn ready(&mut self) -> Option<Delivery> {
        if self.claim.shared.closed() { None } else { self.take() }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let mut state = self.claim.shared.state();
        let held = self.claim.held().take().unwrap_or_default();
        if self.exclusive {
            state.queues.remove(&self.claim.queue);
        } else {
            state.give_back(&self.claim.queue, held.into_values());
        }
    }
}

struct Settle {
    claim: Arc<Claim>,
    tag: u64,
}

#[async_trait::async_trait]
impl Verdict for Settle {
    async fn ack(&self) -> bool {
        !self.claim.shared.closed() && self.claim.settle(self.tag).is_some()
    }

    async fn requeue(&self) -> bool {
        let Some(item) = self.claim.settle(self.tag) else { return false };
        self.claim.shared.state().give_back(&self.claim.queue, std::iter::once(item));
        true
    }

    async fn dead_letter(&self, reason: &str) -> Result<(), BusError> {
        if let Some(item) = self.claim.settle(self.tag) {
            self.claim.shared.state().bury(&item.message, reason);
        }
        Ok(())
    }
}
