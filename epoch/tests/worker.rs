//! The worker runtime on the bus inside the process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use autoopt_epoch::bus::memory::MemoryBus;
use autoopt_epoch::bus::topology::{Subscription, cancel_key, epoch_key};
use autoopt_epoch::bus::{Bus, Incoming, Outgoing};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::id::{EpochId, MessageId};
use autoopt_epoch::message::{Cancel, Done, Epoch, Report, ReportState, Stage, decode};
use autoopt_epoch::worker::{self, Backend, Backends, Context, WorkerSettings, noop::Noop};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Does what the setting `do` says, and counts how often it was asked.
#[derive(Default)]
struct Probe {
    runs: AtomicU32,
    cancelled: AtomicU32,
}

#[async_trait::async_trait]
impl Backend for Probe {
    fn check(&self, _: &Epoch) -> Result<(), Failure> {
        Ok(())
    }

    async fn perform(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        match order.backend.settings.get("do").and_then(|v| v.as_str()) {
            Some("panic") => panic!("the roof is on fire"),
            Some("wait") => {
                let _ = context.note.send("waiting".into());
                context.cancelled.cancelled().await;
                self.cancelled.fetch_add(1, Ordering::SeqCst);
                Err(Failure::new(FailureKind::Abandoned, "told to end"))
            }
            Some("slow") => {
                let _ = context.note.send("half way".into());
                tokio::time::sleep(Duration::from_millis(600)).await;
                Ok(Done::default())
            }
            _ => Ok(Done::default()),
        }
    }
}

struct Rig {
    bus: Bus,
    memory: MemoryBus,
    reports: Box<dyn Incoming>,
    probe: Arc<Probe>,
    stop: CancellationToken,
    worker: JoinHandle<anyhow::Result<()>>,
}

impl Rig {
    async fn start(stage: Stage, state_dir: &Path) -> Self {
        let memory = MemoryBus::new();
        let bus = memory.bus();
        let reports = bus.subscribe(Subscription::coordinator(64)).await.unwrap();
        let (probe, stop) = (Arc::new(Probe::default()), CancellationToken::new());
        let settings = WorkerSettings {
            name: "w".into(),
            group: "g".into(),
            clusters: vec!["c".into()],
            state_dir: state_dir.into(),
            drain: Duration::from_millis(100),
        };
        let mut backends = Backends::new();
        backends.insert("probe".into(), probe.clone());
        backends.insert("noop".into(), Arc::new(Noop::default()));
        // the queues first, so that what a test sends is not lost
        let group = Subscription::worker(stage, "g", &settings.clusters, 1);
        drop(bus.subscribe(group).await.unwrap());
        let worker = tokio::spawn(worker::run(stage, settings, backends, bus.clone(), stop.clone()));
        Self { bus, memory, reports, probe, stop, worker }
    }

    async fn send(&self, order: &Epoch) {
        let key = epoch_key(&order.cluster, order.stage);
        self.publish(Outgoing::new(key, MessageId::fresh(), order)).await;
    }

    async fn publish(&self, message: Outgoing) {
        self.bus.publish(message).await.unwrap().await.unwrap();
    }

    async fn next(&mut self) -> (Report, MessageId) {
        let delivery = tokio::time::timeout(Duration::from_secs(5), self.reports.next());
        let delivery = delivery.await.expect("no report came").unwrap();
        delivery.verdict.ack().await;
        (decode(delivery.kind.as_deref(), &delivery.body).unwrap(), delivery.id.unwrap())
    }

    /// The next final report's failure.
    async fn failure(&mut self) -> (Report, Failure) {
        loop {
            match self.next().await.0 {
                Report { state: ReportState::Accepted | ReportState::Heartbeat { .. }, .. } => {}
                report => match report.state.clone() {
                    ReportState::Failed(failure) => return (report, failure),
                    other => panic!("expected a failure, not {other:?}"),
                },
            }
        }
    }

    async fn silent(&mut self) {
        let more = tokio::time::timeout(Duration::from_millis(300), self.reports.next()).await;
        assert!(more.is_err(), "an unexpected report came");
    }

    fn runs(&self) -> u32 {
        self.probe.runs.load(Ordering::SeqCst)
    }

    async fn end(self) {
        self.stop.cancel();
        self.worker.await.unwrap().unwrap();
    }
}

fn order(stage: Stage, backend: &str, doing: &str) -> Epoch {
    serde_json::from_value(json!({
        "experiment": "e", "experiment_id": EpochId::fresh(), "trial": EpochId::fresh(), "number": 1,
        "kind": "proposed", "epoch": EpochId::fresh(), "cluster": "c", "step": 1, "stage": stage, "action": "run",
        "attempt": 1, "issued": "2026-01-01T00:00:00Z", "lease": "600ms", "timeout": "30s",
        "parameters": {"x": 3, "y": -0.5},
        "backend": {"backend": backend, "settings": {"do": doing}},
    }))
    .unwrap()
}

#[tokio::test]
async fn what_is_quick_is_one_report_and_a_duplicate_is_answered_without_doing_it_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(Stage::Bench, directory.path()).await;
    let order = order(Stage::Bench, "probe", "");
    rig.send(&order).await;
    let (first, id) = rig.next().await;
    assert!(matches!(first.state, ReportState::Done(_)), "{first:?}");
    rig.silent().await;
    rig.send(&order).await;
    assert_eq!(rig.next().await, (first, id), "the same report under the same id");
    let newer = Epoch { attempt: 2, ..order.clone() };
    rig.send(&newer).await;
    assert_eq!(rig.next().await.0.attempt, 2);
    rig.send(&Epoch { step: 0, ..newer }).await;
    rig.silent().await;
    assert_eq!(rig.runs(), 2, "neither the duplicate nor the older step ran");
    assert_eq!(rig.memory.waiting("autoopt.bench.g"), 0);
    rig.end().await;
}

#[tokio::test]
async fn what_is_slow_is_accepted_and_kept_alive() {
    let directory = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(Stage::Bench, directory.path()).await;
    let order = order(Stage::Bench, "probe", "slow");
    rig.send(&order).await;
    assert_eq!(rig.next().await.0.state, ReportState::Accepted);
    rig.send(&order).await;
    let note = Some("half way".to_owned());
    assert_eq!(rig.next().await.0.state, ReportState::Heartbeat { note });
    loop {
        match rig.next().await.0.state {
            ReportState::Heartbeat { .. } => {}
            ReportState::Done(_) => break,
            other => panic!("{other:?}"),
        }
    }
    rig.silent().await;
    assert_eq!(rig.runs(), 1);
    rig.end().await;
}

#[tokio::test]
async fn a_cancellation_a_panic_and_a_time_out_end_in_reports() {
    let directory = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(Stage::Bench, directory.path()).await;

    let waiting = order(Stage::Bench, "probe", "wait");
    rig.send(&waiting).await;
    assert_eq!(rig.next().await.0.state, ReportState::Accepted);
    let cancel = |step| Cancel {
        epoch: waiting.epoch,
        cluster: "c".into(),
        stage: Stage::Bench,
        step,
        attempt: 1,
        reason: "no longer wanted".into(),
    };
    let key = cancel_key("c", Stage::Bench);
    rig.publish(Outgoing::new(key.clone(), MessageId::fresh(), &cancel(0))).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(rig.probe.cancelled.load(Ordering::SeqCst), 0, "an older step's cancellation");
    rig.publish(Outgoing::new(key, MessageId::fresh(), &cancel(1))).await;
    let (_, failure) = rig.failure().await;
    assert_eq!(
        (failure.kind, failure.reason.as_str()),
        (FailureKind::Abandoned, "cancelled: no longer wanted")
    );

    rig.send(&order(Stage::Bench, "probe", "panic")).await;
    let (_, failure) = rig.failure().await;
    assert_eq!(failure.kind, FailureKind::Transient);
    assert!(failure.reason.contains("the roof is on fire"), "{failure}");

    let mut short = order(Stage::Bench, "probe", "wait");
    short.timeout = "100ms".parse().unwrap();
    rig.send(&short).await;
    let (_, failure) = rig.failure().await;
    assert_eq!(failure.kind, FailureKind::Transient);
    assert!(failure.reason.contains("took longer than"), "{failure}");

    rig.send(&order(Stage::Bench, "other", "")).await;
    let (_, failure) = rig.failure().await;
    assert_eq!(failure.kind, FailureKind::Broken);
    assert!(failure.reason.contains("`noop`, `probe`"), "{failure}");

    let garbage =
        Outgoing { body: b"{".into(), ..Outgoing::new("epoch.c.bench", MessageId::fresh(), &short) };
    rig.publish(garbage).await;
    tokio::time::timeout(Duration::from_secs(5), async {
        while rig.memory.dead_letters().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    rig.end().await;
}

#[tokio::test]
async fn a_newer_attempt_waits_for_the_end_of_the_older() {
    let directory = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(Stage::Bench, directory.path()).await;
    let older = order(Stage::Bench, "probe", "wait");
    rig.send(&older).await;
    assert_eq!(rig.next().await.0.state, ReportState::Accepted);
    let mut newer = Epoch { attempt: 2, ..older.clone() };
    newer.backend.settings.clear();
    rig.send(&newer).await;
    let mut ends = Vec::new();
    while ends.len() < 2 {
        let report = rig.next().await.0;
        match report.state {
            ReportState::Done(_) => ends.push((report.attempt, "done")),
            ReportState::Failed(failure) => ends.push((report.attempt, failure.kind.as_str())),
            _ => {}
        }
    }
    ends.sort_unstable();
    assert_eq!(ends, [(1, "abandoned"), (2, "done")]);
    assert_eq!(rig.probe.cancelled.load(Ordering::SeqCst), 1);
    rig.end().await;
}

#[tokio::test]
async fn a_stopped_worker_reports_what_it_ended_and_a_restarted_one_what_was_not_sent() {
    let directory = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(Stage::Bench, directory.path()).await;
    let waiting = order(Stage::Bench, "probe", "wait");
    rig.send(&waiting).await;
    assert_eq!(rig.next().await.0.state, ReportState::Accepted);
    let second = worker::journal::Journal::open(directory.path(), Stage::Bench).err().expect("a lock");
    assert!(second.to_string().contains("in use by another worker"), "{second}");
    rig.stop.cancel();
    let (stopped, failure) = rig.failure().await;
    assert_eq!((failure.kind, failure.reason.as_str()), (FailureKind::Transient, "the worker was stopped"));
    rig.end().await;

    // a worker that was killed between the end of its work and the confirmation, in the middle of its next line
    let unsent = Report { attempt: 2, ..stopped.clone() };
    let journal = worker::journal::Journal::open(directory.path(), Stage::Bench).unwrap();
    journal.finished(&unsent).unwrap();
    drop(journal);
    let path = directory.path().join("bench.journal");
    let mut content = std::fs::read(&path).unwrap();
    content.extend_from_slice(b"{\"begun\":{\"epo");
    std::fs::write(&path, content).unwrap();

    let mut rig = Rig::start(Stage::Bench, directory.path()).await;
    assert_eq!(rig.next().await.0, unsent, "only what was not sent");
    rig.silent().await;
    rig.send(&waiting).await;
    assert_eq!(rig.next().await.0, stopped, "answered from the journal of the earlier process");
    assert_eq!(rig.runs(), 0);
    rig.end().await;
}

#[tokio::test]
async fn noop_measures_its_formula() {
    let directory = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(Stage::Collect, directory.path()).await;
    let mut order = order(Stage::Collect, "noop", "");
    for (formula, expected) in [(None, -9.25), (Some("x * 2 + y"), 5.5)] {
        if let Some(formula) = formula {
            order.backend.settings.insert("objective".into(), formula.into());
        }
        rig.send(&order).await;
        let ReportState::Done(done) = rig.next().await.0.state else { panic!("not done") };
        let measurement = done.measurement.unwrap();
        assert_eq!((measurement.objective, measurement.metrics["value"]), (expected, expected));
        order.attempt += 1;
    }
    rig.end().await;
}
