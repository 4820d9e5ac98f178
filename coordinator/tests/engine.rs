//! The engine with a real store and the bus within a process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use autoopt_coordinator::engine::{Engine, Handle, Health, Refusal};
use autoopt_coordinator::machine::Input;
use autoopt_coordinator::store::Store;
use autoopt_epoch::bus::memory::MemoryBus;
use autoopt_epoch::bus::topology::{COORDINATOR_QUEUE, Subscription, TRIAL_KEY, report_key};
use autoopt_epoch::bus::{Bus, BusError, Claimed, Confirm, DeadLetter, Incoming, Outgoing, Transport};
use autoopt_epoch::experiment::init_template;
use autoopt_epoch::id::{ExperimentId, MessageId};
use autoopt_epoch::message::{self, Event, EventKind, Message, Report, ReportState, Stage, Trial};
use autoopt_epoch::time::{Period, Timestamp};
use serde_json::json;
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// The store waits five seconds for a lock and the engine pauses for one; a busy machine takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine that has an experiment.
async fn start(url: &str) -> (MemoryBus, Handle, broadcast::Receiver<Event>) {
    let memory = MemoryBus::new();
    let store = Store::open(url).await.expect("a store");
    let (engine, handle) = Engine::new(store, memory.bus()).await.expect("an engine");
    let events = handle.events();
    tokio::spawn(engine.run(CancellationToken::new()));
    submit(&handle).await.expect("it is submitted");
    (memory, handle, events)
}

/// The next event of this kind.
async fn next(events: &mut broadcast::Receiver<Event>, kind: EventKind) -> Event {
    let wanted = async {
        loop {
            let event = events.recv().await.expect("the engine runs");
            if event.kind == kind {
                return event;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wanted).await.expect("it is in the log")
}

async fn submit(handle: &Handle) -> Result<(), Refusal> {
    let spec =
        autoopt_epoch::experiment::parse_toml(init_template(), "template").expect("the template is valid");
    handle.input(Input::Submit { id: ExperimentId::fresh(), spec: Arc::new(spec) }).await
}

async fn publish(bus: &Bus, body: &serde_json::Value) {
    let message = Outgoing {
        routing_key: TRIAL_KEY.into(),
        id: MessageId::fresh(),
        kind: Trial::TYPE.into(),
        body: body.to_string().into_bytes(),
        mandatory: true,
        headers: Default::default(),
    };
    bus.publish(message).await.expect("the bus is up").await.expect("the coordinator's queue takes it");
}

#[tokio::test]
async fn what_is_not_usable_is_a_dead_letter_with_its_reason_and_an_event() {
    let (memory, _, mut events) = start("sqlite::memory:").await;
    publish(&memory.bus(), &json!({"experiment": "nobody", "parameters": {}})).await;
    let event = next(&mut events, EventKind::TrialRejected).await;
    assert!(event.message.contains("`nobody`"), "{}", event.message);
    let dead = async {
        while memory.dead_letters().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, dead).await.expect("it is a dead letter");
    assert!(memory.dead_letters()[0].reason.contains("`nobody`"), "{:?}", memory.dead_letters());
}

#[tokio::test]
async fn a_locked_store_loses_nothing_and_says_so_to_whoever_asks() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("store.sqlite");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let (memory, handle, mut events) = start(&url).await;

    let mut other =
        sqlx::sqlite::SqliteConnectOptions::new().filename(&file).connect().await.expect("a connection");
    other.execute("begin immediate").await.expect("the lock");
    publish(&memory.bus(), &json!({"experiment": "nobody", "parameters": {}})).await;
    let refused = tokio::time::timeout(PATIENCE, submit(&handle)).await.expect("an answer");
    assert!(matches!(refused, Err(Refusal::Unavailable(_))), "{refused:?}");
    // long enough for the next try to fail as well
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(
        memory.waiting(COORDINATOR_QUEUE),
        0,
        "it was given back, which counts against its delivery limit"
    );
    assert!(memory.dead_letters().is_empty(), "nothing is told before it is on disk");

    other.execute("rollback").await.expect("the lock is given up");
    other.close().await.expect("the connection closes");
    next(&mut events, EventKind::TrialRejected).await;
}

#[tokio::test]
async fn a_stage_without_a_queue_shows_in_the_health_and_once_in_the_log() {
    let (memory, handle, mut events) = start("sqlite::memory:").await;
    let missing = next(&mut events, EventKind::QueueMissing).await;
    let key = missing.detail["routing_key"].as_str().expect("a routing key").to_owned();
    assert!(key.ends_with(".apply") && missing.seq > 0, "{missing:?}");
    let health = handle.health();
    assert!(health.unroutable.contains_key(&key) && health.relay_backlog > 0, "{health:?}");

    let queue = Subscription::worker(Stage::Apply, "all", &["*".into()], 9);
    let mut worker = memory.bus().subscribe(queue).await.expect("a queue");
    assert_eq!(worker.next().await.expect("the bus is open").routing_key, key);
    assert_eq!(
        next(&mut events, EventKind::QueueFound).await.detail["routing_key"],
        missing.detail["routing_key"]
    );
    let told = handle.store().events(None, 0, 999).await.expect("events");
    assert_eq!(told.iter().filter(|e| e.kind == EventKind::QueueMissing).count(), 1);
    assert_eq!(handle.health(), Health::default());
}

/// A bus that says that it is away.
struct Away {
    bus: Bus,
    away: AtomicBool,
    /// So many publications have been lost on their way, which are never confirmed.
    lost: AtomicU32,
    /// So many more will be.
    to_lose: AtomicU32,
}

impl Away {
    fn over(memory: &MemoryBus) -> Arc<Self> {
        let (away, lost, to_lose) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
        Arc::new(Self { bus: memory.bus(), away, lost, to_lose })
    }
}

#[async_trait::async_trait]
impl Transport for Away {
    async fn publish(&self, message: Outgoing) -> Result<Confirm, BusError> {
        if message.mandatory && self.to_lose.load(Ordering::Relaxed) > 0 {
            self.to_lose.fetch_sub(1, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
            return Ok(Box::pin(std::future::pending()));
        }
        self.bus.publish(message).await
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Box<dyn Incoming>, BusError> {
        self.bus.subscribe(subscription).await
    }

    async fn claim(&self, name: &str) -> Result<Claimed, BusError> {
        self.bus.claim(name).await
    }

    async fn claim_lost(&self) {
        self.bus.claim_lost().await;
    }

    async fn log(&self, records: &mut Vec<Outgoing>) -> Result<(), BusError> {
        self.bus.log(records).await
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BusError> {
        self.bus.dead_letters(limit).await
    }

    async fn requeue_dead_letters(&self, key: Option<MessageId>) -> Result<Vec<DeadLetter>, BusError> {
        self.bus.requeue_dead_letters(key).await
    }

    fn is_connected(&self) -> bool {
        !self.away.load(Ordering::Relaxed)
    }

    async fn lost(&self) {
        self.bus.lost().await;
    }

    async fn close(&self) {
        self.bus.close().await;
    }
}

#[tokio::test]
async fn no_lease_ends_while_the_bus_is_away_nor_at_once_when_it_is_back() {
    let memory = MemoryBus::new();
    let away = Away::over(&memory);
    let store = Store::open("sqlite::memory:").await.expect("a store");
    let (engine, handle) = Engine::new(store, away.clone()).await.expect("an engine");
    let mut events = handle.events();
    let queue = Subscription::worker(Stage::Apply, "all", &["*".into()], 9);
    let mut worker = memory.bus().subscribe(queue).await.expect("a queue");
    tokio::spawn(engine.run(CancellationToken::new()));
    let text = init_template();
    let mut spec = autoopt_epoch::experiment::parse_toml(text, "template").expect("the template is valid");
    spec.apply.lease = Period::seconds(2);
    let submitted = handle.input(Input::Submit { id: ExperimentId::fresh(), spec: Arc::new(spec) }).await;
    submitted.expect("it is submitted");
    let order: message::Epoch =
        serde_json::from_slice(&worker.next().await.expect("an order").body).expect("an epoch");
    let report = Report {
        epoch: order.epoch,
        cluster: order.cluster.clone(),
        step: order.step,
        stage: order.stage,
        action: order.action,
        attempt: order.attempt,
        worker: "w/1".into(),
        at: Timestamp::now(),
        state: ReportState::Accepted,
    };
    let key = report_key(&order.cluster, order.stage);
    let sent = memory.bus().publish(Outgoing::new(key, MessageId::fresh(), &report)).await;
    sent.expect("the bus is up").await.expect("the coordinator's queue takes it");
    next(&mut events, EventKind::StageAccepted).await;
    away.away.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(5)).await;
    away.away.store(false, Ordering::Relaxed);
    let back = Timestamp::now();
    let ended = next(&mut events, EventKind::LeaseExpired).await;
    assert!(ended.at.since(back) >= Duration::from_millis(1500), "{ended:?}, and the bus was back at {back}");
}

#[tokio::test]
async fn nothing_is_published_while_the_bus_is_away_or_its_claim_with_whoever_has_it_now() {
    let memory = MemoryBus::new();
    let away = Away::over(&memory);
    let store = Store::open("sqlite::memory:").await.expect("a store");
    let (engine, handle) = Engine::new(store, away.clone()).await.expect("an engine");
    let queue = Subscription::worker(Stage::Apply, "all", &["*".into()], 9);
    let mut worker = memory.bus().subscribe(queue).await.expect("a queue");
    tokio::spawn(engine.run(CancellationToken::new()));

    // what is under way when it goes
    away.to_lose.store(1, Ordering::Relaxed);
    submit(&handle).await.expect("it is submitted");
    let under_way = async {
        while away.lost.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, under_way).await.expect("it is published");
    away.away.store(true, Ordering::Relaxed);
    let nothing = tokio::time::timeout(Duration::from_secs(1), worker.next()).await;
    assert!(nothing.is_err(), "published while the bus was away");
    away.away.store(false, Ordering::Relaxed);
    let order = tokio::time::timeout(PATIENCE, worker.next()).await.expect("an order, once it is back");
    assert!(order.expect("the bus is open").routing_key.ends_with(".apply"));
    assert!(worker.ready().is_none(), "once");
}
