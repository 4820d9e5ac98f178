//! How things stand, for Prometheus: what the store holds of everything that is open, and who was heard of.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use autoopt_epoch::time::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::Api;
use super::error::ApiError;
use crate::engine::{Handle, Heard};
use crate::machine::{Breaker, Epoch, Experiment, Progress};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfExperiment {
    experiment: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCluster {
    cluster: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stepping {
    experiment: String,
    cluster: String,
    stage: &'static str,
    /// `waiting` for a worker to take it, `running`, or `backing_off`.
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Leased {
    cluster: String,
    stage: &'static str,
    worker: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfWorker {
    worker: String,
    stage: &'static str,
}

type Number = Gauge<f64, AtomicU64>;
type By<L> = Family<L, Number>;

/// A worker that was not heard of for so long was, as a rule, started again under another number.
const LATELY: Duration = Duration::from_secs(24 * 3600);

/// One scrape's gauges.
#[derive(Default)]
struct Gauges {
    accepted: By<OfExperiment>,
    budget: By<OfExperiment>,
    best: By<OfExperiment>,
    recommended: By<OfExperiment>,
    low: By<OfExperiment>,
    high: By<OfExperiment>,
    gain_left: By<OfExperiment>,
    steps: By<Stepping>,
    leases: By<Leased>,
    paused: By<OfCluster>,
    leaks: By<OfCluster>,
    silent: By<OfWorker>,
    ended_steps: Family<OfWorker, Counter>,
    outbox: Number,
}

/// In the OpenMetrics text format, with its end mark.
pub(super) async fn render(api: &Api) -> Result<String, ApiError> {
    let (gauges, now) = (Gauges::default(), Timestamp::now());
    for experiment in api.store.experiments().await?.iter().filter(|e| e.ended.is_none()) {
        gauges.experiment(experiment);
        for epoch in api.store.open_epochs(experiment.id).await? {
            gauges.step(experiment, &epoch, now);
        }
    }
    for cluster in api.store.clusters().await? {
        let label = OfCluster { cluster: cluster.name };
        let paused = !matches!(cluster.breaker, Breaker::Closed { .. });
        gauges.paused.get_or_create(&label).set(f64::from(u8::from(paused)));
        let leaks = cluster.leaked.map_or(0, |leaked| leaked.leaks.len());
        gauges.leaks.get_or_create(&label).set(leaks as f64);
    }
    if let Some(engine) = api.engine.get() {
        gauges.engine(engine, now);
    }
    let mut text = String::new();
    // writing to a string does not fail
    let _ = prometheus_client::encoding::text::encode(&mut text, &gauges.registered());
    Ok(text)
}

/// From `earlier` to `later`, in seconds; below 0 if it is the other way round.
fn seconds(earlier: Timestamp, later: Timestamp) -> f64 {
    (later.as_millis() - earlier.as_millis()) as f64 / 1000.0
}

impl Gauges {
    fn experiment(&self, experiment: &Experiment) {
        let label = OfExperiment { experiment: experiment.spec.name.clone() };
        let set = |family: &By<OfExperiment>, value: f64| {
            family.get_or_create(&label).set(value);
        };
        set(&self.accepted, f64::from(experiment.accepted));
        set(&self.budget, f64::from(experiment.spec.budget.trials));
        if let Some(best) = &experiment.best {
            set(&self.best, best.objective);
        }
        if let Some(outlook) = &experiment.outlook {
            set(&self.recommended, outlook.recommended.objective);
            set(&self.low, outlook.recommended.low);
            set(&self.high, outlook.recommended.high);
            if let Some(left) = outlook.gain_left {
                set(&self.gain_left, left);
            }
        }
    }

    fn step(&self, experiment: &Experiment, epoch: &Epoch, now: Timestamp) {
        let Some(step) = epoch.plan.get(epoch.at as usize) else { return };
        let stage = step.stage.as_str();
        let (state, since) = match &epoch.progress {
            Progress::Handed { since } => ("waiting", *since),
            Progress::Leased { since, worker, lease_until, .. } => {
                let lease = experiment.spec.stage(step.stage).lease.0.as_secs_f64();
                let label = Leased { cluster: epoch.cluster.clone(), stage, worker: worker.clone() };
                let age = lease - seconds(now, *lease_until);
                self.leases.get_or_create(&label).set(age);
                ("running", *since)
            }
            Progress::BackingOff { until } => ("backing_off", *until),
            Progress::Ended { .. } => return,
        };
        let label = Stepping {
            experiment: experiment.spec.name.clone(),
            cluster: epoch.cluster.clone(),
            stage,
            state,
        };
        self.steps.get_or_create(&label).set(seconds(since, now));
    }

    fn engine(&self, engine: &Handle, now: Timestamp) {
        self.outbox.set(engine.health().relay_backlog as f64);
        let lately = |heard: &Heard| now.since(heard.heard) < LATELY;
        for (worker, heard) in engine.workers().into_iter().filter(|(_, heard)| lately(heard)) {
            let label = OfWorker { worker, stage: heard.stage.as_str() };
            self.silent.get_or_create(&label).set(seconds(heard.heard, now));
            self.ended_steps.get_or_create(&label).inc_by(heard.ended_steps);
        }
    }

    fn registered(self) -> Registry {
        let mut r = Registry::with_prefix("autoopt");
        r.register("experiment_trials", "Trials accepted so far, by open experiment", self.accepted);
        r.register("experiment_budget_trials", "Trials of its budget", self.budget);
        r.register("experiment_best", "The best measured objective", self.best);
        r.register("experiment_recommended", "The objective of what the model recommends", self.recommended);
        let help = "The lower end of the model's 90 % interval of that";
        r.register("experiment_recommended_low", help, self.low);
        r.register("experiment_recommended_high", "The upper end", self.high);
        let help = "What the model expects a search that misses nothing to gain yet, as a part of the recommendation's value";
        r.register("experiment_gain_left_ratio", help, self.gain_left);
        let help = "How long the step of each open epoch has been waiting for a worker, running, or backing off (below 0: still to wait)";
        r.register_with_unit("step_age", help, Unit::Seconds, self.steps);
        let help = "How long ago the worker that runs a step was last heard of; at the length of its lease another attempt begins";
        r.register_with_unit("lease_age", help, Unit::Seconds, self.leases);
        let help = "Whether a cluster's circuit breaker keeps epochs away";
        r.register("cluster_paused", help, self.paused);
        r.register("cluster_leaks", "What an epoch left behind on a cluster", self.leaks);
        r.register_with_unit("worker_silent", "Since a worker was last heard of", Unit::Seconds, self.silent);
        let help = "Steps that a worker has ended since this coordinator began to lead";
        r.register("worker_steps_ended", help, self.ended_steps);
        r.register("outbox_messages", "Messages that wait to be published", self.outbox);
        r
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::metrics::Metrics;

    /// With one of each.
    fn filled() -> Registry {
        let g = Gauges::default();
        let named = || "x".to_owned();
        for family in [&g.accepted, &g.budget, &g.best, &g.recommended, &g.low, &g.high, &g.gain_left] {
            family.get_or_create(&OfExperiment { experiment: named() }).set(1.0);
        }
        for family in [&g.paused, &g.leaks] {
            family.get_or_create(&OfCluster { cluster: named() }).set(1.0);
        }
        let step = Stepping { experiment: named(), cluster: named(), stage: "bench", state: "waiting" };
        g.steps.get_or_create(&step).set(1.0);
        g.leases.get_or_create(&Leased { cluster: named(), stage: "bench", worker: named() }).set(1.0);
        let worker = OfWorker { worker: named(), stage: "bench" };
        g.silent.get_or_create(&worker).set(1.0);
        g.ended_steps.get_or_create(&worker).inc();
        g.registered()
    }

    #[test]
    fn the_dashboard_for_grafana_shows_what_there_is() {
        let mut text = Metrics::filled().render();
        prometheus_client::encoding::text::encode(&mut text, &filled()).unwrap();
        let samples: BTreeSet<&str> = text.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/grafana/autoopt.json");
        let dashboard = std::fs::read_to_string(path).unwrap();
        let shown: BTreeSet<&str> = dashboard
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .filter(|word| word.starts_with("autoopt_"))
            .collect();
        assert!(shown.len() > 15, "{shown:?}");
        let unknown: Vec<_> = shown.difference(&samples).collect();
        assert!(unknown.is_empty(), "{unknown:?} of\n{text}");
    }
}
