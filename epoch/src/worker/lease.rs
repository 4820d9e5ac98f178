//! One attempt from its delivery to its report: the fast way in one message, the slow way with a lease.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::journal::Attempt;
use super::runtime::Worker;
use super::{Backend, Context};
use crate::bus::Verdict;
use crate::command::OnStart;
use crate::failure::{Failure, FailureKind};
use crate::message::{Done, Epoch, MAX_BODY, Message, Report, ReportState};
use crate::time::Timestamp;
use crate::trace::{self, Context as Place, Role, Span};

/// What ends within this time is reported in one message.
const BLINK: Duration = Duration::from_millis(200);

/// Why an attempt was told to end.
#[derive(Debug)]
pub(super) enum Cause {
    Cancelled(String),
    Superseded,
    TookTooLong,
    Shutdown,
}

/// An attempt that is under way; clones share it.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) token: (u32, u32),
    cause: Arc<OnceLock<Cause>>,
    cancelled: CancellationToken,
    /// The coordinator has heard of it, so that its delivery is no longer needed.
    pub(super) spoken: CancellationToken,
    /// Nothing of it runs any more.
    pub(super) ended: CancellationToken,
}

impl Running {
    pub(super) fn new(token: (u32, u32)) -> Self {
        Self {
            token,
            cause: Arc::default(),
            cancelled: CancellationToken::new(),
            spoken: CancellationToken::new(),
            ended: CancellationToken::new(),
        }
    }

    /// Tells it to end; the first cause counts.
    pub(super) fn stop(&self, cause: Cause) {
        // an earlier cause stays
        let _ = self.cause.set(cause);
        self.cancelled.cancel();
    }
}

/// Does what `order` says and reports it. `given` is the context that came with it, and `earlier` what it has to wait for: the
/// attempt that it supersedes.
pub(super) async fn hold(
    worker: Arc<Worker>,
    order: Arc<Epoch>,
    given: Option<Place>,
    verdict: Box<dyn Verdict>,
    running: Running,
    earlier: Option<Running>,
) {
    let (note, notes) = watch::channel(String::new());
    let started = Timestamp::now();
    let work = work(worker.clone(), order.clone(), running.clone(), earlier, note);
    let mut work = tokio::spawn(work.in_current_span());
    let place = Place::work(order.trial, order.epoch, order.step, order.attempt);
    let mut acknowledged = false;
    let result = match tokio::time::timeout(BLINK, &mut work).await {
        Ok(result) => result,
        Err(_) => {
            tracing::info!("`{}` is under way", order.action.as_str());
            let accepted = worker.report(&order, ReportState::Accepted);
            let early = tokio::select! {
                result = &mut work => Some(result),
                sent = worker.send(&accepted, Some(place)) => { acknowledged = sent; None }
            };
            match early {
                Some(result) => result,
                None => {
                    if acknowledged {
                        verdict.ack().await;
                        running.spoken.cancel();
                    }
                    beat(&worker, &order, place, &notes, &mut work).await
                }
            }
        }
    };
    let report = conclude(&worker, &order, &running, started, result);
    tell(&report, started);
    record(&order, &report, place, given, started);
    if let Err(error) = worker.journal.finished(&report) {
        tracing::error!(%error, "the report could not be written down");
    }
    running.ended.cancel();
    if worker.deliver(&report, Some(place)).await {
        running.spoken.cancel();
        if !acknowledged {
            verdict.ack().await;
        }
    }
    worker.forget(order.epoch, running.token);
}

/// Logs how an attempt ended. What takes a blink is told only where it failed: there may be thousands of them.
fn tell(report: &Report, started: Timestamp) {
    let took = report.at.since(started);
    let action = report.action.as_str();
    match &report.state {
        ReportState::Failed(failure) => {
            tracing::warn!(kind = failure.kind.as_str(), "`{action}` failed: {}", failure.reason);
        }
        _ if took < BLINK => tracing::debug!("`{action}` is done"),
        _ => tracing::info!("`{action}` is done after {:.1} s", took.as_secs_f64()),
    }
}

/// The attempt as a span.
fn record(order: &Epoch, report: &Report, place: Place, given: Option<Place>, began: Timestamp) {
    if !trace::wanted() {
        return;
    }
    let parent = given.unwrap_or_else(|| Place::attempt(order.trial, order.epoch, order.step, order.attempt));
    let error = match &report.state {
        ReportState::Failed(failure) => Some(format!("{}: {}", failure.kind, failure.reason)),
        _ => None,
    };
    trace::record(Span {
        // whoever wrote the order may have a trace of their own
        context: Place { trace: parent.trace, ..place },
        parent: Some(parent),
        name: format!("{} {}", order.stage, order.action.as_str()),
        role: Role::Consumer,
        began,
        ended: report.at,
        error,
        attributes: vec![
            ("autoopt.experiment", order.experiment.clone()),
            ("autoopt.trial", order.trial.to_string()),
            ("autoopt.epoch", order.epoch.to_string()),
            ("autoopt.cluster", order.cluster.clone()),
            ("autoopt.stage", order.stage.to_string()),
            ("autoopt.attempt", order.attempt.to_string()),
            ("autoopt.worker", report.worker.clone()),
        ],
    });
}

/// Sends heartbeats until the work ends.
async fn beat(
    worker: &Worker,
    order: &Epoch,
    place: Place,
    notes: &watch::Receiver<String>,
    work: &mut JoinHandle<Result<Done, Failure>>,
) -> Result<Result<Done, Failure>, JoinError> {
    let pause = (order.lease.0 / 3).max(Duration::from_millis(10));
    let heartbeats = async {
        loop {
            tokio::time::sleep(pause).await;
            let note = Some(notes.borrow().clone()).filter(|note| !note.is_empty());
            let report = worker.report(order, ReportState::Heartbeat { note });
            // one that is late is worth less than the next one
            match tokio::time::timeout(pause, worker.send_once(&report, Some(place))).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "a heartbeat was not sent"),
                Err(_) => tracing::warn!("a heartbeat was not confirmed in time"),
            }
        }
    };
    // for whoever follows the log: servers as they come up, a stack's events
    let mut told = notes.clone();
    let log = async {
        let mut last = String::new();
        while told.changed().await.is_ok() {
            let note = told.borrow_and_update().clone();
            // a backend that waits says the same at each look
            if note != last {
                tracing::info!("{note}");
                last = note;
            }
        }
        std::future::pending().await
    };
    tokio::select! {
        biased;
        result = work => result,
        () = heartbeats => unreachable!("heartbeats go on until the work ends"),
        () = log => unreachable!("it waits for ever once nothing more is told"),
    }
}

/// The work itself, in a task of its own so that a panic ends nothing else.
async fn work(
    worker: Arc<Worker>,
    order: Arc<Epoch>,
    running: Running,
    earlier: Option<Running>,
    note: watch::Sender<String>,
) -> Result<Done, Failure> {
    if let Some(earlier) = earlier {
        earlier.stop(Cause::Superseded);
        earlier.ended.cancelled().await;
    }
    if running.cancelled.is_cancelled() {
        return Err(Failure::new(FailureKind::Abandoned, "ended before it began"));
    }
    worker
        .journal
        .begun(Attempt::of(&order))
        .map_err(|error| Failure::new(FailureKind::Broken, error.to_string()))?;
    let backend: Arc<dyn Backend> = worker.backend(&order.backend.backend)?;
    backend.check(&order)?;
    let context = Context {
        cancelled: running.cancelled.clone(),
        state_dir: worker.state_dir().to_owned(),
        note,
        on_start: write_down(worker.clone(), Attempt::of(&order)),
    };
    let mut performed = std::pin::pin!(backend.perform(&order, &context));
    tokio::select! {
        result = &mut performed => result,
        () = tokio::time::sleep(order.timeout.0) => {
            running.stop(Cause::TookTooLong);
            performed.await
        }
    }
}

/// A program that nobody knows of could not be ended after a restart, so it must not run.
fn write_down(worker: Arc<Worker>, attempt: Attempt) -> OnStart {
    OnStart::new(move |program| {
        let written = worker.journal.started(attempt, program);
        written.map_err(|error| Failure::new(FailureKind::Broken, error.to_string()))
    })
}

/// The report about what came of it.
fn conclude(
    worker: &Worker,
    order: &Epoch,
    running: &Running,
    started: Timestamp,
    result: Result<Result<Done, Failure>, JoinError>,
) -> Report {
    let result = result.unwrap_or_else(|error| Err(Failure::new(FailureKind::Transient, panic_text(error))));
    let state = match (running.cause.get(), result) {
        (None, Err(failure)) => ReportState::Failed(failure),
        // what was done in spite of the shutdown is done
        (None | Some(Cause::Shutdown), Ok(mut done)) => {
            if done.started == Timestamp::default() {
                done.started = started;
            }
            ReportState::Done(done)
        }
        (Some(cause), result) => {
            let (kind, reason) = match cause {
                Cause::Cancelled(reason) => (FailureKind::Abandoned, format!("cancelled: {reason}")),
                Cause::Superseded => (FailureKind::Abandoned, "a newer attempt took its place".to_owned()),
                Cause::TookTooLong => {
                    (FailureKind::Transient, format!("took longer than {} and was ended", order.timeout))
                }
                Cause::Shutdown => (FailureKind::Transient, "the worker was stopped".to_owned()),
            };
            let mut failure = Failure::new(kind, reason);
            failure.artifacts = match result {
                Ok(done) => done.artifacts,
                Err(earlier) => earlier.artifacts,
            };
            ReportState::Failed(failure)
        }
    };
    let report = worker.report(order, state);
    match unusable(&report) {
        None => report,
        Some(failure) => worker.report(order, ReportState::Failed(failure)),
    }
}

/// Why the coordinator could not read `report`: an error here is better than its silence.
fn unusable(report: &Report) -> Option<Failure> {
    if let Err(reason) = report.check() {
        return Some(Failure::new(FailureKind::Broken, format!("the backend's answer is wrong: {reason}")));
    }
    if let ReportState::Done(Done { measurement: Some(measurement), .. }) = &report.state {
        let numbers = measurement.metrics.iter().map(|(name, value)| (name.as_str(), *value));
        let odd = numbers.chain([("objective", measurement.objective)]).find(|(_, value)| !value.is_finite());
        if let Some((name, value)) = odd {
            return Some(Failure::new(
                FailureKind::Invalid,
                format!("`{name}` is {value}, not a finite number"),
            ));
        }
    }
    let bytes = serde_json::to_vec(report).map_or(usize::MAX, |body| body.len());
    (bytes > MAX_BODY).then(|| {
        let reason =
            format!("the report has {bytes} bytes with its raw output; at most {MAX_BODY} can be sent");
        Failure::new(FailureKind::Broken, reason)
    })
}

fn panic_text(error: JoinError) -> String {
    let Ok(payload) = error.try_into_panic() else { return "the work was given up".into() };
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    format!("the backend panicked: {}", text.as_deref().unwrap_or("without a message"))
}
