//! Feeds the machine: takes deliveries, wishes and the clock in batches, and commits what follows from each batch in one
//! transaction before anything is acknowledged or published.

mod batch;
mod explanations;
mod health;
mod log;
mod relay;
mod roster;
mod spans;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use autoopt_epoch::bus::topology::Subscription;
use autoopt_epoch::bus::{Bus, Delivery, Incoming};
use autoopt_epoch::id::{EpochId, ExperimentId};
use autoopt_epoch::message::{Artifact, By, Event};
use autoopt_epoch::time::Timestamp;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::machine::{Input, World};
use crate::metrics::Metrics;
use crate::store::{Committed, Store, StoreError};
use batch::{Prepared, Work};
use relay::Told;
use spans::Spans;

pub use explanations::{Explained, Explanations};
pub use health::{Failing, Health};
pub use roster::Heard;

/// Deliveries that share one transaction.
const MAX_BATCH: usize = 256;
/// Unacknowledged deliveries; enough to fill the next batch while one is committed.
const PREFETCH: u16 = 512;
/// Confirmations wait this long for a batch to share its transaction with.
const CONFIRMATIONS_WAIT: Duration = Duration::from_millis(500);
/// Without a deadline of the machine's, the clock is looked at this often.
const IDLE: Duration = Duration::from_secs(5);
/// How often it is looked whether a bus that is away is back.
const DEAF_LOOK: Duration = Duration::from_millis(500);
/// Between two tries of a store that fails.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// Events that a slow listener may lag behind.
const EVENT_BUFFER: usize = 4096;

/// What is wished for.
enum Wanted {
    /// That the machine takes this in.
    Input(Input),
    /// That this is in the log: it was done elsewhere.
    Note(Event),
}

/// A wish from within this process: the API's, or the command line's.
struct Wish {
    wanted: Wanted,
    by: Option<By>,
    answer: oneshot::Sender<Result<(), Refusal>>,
}

/// Why a wish was not granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The machine refused it; nothing changed.
    #[error("{0}")]
    Refused(String),
    /// The store failed; nothing changed, and it may be tried again.
    #[error("the store does not take it now ({0}); try again")]
    Unavailable(String),
    /// The coordinator is shutting down.
    #[error("the coordinator is shutting down")]
    Closed,
}

/// A running engine, as the API and `autoopt run` see it; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    wishes: mpsc::Sender<Wish>,
    events: broadcast::Sender<Event>,
    store: Store,
    metrics: Arc<Metrics>,
    health: health::Watched,
    roster: roster::Roster,
    explanations: Explanations,
}

impl Handle {
    /// Gives the machine an input and waits until what follows is on disk.
    pub async fn input(&self, input: Input) -> Result<(), Refusal> {
        self.input_by(input, None).await
    }

    /// The same; the events that follow from it at once say whose wish it was.
    pub async fn input_by(&self, input: Input, by: Option<By>) -> Result<(), Refusal> {
        self.wish(Wanted::Input(input), by).await
    }

    /// Appends an event of something that a person did elsewhere to the log.
    pub async fn note(&self, event: Event, by: Option<By>) -> Result<(), Refusal> {
        self.wish(Wanted::Note(event), by).await
    }

    async fn wish(&self, wanted: Wanted, by: Option<By>) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        self.wishes.send(Wish { wanted, by, answer }).await.map_err(|_| Refusal::Closed)?;
        answered.await.map_err(|_| Refusal::Closed)?
    }

    /// Events from now on, after they are on disk.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// What the engine waits for.
    pub fn health(&self) -> Health {
        self.health.lock().clone()
    }

    /// The workers that reports came from since the start, by `name/pid`.
    pub fn workers(&self) -> BTreeMap<String, Heard> {
        self.roster.all()
    }

    /// What the optimizer's model thinks of experiments, as far as somebody asked.
    pub const fn explanations(&self) -> &Explanations {
        &self.explanations
    }

    /// The store, to read from.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// What has been counted since the start.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

/// The engine before it runs.
pub struct Engine {
    store: Store,
    bus: Bus,
    wishes: mpsc::Receiver<Wish>,
    events: broadcast::Sender<Event>,
    world: World,
    /// Raw output of open epochs' bench stage, for their collect stage.
    artifacts: HashMap<EpochId, Vec<Artifact>>,
    relay: relay::Relay,
    health: health::Watched,
    roster: roster::Roster,
    explanations: Explanations,
    /// Outbox rows whose message is safe, not yet deleted.
    sent: Vec<i64>,
    metrics: Arc<Metrics>,
    spans: Spans,
    /// Nothing can be heard now: the bus is away, or the claim to hear by.
    deaf: bool,
}

impl Engine {
    /// Loads the world, and publishes what an earlier run left in the outbox.
    pub async fn new(store: Store, bus: Bus) -> Result<(Self, Handle), StoreError> {
        let (wishes, wished) = mpsc::channel(1024);
        let (events, _) = broadcast::channel(EVENT_BUFFER);
        let world = World::restore(store.load().await?, Timestamp::now());
        let health = health::Watched::default();
        let mut relay = relay::Relay::start(bus.clone(), health.clone());
        relay.publish(store.outbox().await?);
        let metrics = Arc::new(Metrics::default());
        let roster = roster::Roster::default();
        let explanations = Explanations::default();
        let handle = Handle {
            wishes,
            events: events.clone(),
            store: store.clone(),
            metrics: Arc::clone(&metrics),
            health: health.clone(),
            roster: roster.clone(),
            explanations: explanations.clone(),
        };
        let engine = Self {
            store,
            bus,
            wishes: wished,
            events,
            world,
            artifacts: HashMap::new(),
            relay,
            health,
            roster,
            explanations,
            sent: Vec::new(),
            metrics,
            spans: Spans::default(),
            deaf: false,
        };
        Ok((engine, handle))
    }

    /// What was on the bus is gone, as after a restart of a process that has its bus within.
    pub fn bus_was_lost(&mut self) {
        self.world.bus_was_lost(Timestamp::now());
    }

    /// The open experiment of this name.
    pub fn open(&self, name: &str) -> Option<ExperimentId> {
        self.world.experiments.values().find(|e| e.spec.name == name).map(|e| e.id)
    }

    /// Works until `shutdown` fires or the bus is closed.
    pub async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let mut incoming = self.bus.subscribe(Subscription::coordinator(PREFETCH)).await?;
        let mut flush = tokio::time::Instant::now() + CONFIRMATIONS_WAIT;
        loop {
            self.listen();
            let mut work = Work::default();
            let next_tick = self.until_next_tick();
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                delivery = incoming.next() => match delivery {
                    Some(delivery) => work.deliveries.push(delivery),
                    None => return Ok(()),
                },
                Some(wish) = self.wishes.recv() => work.wishes.push(wish),
                Some(told) = self.relay.told() => {
                    self.hear(told, &mut work);
                    if work.news.is_empty() && tokio::time::Instant::now() < flush {
                        continue;
                    }
                }
                () = tokio::time::sleep(next_tick) => work.tick = true,
            }
            self.listen();
            if self.deaf && work.tick {
                continue;
            }
            self.gather(&mut work, incoming.as_mut());
            flush = tokio::time::Instant::now() + CONFIRMATIONS_WAIT;
            self.take(work, &shutdown).await;
        }
    }

    /// While nothing can be heard nobody is late: no lease ends before its holder could have been heard again.
    fn listen(&mut self) {
        let deaf = !self.bus.is_connected();
        if self.deaf && !deaf {
            self.world.heard_nothing(Timestamp::now());
        }
        self.deaf = deaf;
    }

    fn until_next_tick(&self) -> Duration {
        if self.deaf {
            return DEAF_LOOK;
        }
        let deadline = self.world.next_deadline();
        let wait = deadline.map_or(IDLE, |d| d.since(Timestamp::now()).min(IDLE));
        // never a busy loop, even where a deadline has passed and nothing could be done about it
        wait.max(Duration::from_millis(20))
    }

    /// Whatever else is there already.
    fn gather(&mut self, work: &mut Work, incoming: &mut dyn Incoming) {
        while work.deliveries.len() < MAX_BATCH {
            let Some(delivery) = incoming.ready() else { break };
            work.deliveries.push(delivery);
        }
        while let Ok(wish) = self.wishes.try_recv() {
            work.wishes.push(wish);
        }
        while let Some(told) = self.relay.told_already() {
            self.hear(told, work);
        }
        work.tick |= !self.deaf && self.world.next_deadline().is_some_and(|d| d <= Timestamp::now());
    }

    fn hear(&mut self, told: Told, work: &mut Work) {
        match told {
            Told::Safe(seq) => self.sent.push(seq),
            Told::Missing(key) => work.news.push(batch::queue_missing(Timestamp::now(), &key)),
            Told::Found(key) => work.news.push(batch::queue_found(Timestamp::now(), &key)),
        }
    }

    /// Decides, commits, and only then tells anybody. While the store fails, the deliveries stay unacknowledged and the
    /// same work is tried again: giving them back would count against their delivery limit.
    async fn take(&mut self, mut work: Work, shutdown: &CancellationToken) {
        let (prepared, committed) = loop {
            match self.attempt(&work).await {
                Ok(done) => break done,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the store failed; trying again"
                    );
                    Failing::note(&mut self.health.lock().store_failing, error.to_string());
                    work.wishes.extend(std::iter::from_fn(|| self.wishes.try_recv().ok()));
                    for wish in work.wishes.drain(..) {
                        // the one who asked may have gone
                        let _ = wish.answer.send(Err(Refusal::Unavailable(error.to_string())));
                    }
                    if !self.reload(shutdown).await {
                        return;
                    }
                }
            }
        };
        self.health.lock().store_failing = None;
        self.relay.forget(&self.sent);
        self.sent.clear();
        self.metrics.count(&prepared.batch);
        self.metrics.look(&self.world, prepared.batch.at);
        self.spans.note(&prepared.batch);
        self.relay.publish(committed.outbox_seqs.into_iter().zip(prepared.batch.outbox));
        for (seq, event) in committed.event_seqs.into_iter().zip(prepared.batch.events) {
            let event = Event { seq, ..event };
            log::log(&event);
            self.relay.announce(&event);
            // nobody has to listen
            let _ = self.events.send(event);
        }
        for (delivery, rejected) in work.deliveries.iter().zip(prepared.rejected) {
            settle(delivery, rejected).await;
        }
        for (wish, answer) in work.wishes.into_iter().zip(prepared.answers) {
            // the one who asked may have gone
            let _ = wish.answer.send(answer);
        }
    }

    async fn attempt(&mut self, work: &Work) -> Result<(Prepared, Committed), StoreError> {
        let prepared = self.prepare(Timestamp::now(), work).await?;
        let committed = self.store.commit(&prepared.batch).await?;
        Ok((prepared, committed))
    }

    /// After a failed transaction the world is what the store says. `false` if the shutdown came first.
    async fn reload(&mut self, shutdown: &CancellationToken) -> bool {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return false,
                () = tokio::time::sleep(STORE_PAUSE) => {}
            }
            match self.read().await {
                Ok(()) => return true,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the store cannot be read");
                }
            }
        }
    }

    async fn read(&mut self) -> Result<(), StoreError> {
        self.world = World::restore(self.store.load().await?, Timestamp::now());
        self.artifacts.clear();
        // a transaction may have been kept although its answer did not arrive
        self.relay.publish(self.store.outbox().await?);
        Ok(())
    }
}

async fn settle(delivery: &Delivery, rejected: Option<String>) {
    match rejected {
        None => {
            delivery.verdict.ack().await;
        }
        Some(reason) => {
            if let Err(error) = delivery.verdict.dead_letter(&reason).await {
                // it comes again after the next connection, and is rejected again
                tracing::warn!(error = &error as &dyn std::error::Error, "a dead letter could not be sent");
            }
        }
    }
}
