//! Takes a stage's deliveries and decides about each: do it, answer it from the journal, or let it be.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::journal::{Attempt, Journal};
use super::lease::{self, Cause, Running};
use super::leftovers;
use super::{Backend, Context};
use crate::bus::topology::{Subscription, report_key};
use crate::bus::{Bus, BusError, Delivery, Outgoing, Verdict};
use crate::failure::{Failure, FailureKind};
use crate::id::{EpochId, MessageId};
use crate::message::{Cancel, Epoch, Report, ReportState, Stage, decode};
use crate::time::Timestamp;
use crate::trace;

/// Deliveries taken at once. Each is held for a blink, so this bounds throughput, not how much runs.
const PREFETCH: u16 = 64;
/// After a shutdown's cancellation, how long reports may take to reach the broker; the journal has them anyway.
const FAREWELL: Duration = Duration::from_secs(10);

/// The header of a report that says which version of the program its worker is.
pub const VERSION_HEADER: &str = "autoopt-version";

/// A worker's backends by the name that an experiment uses.
pub type Backends = BTreeMap<String, Arc<dyn Backend>>;

/// Who a worker is and whom it serves.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// For people; reports carry `name/pid`.
    pub name: String,
    /// Workers of one group share a queue.
    pub group: String,
    /// The clusters it serves; `*` stands for all.
    pub clusters: Vec<String>,
    /// Where the journal is, and what backends keep; of this worker alone.
    pub state_dir: PathBuf,
    /// How long a shutdown waits for what is under way before it is cancelled.
    pub drain: Duration,
}

pub(super) struct Worker {
    stage: Stage,
    settings: WorkerSettings,
    backends: Backends,
    bus: Bus,
    identity: String,
    pub(super) journal: Journal,
    running: Mutex<HashMap<EpochId, Running>>,
    tasks: TaskTracker,
}

/// Serves `stage` until `shutdown` fires, then finishes what is under way.
pub async fn run(
    stage: Stage,
    settings: WorkerSettings,
    backends: Backends,
    bus: Bus,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let journal = Journal::open(&settings.state_dir, stage)?;
    leftovers::end(&journal, stage).await?;
    let unreported = journal.unreported()?;
    let mut cancels = bus.subscribe(Subscription::cancellations(stage, &settings.clusters)).await?;
    let subscription = Subscription::worker(stage, &settings.group, &settings.clusters, PREFETCH);
    let mut orders = bus.subscribe(subscription).await?;
    let worker = Arc::new(Worker {
        stage,
        identity: format!("{}/{}", settings.name, std::process::id()),
        settings,
        backends,
        bus,
        journal,
        running: Mutex::default(),
        tasks: TaskTracker::new(),
    });
    for backend in worker.backends.values() {
        backend.resume(&Context::alone(&worker.settings.state_dir)).await;
    }
    if !unreported.is_empty() {
        tracing::info!(reports = unreported.len(), "reports of an earlier run are sent again");
        let worker = worker.clone();
        worker.clone().tasks.spawn(async move {
            for report in unreported {
                // which trial it was of, the journal does not say
                worker.deliver(&report, None).await;
            }
        });
    }
    let closed = loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break false,
            delivery = cancels.next() => match delivery {
                Some(delivery) => worker.cancel(delivery),
                None => break true,
            },
            delivery = orders.next() => match delivery {
                Some(delivery) => worker.take(delivery),
                None => break true,
            },
        }
    };
    if closed {
        worker.stop_all();
        anyhow::bail!("the bus was closed while the worker was using it");
    }
    // `orders` stays open, because what it delivered is still to be acknowledged, but nothing more is taken
    worker.tasks.close();
    let drained = tokio::time::sleep(worker.settings.drain);
    tokio::pin!(drained);
    loop {
        tokio::select! {
            () = worker.tasks.wait() => return Ok(()),
            () = &mut drained => break,
            Some(delivery) = cancels.next() => worker.cancel(delivery),
        }
    }
    worker.stop_all();
    if tokio::time::timeout(FAREWELL, worker.tasks.wait()).await.is_err() {
        tracing::warn!(
            "not everything ended in time; reports that were not sent are sent after the next start"
        );
    }
    Ok(())
}

/// What everything that is logged during an attempt is about.
fn about(order: &Epoch) -> tracing::Span {
    tracing::info_span!(
        "step",
        experiment = order.experiment,
        experiment.id = %order.experiment_id,
        trial = %order.trial,
        trial.number = order.number,
        epoch = %order.epoch,
        cluster = order.cluster,
        stage = %order.stage,
        attempt = order.attempt,
        trace_id = trace::trace_id(order.trial),
    )
}

impl Worker {
    fn take(self: &Arc<Self>, delivery: Delivery) {
        let order = decode::<Epoch>(delivery.kind.as_deref(), &delivery.body).map_err(|e| e.to_string());
        let order = order.and_then(|order| {
            let fits = order.stage == self.stage;
            fits.then_some(order).ok_or_else(|| format!("the order's stage is not `{}`", self.stage))
        });
        match order {
            Ok(order) => {
                let given = trace::Context::from_headers(&delivery.headers);
                self.decide(order, given, delivery.verdict);
            }
            Err(reason) => self.refuse(delivery.verdict, reason),
        }
    }

    /// `given` is the context that came with the order; one by hand has none.
    fn decide(self: &Arc<Self>, order: Epoch, given: Option<trace::Context>, verdict: Box<dyn Verdict>) {
        let attempt = Attempt::of(&order);
        let context = trace::Context::work(order.trial, order.epoch, order.step, order.attempt);
        let mut table = self.running();
        // first what runs, then the journal: an attempt is in the journal before it leaves the table
        let earlier = table.get(&order.epoch).cloned();
        if let Some(running) = &earlier {
            if running.token == attempt.token() {
                let spoken = running.spoken.clone();
                // what nobody has heard of yet must come again if this process dies
                self.tasks.spawn(async move {
                    spoken.cancelled().await;
                    verdict.ack().await;
                });
                return;
            }
            if running.token > attempt.token() {
                drop(table);
                return self.answer(attempt, context, verdict);
            }
        }
        let known = self.journal.newest(order.epoch).is_some_and(|newest| newest > attempt.token());
        let finished = match self.journal.report_of(attempt) {
            Ok(report) => report.is_some(),
            Err(error) => {
                tracing::error!(%error, epoch = %order.epoch, "the journal cannot be read");
                false
            }
        };
        if known || finished {
            drop(table);
            return self.answer(attempt, context, verdict);
        }
        let running = Running::new(attempt.token());
        table.insert(order.epoch, running.clone());
        drop(table);
        let span = about(&order);
        let held = lease::hold(self.clone(), Arc::new(order), given, verdict, running, earlier);
        self.tasks.spawn(held.instrument(span));
    }

    /// Settles a delivery that is not to be run: with the report it led to, or silently if a newer one came since.
    fn answer(self: &Arc<Self>, attempt: Attempt, context: trace::Context, verdict: Box<dyn Verdict>) {
        let worker = self.clone();
        self.tasks.spawn(async move {
            let sent = match worker.journal.report_of(attempt) {
                Ok(Some(report)) => worker.deliver(&report, Some(context)).await,
                Ok(None) => true,
                Err(error) => {
                    tracing::error!(%error, epoch = %attempt.epoch, "the journal cannot be read");
                    true
                }
            };
            if sent {
                verdict.ack().await;
            }
        });
    }

    fn cancel(self: &Arc<Self>, delivery: Delivery) {
        let cancel = match decode::<Cancel>(delivery.kind.as_deref(), &delivery.body) {
            Ok(cancel) => cancel,
            Err(error) => return self.refuse(delivery.verdict, error.to_string()),
        };
        let running = self.running().get(&cancel.epoch).cloned();
        if let Some(running) = running.filter(|r| r.token <= (cancel.step, cancel.attempt)) {
            tracing::info!(epoch = %cancel.epoch, reason = cancel.reason, "cancelled");
            running.stop(Cause::Cancelled(cancel.reason));
        }
        self.tasks.spawn(async move { delivery.verdict.ack().await });
    }

    fn refuse(&self, verdict: Box<dyn Verdict>, reason: String) {
        tracing::warn!(reason, "a message is unusable");
        self.tasks.spawn(async move {
            if let Err(error) = verdict.dead_letter(&reason).await {
                tracing::warn!(%error, "it could not be put with the dead letters and will come again");
            }
        });
    }

    fn stop_all(&self) {
        self.running().values().for_each(|running| running.stop(Cause::Shutdown));
    }

    pub(super) fn forget(&self, epoch: EpochId, token: (u32, u32)) {
        let mut table = self.running();
        // a newer attempt may have taken its place
        if table.get(&epoch).is_some_and(|running| running.token == token) {
            table.remove(&epoch);
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<EpochId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state_dir(&self) -> &Path {
        &self.settings.state_dir
    }

    pub(super) fn backend(&self, name: &str) -> Result<Arc<dyn Backend>, Failure> {
        self.backends.get(name).cloned().ok_or_else(|| {
            let known: Vec<_> = self.backends.keys().map(|key| format!("`{key}`")).collect();
            let reason = format!(
                "worker {} has no backend `{name}` for the {} stage; it has {}",
                self.settings.name,
                self.stage,
                known.join(", ")
            );
            Failure::new(FailureKind::Broken, reason)
        })
    }

    pub(super) fn report(&self, order: &Epoch, state: ReportState) -> Report {
        Report {
            epoch: order.epoch,
            cluster: order.cluster.clone(),
            step: order.step,
            stage: order.stage,
            action: order.action,
            attempt: order.attempt,
            worker: self.identity.clone(),
            at: Timestamp::now(),
            state,
        }
    }

    /// Sends a final report until the broker has it, and notes that. `false`: the bus was closed.
    pub(super) async fn deliver(&self, report: &Report, context: Option<trace::Context>) -> bool {
        let sent = self.send(report, context).await;
        if sent {
            let attempt = Attempt { epoch: report.epoch, step: report.step, attempt: report.attempt };
            if let Err(error) = self.journal.reported(attempt) {
                tracing::warn!(%error, "the report will be sent again after a restart");
            }
        }
        sent
    }

    /// Sends `report` until the broker has it. `false`: the bus was closed.
    pub(super) async fn send(&self, report: &Report, context: Option<trace::Context>) -> bool {
        let mut pause = Duration::from_millis(100);
        loop {
            match self.send_once(report, context).await {
                Ok(()) => return true,
                Err(BusError::Closed) => return false,
                Err(error) => tracing::warn!(%error, epoch = %report.epoch, "a report is sent again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    pub(super) async fn send_once(
        &self,
        report: &Report,
        context: Option<trace::Context>,
    ) -> Result<(), BusError> {
        let state = match &report.state {
            ReportState::Accepted => Some("accepted"),
            ReportState::Heartbeat { .. } => None,
            ReportState::Done(_) => Some("done"),
            ReportState::Failed(_) => Some("failed"),
        };
        let id = state.map_or_else(MessageId::fresh, |state| {
            MessageId::derived(report.epoch.0, &format!("report/{}/{}/{state}", report.step, report.attempt))
        });
        let key = report_key(&report.cluster, report.stage);
        let mut message = Outgoing::new(key, id, report);
        message.headers.insert(VERSION_HEADER.into(), env!("CARGO_PKG_VERSION").into());
        let message = match context {
            Some(context) => message.traced(context),
            None => message,
        };
        self.bus.publish(message).await?.await
    }
}
