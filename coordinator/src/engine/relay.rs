//! The outbox's way out, and which rows are safe with the broker.
//!
//! Messages with one routing key go out one after the other, each when the one before is safe, so that one which has
//! to be tried again holds back those behind it. Messages with different keys do not wait for each other.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use autoopt_epoch::bus::topology::event_key;
use autoopt_epoch::bus::{Bus, BusError, Confirm, Outgoing};
use autoopt_epoch::id::MessageId;
use autoopt_epoch::message::{Event, EventKind};
use autoopt_epoch::time::Timestamp;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::health::{Failing, Watched};

/// Between two tries of a message that could not be published.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked whether a bus that is away is back.
const LOOK: Duration = Duration::from_millis(100);
/// A bus that is away for longer is a failure to publish, which shows in the health and, each time, in the log.
const LONG: Duration = Duration::from_secs(30);

enum Item {
    /// A row of the outbox.
    Row(i64, Outgoing),
    /// An event for whoever listens.
    Event(Outgoing),
}

/// What the relay tells the engine.
pub(super) enum Told {
    /// The message of this row of the outbox is safe.
    Safe(i64),
    /// No queue takes messages with this routing key, as of now.
    Missing(String),
    /// Messages with this routing key are taken again.
    Found(String),
}

/// The engine's end; the work is done by a task of its own.
pub(super) struct Relay {
    items: mpsc::UnboundedSender<Item>,
    told: mpsc::UnboundedReceiver<Told>,
    /// Rows that are taken care of and still on disk.
    taken: HashSet<i64>,
    health: Watched,
}

impl Relay {
    pub(super) fn start(bus: Bus, health: Watched) -> Self {
        let (items, to_publish) = mpsc::unbounded_channel();
        let (tell, told) = mpsc::unbounded_channel();
        let task = Task { bus, tell, health: health.clone(), lanes: HashMap::new() };
        tokio::spawn(task.run(to_publish));
        Self { items, told, taken: HashSet::new(), health }
    }

    /// Publishes rows of the outbox, but those that it was given before.
    pub(super) fn publish(&mut self, rows: impl IntoIterator<Item = (i64, Outgoing)>) {
        for (seq, message) in rows {
            if self.taken.insert(seq) {
                self.health.lock().relay_backlog += 1;
                // the task ends only with this value
                let _ = self.items.send(Item::Row(seq, message));
            }
        }
    }

    /// These rows are no longer on disk.
    pub(super) fn forget(&mut self, seqs: &[i64]) {
        for seq in seqs {
            self.taken.remove(seq);
        }
    }

    /// Publishes an event for whoever listens; the log has it anyway. Events of single stages stay in the log.
    pub(super) fn announce(&self, event: &Event) {
        let of_stages = matches!(
            event.kind,
            EventKind::StageAccepted | EventKind::StageDone | EventKind::EpochStarted | EventKind::EpochEnded
        );
        if !of_stages {
            let id = MessageId::derived(Uuid::NAMESPACE_OID, &format!("event/{}", event.seq));
            let key = event_key(event.experiment.as_deref(), event.kind);
            let _ = self.items.send(Item::Event(Outgoing::new(key, id, event).optional()));
        }
    }

    /// What there is to tell next.
    pub(super) async fn told(&mut self) -> Option<Told> {
        self.told.recv().await
    }

    /// What there is to tell already, if anything.
    pub(super) fn told_already(&mut self) -> Option<Told> {
        self.told.try_recv().ok()
    }
}

struct Task {
    bus: Bus,
    tell: mpsc::UnboundedSender<Told>,
    health: Watched,
    /// Rows by routing key; the first of each lane is under way.
    lanes: HashMap<String, VecDeque<(i64, Outgoing)>>,
}

/// The routing key of a row that was tried, and how it went; nothing for an event.
type Tried = BoxFuture<'static, Option<(String, Result<(), BusError>)>>;

impl Task {
    async fn run(mut self, mut items: mpsc::UnboundedReceiver<Item>) {
        let mut under_way: FuturesUnordered<Tried> = FuturesUnordered::new();
        loop {
            tokio::select! {
                item = items.recv() => match item {
                    Some(Item::Row(seq, message)) => {
                        let lane = self.lanes.entry(message.routing_key.clone()).or_default();
                        lane.push_back((seq, message));
                        if let [(_, first)] = lane.make_contiguous() {
                            under_way.push(attempt(self.bus.clone(), first.clone(), Duration::ZERO));
                        }
                    }
                    Some(Item::Event(message)) => under_way.extend(announced(&self.bus, message).await),
                    None => return,
                },
                Some(tried) = under_way.next() => {
                    if let Some((key, result)) = tried {
                        under_way.extend(self.after(key, result));
                    }
                }
            }
        }
    }

    /// What is tried next in a lane whose first row was tried.
    fn after(&mut self, key: String, result: Result<(), BusError>) -> Option<Tried> {
        let lane = self.lanes.get_mut(&key)?;
        let Err(error) = result else {
            let (seq, _) = lane.pop_front()?;
            let next = lane.front().map(|(_, m)| attempt(self.bus.clone(), m.clone(), Duration::ZERO));
            if next.is_none() {
                self.lanes.remove(&key);
            }
            self.safe(seq, key);
            return next;
        };
        let again = lane.front().map(|(_, m)| attempt(self.bus.clone(), m.clone(), PAUSE));
        self.failed(key, &error);
        again
    }

    fn safe(&self, seq: i64, key: String) {
        let found = {
            let mut health = self.health.lock();
            health.relay_backlog = health.relay_backlog.saturating_sub(1);
            health.publishing_failing = None;
            health.unroutable.remove(&key).is_some()
        };
        // the engine may have ended
        let _ = self.tell.send(Told::Safe(seq));
        if found {
            tracing::info!(key, "a queue takes these messages again");
            let _ = self.tell.send(Told::Found(key));
        }
    }

    fn failed(&self, key: String, error: &BusError) {
        let mut health = self.health.lock();
        if !matches!(error, BusError::Unroutable { .. }) {
            tracing::warn!(key, error = error as &dyn std::error::Error, "not published; trying again");
            Failing::note(&mut health.publishing_failing, error.to_string());
        } else if !health.unroutable.contains_key(&key) {
            tracing::warn!(key, error = error as &dyn std::error::Error, "not published; trying on");
            health.unroutable.insert(key.clone(), Timestamp::now());
            let _ = self.tell.send(Told::Missing(key));
        }
    }
}

/// Publishes a row after `pause`, and only while the bus is there: a claim that is away may be another coordinator's by now, whose
/// measurement on the same cluster this row could disturb. One that was not confirmed when the bus went waits for it as well.
fn attempt(bus: Bus, message: Outgoing, pause: Duration) -> Tried {
    Box::pin(async move {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let key = message.routing_key.clone();
        let result = loop {
            if let Err(elapsed) = tokio::time::timeout(LONG, until(&bus, true)).await {
                break Err(BusError::Down(Box::new(elapsed)));
            }
            tokio::select! {
                result = async { bus.publish(message.clone()).await?.await } => break result,
                () = until(&bus, false) => {}
            }
        };
        Some((key, result))
    })
}

/// Resolves when the bus is there, or away.
async fn until(bus: &Bus, there: bool) {
    while bus.is_connected() != there {
        tokio::time::sleep(LOOK).await;
    }
}

/// Hands an event over, in its order among the events, and watches its confirmation. While the bus is down, events are
/// left out: they would be old when it is back, and the log has them.
async fn announced(bus: &Bus, message: Outgoing) -> Option<Tried> {
    if !bus.is_connected() {
        return None;
    }
    let confirm: Confirm = bus.publish(message).await.ok()?;
    Some(Box::pin(async move {
        // nobody has to hear it
        let _ = confirm.await;
        None
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use autoopt_epoch::bus::memory::MemoryBus;
    use autoopt_epoch::bus::topology::{Subscription, epoch_key};
    use autoopt_epoch::message::Stage;

    use super::*;

    fn row(cluster: &str, seq: i64) -> (i64, Outgoing) {
        let message = Outgoing {
            routing_key: epoch_key(cluster, Stage::Apply),
            id: MessageId::fresh(),
            kind: "autoopt.epoch.v1".into(),
            body: seq.to_string().into_bytes(),
            mandatory: true,
            headers: BTreeMap::new(),
        };
        (seq, message)
    }

    #[tokio::test]
    async fn a_message_without_a_queue_holds_back_those_behind_it_and_nobody_else() {
        let memory = MemoryBus::new();
        let health = Watched::default();
        let mut relay = Relay::start(memory.bus(), health.clone());
        let queue = |cluster: &str| Subscription::worker(Stage::Apply, cluster, &[cluster.into()], 9);
        memory.bus().subscribe(queue("there")).await.expect("a queue");

        relay.publish([row("absent", 1)]);
        let key = epoch_key("absent", Stage::Apply);
        assert!(matches!(relay.told().await, Some(Told::Missing(k)) if k == key));
        assert!(health.lock().unroutable.contains_key(&key));
        relay.publish([row("absent", 2), row("there", 3), row("absent", 1)]);
        assert!(matches!(relay.told().await, Some(Told::Safe(3))));
        assert_eq!(health.lock().relay_backlog, 2, "a row that was given before counts once");

        let mut late = memory.bus().subscribe(queue("absent")).await.expect("a queue");
        for seq in [1, 2] {
            let delivery = late.next().await.expect("the bus is open");
            assert_eq!(delivery.body, seq.to_string().into_bytes());
        }
        assert!(matches!(relay.told().await, Some(Told::Safe(1))));
        assert!(matches!(relay.told().await, Some(Told::Found(k)) if k == key));
        assert!(matches!(relay.told().await, Some(Told::Safe(2))));
        assert_eq!(*health.lock(), super::super::Health::default());
    }
}
