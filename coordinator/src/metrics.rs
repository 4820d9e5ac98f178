//! Counts of what happened since the start, for Prometheus.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use autoopt_epoch::message::{Event, EventKind};
use autoopt_epoch::time::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::machine::{Attempt, Breaker, Ending, Record, TrialState, World};
use crate::store::Batch;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tried {
    stage: &'static str,
    action: &'static str,
    /// `done`, `superseded`, or the kind of failure.
    ending: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    stage: &'static str,
}

/// What the coordinator counts.
pub struct Metrics {
    registry: Registry,
    events: Family<Kind, Counter>,
    trials: Family<Ended, Counter>,
    attempts: Family<Tried, Counter>,
    durations: Family<Of, Histogram, fn() -> Histogram>,
    answers: Histogram,
    /// When open questions to the optimizer were asked.
    asked: Mutex<HashMap<String, Timestamp>>,
    experiments: Gauge,
    epochs: Gauge,
    paused: Gauge,
    seen: Gauge<f64, AtomicU64>,
}

/// Questions that are remembered at most.
const MOST_ASKED: usize = 10_000;

/// 10 ms to 23 h, by a factor of 3: stages last from an API call to a night.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.01, 3.0, 15))
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("autoopt"),
            events: Family::default(),
            trials: Family::default(),
            attempts: Family::default(),
            durations: Family::new_with_constructor(durations),
            answers: Histogram::new(exponential_buckets(0.001, 3.0, 12)),
            asked: Mutex::default(),
            experiments: Gauge::default(),
            epochs: Gauge::default(),
            paused: Gauge::default(),
            seen: Gauge::default(),
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let r = &mut self.registry;
        r.register("events", "Events of the log, by kind", self.events.clone());
        r.register("trials_ended", "Trials that have ended, by outcome", self.trials.clone());
        r.register("attempts", "Attempts of a stage, by what became of them", self.attempts.clone());
        let help =
            "How long successful attempts of a stage took, by the worker's clock and the coordinator's";
        r.register_with_unit("stage_duration", help, Unit::Seconds, self.durations.clone());
        let help = "From a question to the optimizer to its accepted answer";
        r.register_with_unit("answer_duration", help, Unit::Seconds, self.answers.clone());
        r.register("experiments_open", "Experiments that have not ended", self.experiments.clone());
        r.register("epochs_open", "Epochs that run", self.epochs.clone());
        r.register("clusters_paused", "Clusters that get no epoch because they failed", self.paused.clone());
        let help = "When a transaction was last committed, since 1970";
        r.register_with_unit("last_commit", help, Unit::Seconds, self.seen.clone());
        self
    }

    /// With one of each.
    #[cfg(test)]
    pub(crate) fn filled() -> Self {
        let metrics = Self::default();
        metrics.events.get_or_create(&Kind { kind: "x" }).inc();
        metrics.trials.get_or_create(&Ended { outcome: "x" }).inc();
        metrics.attempts.get_or_create(&Tried { stage: "bench", action: "run", ending: "done" }).inc();
        metrics.durations.get_or_create(&Of { stage: "bench" }).observe(1.0);
        metrics
    }

    /// Counts what has been committed.
    pub(crate) fn count(&self, batch: &Batch) {
        for event in &batch.events {
            self.events.get_or_create(&Kind { kind: event.kind.as_str() }).inc();
            self.answer(event);
        }
        for record in &batch.records {
            match record {
                Record::Attempt(attempt) => self.attempt(attempt),
                Record::Trial(trial) => {
                    if let TrialState::Ended { outcome, .. } = &trial.state {
                        self.trials.get_or_create(&Ended { outcome: outcome.as_str() }).inc();
                    }
                }
                Record::Experiment(_) | Record::Site { .. } | Record::Epoch(_) | Record::Cluster(_) => {}
            }
        }
    }

    fn answer(&self, event: &Event) {
        let Some(ask) = event.detail["ask"].as_str() else { return };
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        match event.kind {
            EventKind::OptimizerAsked => {
                // each experiment has one open question, so that those beyond are of experiments that ended
                if asked.len() >= MOST_ASKED {
                    asked.clear();
                }
                asked.insert(ask.to_owned(), event.at);
            }
            EventKind::TrialAccepted => {
                if let Some(since) = asked.remove(ask) {
                    self.answers.observe(event.at.since(since).as_secs_f64());
                }
            }
            _ => {}
        }
    }

    fn attempt(&self, attempt: &Attempt) {
        let ending = match &attempt.ending {
            Ending::Done => "done",
            Ending::Failed { kind, .. } => kind.as_str(),
            Ending::Superseded { .. } => "superseded",
        };
        let stage = attempt.stage.as_str();
        self.attempts.get_or_create(&Tried { stage, action: attempt.action.as_str(), ending }).inc();
        if let (Ending::Done, Some(started)) = (&attempt.ending, attempt.started) {
            self.durations.get_or_create(&Of { stage }).observe(attempt.ended.since(started).as_secs_f64());
        }
    }

    /// Takes in how things stand after a transaction.
    pub(crate) fn look(&self, world: &World, at: Timestamp) {
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.experiments.set(number(world.experiments.len()));
        self.epochs.set(number(world.experiments.values().map(|e| e.epochs.len()).sum()));
        let paused = world.clusters.values().filter(|c| matches!(c.breaker, Breaker::Open { .. }));
        self.paused.set(number(paused.count()));
        self.seen.set(at.as_millis() as f64 / 1000.0);
    }

    /// In the OpenMetrics text format.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // writing to a string does not fail
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
