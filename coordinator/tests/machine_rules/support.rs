//! A world with its store and its clock, and specifications for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use autoopt_coordinator::machine::invariants::{check, ended_well};
use autoopt_coordinator::machine::{
    Attempt, Cluster, Effect, Epoch, Experiment, Input, Progress, Record, Stored,
};
use autoopt_coordinator::machine::{Phase, Site, Trial, TrialState, World};
use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::failure::{Failure, FailureKind, Outcome};
use autoopt_epoch::id::{EpochId, ExperimentId, MessageId, TrialId};
use autoopt_epoch::message::{
    self, Action, Done, EventKind, Measurement, Report, ReportState, Stage, TrialKind, Violation,
};
use autoopt_epoch::space::Value;
use autoopt_epoch::time::Timestamp;
use serde_json::json;
use uuid::Uuid;

pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A specification with one parameter `x` from 0 to 100; `more` is laid over it.
pub(crate) fn spec(name: &str, clusters: &[&str], more: serde_json::Value) -> Arc<ExperimentSpec> {
    let noop = json!({"backend": "noop"});
    let mut spec = json!({
        "name": name, "clusters": clusters, "budget": {"trials": 2}, "algorithm": {"name": "manual"},
        "parameters": [{"name": "x", "type": "int", "low": 0, "high": 100, "default": 10}],
        "apply": noop, "load": noop, "bench": noop, "collect": noop,
        "metrics": [{"name": "m", "parser": "json", "field": "/m"}], "objective": {"maximize": "m"},
    });
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        spec[key] = value;
    }
    Arc::new(serde_json::from_value(spec).unwrap())
}

pub(crate) fn experiment_id(n: u128) -> ExperimentId {
    ExperimentId(Uuid::from_u128(n))
}

/// What was written down so far. Taking effects in checks the rules that show only over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Store {
    pub(crate) experiments: BTreeMap<ExperimentId, Experiment>,
    sites: BTreeMap<(ExperimentId, String), Site>,
    pub(crate) trials: BTreeMap<TrialId, Trial>,
    pub(crate) epochs: BTreeMap<EpochId, Epoch>,
    pub(crate) clusters: BTreeMap<String, Cluster>,
    pub(crate) attempts: BTreeMap<(EpochId, u32, u32), Attempt>,
    /// In the order in which they ended.
    finished: Vec<(EpochId, u32, u32)>,
    /// In the order in which they ended.
    ended: Vec<TrialId>,
    ended_events: BTreeSet<TrialId>,
}

impl Store {
    pub(crate) fn take(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Save(record) => self.save(record),
                Effect::Log(event) if event.kind == EventKind::TrialEnded => {
                    let trial = event.trial.unwrap();
                    assert!(self.ended_events.insert(trial), "M1: two ends of {trial}");
                    assert!(matches!(self.trials[&trial].state, TrialState::Ended { .. }), "M1: {event:?}");
                }
                _ => {}
            }
        }
    }

    fn save(&mut self, record: &Record) {
        match record {
            Record::Experiment(new) => {
                let old = self.experiments.insert(new.id, new.clone());
                assert!(old.is_none_or(|o| o.phase != Phase::Ended), "M5: {} changes after its end", new.id);
            }
            Record::Site { experiment, cluster, site } => {
                self.sites.insert((*experiment, cluster.clone()), site.clone());
            }
            Record::Cluster(new) => {
                self.clusters.insert(new.name.clone(), new.clone());
            }
            Record::Trial(new) => {
                let old = self.trials.insert(new.id, new.clone());
                let ended = |t: &Trial| matches!(t.state, TrialState::Ended { .. });
                assert!(!old.as_ref().is_some_and(ended), "M1: {} changes after its end", new.id);
                if ended(new) {
                    self.ended.push(new.id);
                }
            }
            Record::Epoch(new) => {
                if let Some(old) = self.epochs.insert(new.id, new.clone()) {
                    assert!(
                        !matches!(old.progress, Progress::Ended { .. }),
                        "M3: {} changes after its end",
                        new.id
                    );
                    assert!((old.at, old.attempt) <= (new.at, new.attempt), "M3: {old:?} then {new:?}");
                }
            }
            Record::Attempt(new) => {
                let key = (new.epoch, new.step, new.attempt);
                let old = self.attempts.insert(key, new.clone());
                self.finished.push(key);
                assert!(old.is_none(), "M3: two ends of attempt {key:?}: {old:?} then {new:?}");
            }
        }
    }

    pub(crate) fn check_ends(&self) {
        for ended in self.experiments.values().filter(|e| e.phase == Phase::Ended) {
            let trials = self
                .trials
                .values()
                .filter(|t| t.experiment == ended.id && !matches!(t.state, TrialState::Ended { .. }));
            let epochs = self
                .epochs
                .values()
                .filter(|e| e.experiment == ended.id && !matches!(e.progress, Progress::Ended { .. }));
            ended_well(ended, trials.count(), epochs.count()).unwrap();
        }
    }

    /// The last step done that changed a cluster's values, if any did.
    pub(crate) fn last_apply(&self, cluster: &str) -> Option<Action> {
        let here = |key: &&(EpochId, u32, u32)| self.epochs[&key.0].cluster == cluster;
        let done = self.finished.iter().filter(here).map(|key| &self.attempts[key]);
        let mut changes = done.filter(|a| a.stage == Stage::Apply && a.action != Action::Capture);
        changes.next_back().map(|a| a.action)
    }

    /// As the store would give it back after a crash.
    pub(crate) fn stored(&self) -> Stored {
        let open = |id: &ExperimentId| self.experiments[id].phase != Phase::Ended;
        let ended = || self.ended.iter().map(|id| &self.trials[id]).filter(|t| open(&t.experiment));
        Stored {
            experiments: self.experiments.values().filter(|e| e.phase != Phase::Ended).cloned().collect(),
            sites: self.sites.iter().map(|((e, c), site)| (*e, c.clone(), site.clone())).collect(),
            trials: self
                .trials
                .values()
                .filter(|t| !matches!(t.state, TrialState::Ended { .. }))
                .cloned()
                .collect(),
            epochs: self
                .epochs
                .values()
                .filter(|e| !matches!(e.progress, Progress::Ended { .. }))
                .cloned()
                .collect(),
            results: ended()
                .filter_map(|t| match &t.state {
                    TrialState::Ended { observation, .. } => Some((t.experiment, *observation.clone()?)),
                    _ => None,
                })
                .collect(),
            ended: ended().map(|t| (t.experiment, t.id, t.parameters.clone())).collect(),
            clusters: self.clusters.values().cloned().collect(),
        }
    }
}

/// A world and what it left behind.
#[derive(Clone)]
pub(crate) struct Lab {
    pub(crate) world: World,
    pub(crate) store: Store,
    pub(crate) now: Timestamp,
    pub(crate) log: Vec<message::Event>,
    /// Handed out and not yet looked at by a test.
    pub(crate) orders: Vec<message::Epoch>,
    pub(crate) cancels: Vec<message::Cancel>,
    pub(crate) asks: Vec<message::Ask>,
    messages: u128,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self {
            world: World::default(),
            store: Store::default(),
            now: START,
            log: Vec::new(),
            orders: Vec::new(),
            cancels: Vec::new(),
            asks: Vec::new(),
            messages: 0,
        }
    }

    pub(crate) fn with(spec: &Arc<ExperimentSpec>) -> Self {
        let mut lab = Self::new();
        lab.give(Input::Submit { id: experiment_id(1), spec: Arc::clone(spec) });
        lab
    }

    /// Takes an input in, checks every rule, and returns the reason if it was refused.
    pub(crate) fn give(&mut self, input: Input) -> Option<String> {
        let report = if let Input::Report(report) = &input { Some(report.clone()) } else { None };
        let effects = self.world.step(self.now, input);
        // the engine relies on it: the inbox need not be asked about a report that is awaited
        assert!(report.is_none_or(|r| !self.world.awaits(&r)), "a report that was taken in is awaited again");
        self.store.take(&effects);
        // in other builds the machine does so itself
        if !cfg!(debug_assertions) {
            check(&self.world).unwrap();
        }
        let mut refused = None;
        for effect in effects {
            match effect {
                Effect::Log(event) => self.log.push(event),
                Effect::Hand(order) => {
                    let leaked = self.world.clusters[&order.cluster].leaked.is_some();
                    let measures = order.stage == Stage::Bench && order.action == Action::Run;
                    assert!(!(measures && leaked), "measured where something was left behind: {order:?}");
                    self.orders.push(*order);
                }
                Effect::Cancel(cancel) => self.cancels.push(cancel),
                Effect::Ask(ask) => self.asks.push(*ask),
                Effect::Reject(reason) => refused = Some(reason),
                Effect::Save(_) => {}
            }
        }
        refused
    }

    pub(crate) fn crash(&mut self) {
        self.world = World::restore(self.store.stored(), self.now);
        check(&self.world).unwrap();
    }

    /// A crash, and nobody is there for so long; or nothing can be heard for so long.
    pub(crate) fn away(&mut self, seconds: u64, deaf: bool) {
        self.now = self.now.after(Duration::from_secs(seconds));
        if deaf {
            self.world.heard_nothing(self.now);
        } else {
            self.crash();
        }
        if self.world.next_deadline().is_some_and(|due| due <= self.now) {
            self.give(Input::Tick);
        }
    }

    pub(crate) fn later(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.give(Input::Tick);
    }

    /// To the next instant at which something is due.
    pub(crate) fn next(&mut self) -> bool {
        let Some(due) = self.world.next_deadline() else { return false };
        self.now = self.now.max(due);
        self.give(Input::Tick);
        true
    }

    pub(crate) fn trial(&mut self, experiment: &str, x: i64) -> Option<String> {
        self.send(message::Trial {
            experiment: experiment.into(),
            parameters: [("x".to_owned(), Value::Int(x))].into(),
            trial: None,
            ask: None,
            cluster: None,
            note: None,
            outlook: None,
            compromise: None,
        })
    }

    pub(crate) fn send(&mut self, trial: message::Trial) -> Option<String> {
        self.messages += 1;
        self.give(Input::Trial { message: MessageId(Uuid::from_u128(1_000_000 + self.messages)), trial })
    }

    /// Answers the latest ask with this value of `x`, and returns the ask.
    pub(crate) fn answer(&mut self, x: i64) -> message::Ask {
        let ask = self.asks.pop().unwrap();
        let trial = message::Trial {
            experiment: ask.experiment.clone(),
            parameters: [("x".to_owned(), Value::Int(x))].into(),
            trial: None,
            ask: Some(ask.ask),
            cluster: None,
            note: None,
            outlook: None,
            compromise: None,
        };
        assert_eq!(self.send(trial), None);
        ask
    }

    /// The one order that is out.
    pub(crate) fn order(&mut self) -> message::Epoch {
        assert_eq!(self.orders.len(), 1, "{:#?}", self.orders);
        self.orders.remove(0)
    }

    pub(crate) fn report(&mut self, order: &message::Epoch, state: ReportState) {
        self.give(Input::Report(report(order, self.now, "w/1", state)));
    }

    /// Does orders as they come, measuring `x` itself, until none is left.
    pub(crate) fn work(&mut self) {
        while !self.orders.is_empty() {
            let order = self.orders.remove(0);
            self.report(&order, done(&order, self.now));
        }
    }

    /// Works until the order is `stage`'s; it is not done.
    pub(crate) fn work_until(&mut self, stage: Stage) -> message::Epoch {
        loop {
            let order = self.order();
            if order.stage == stage {
                return order;
            }
            self.report(&order, done(&order, self.now));
        }
    }

    pub(crate) fn fail(&mut self, order: &message::Epoch, kind: FailureKind) {
        self.report(order, ReportState::Failed(Failure::new(kind, "it did not work")));
    }

    pub(crate) fn experiment(&self) -> &Experiment {
        &self.store.experiments[&experiment_id(1)]
    }

    /// Outcomes of ended trials of these kinds, by number.
    pub(crate) fn outcomes(&self, kind: TrialKind) -> Vec<Outcome> {
        let mut ended: Vec<_> = self.store.trials.values().filter(|t| t.kind == kind).collect();
        ended.sort_by_key(|t| t.number);
        ended
            .iter()
            .filter_map(|t| match t.state {
                TrialState::Ended { outcome, .. } => Some(outcome),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn events(&self, kind: EventKind) -> Vec<&message::Event> {
        self.log.iter().filter(|e| e.kind == kind).collect()
    }

    /// What was done, in order.
    pub(crate) fn actions(&self) -> Vec<String> {
        let attempts = self.store.finished.iter().map(|key| &self.store.attempts[key]);
        attempts.map(|a| format!("{}:{}", a.stage, a.action.as_str())).collect()
    }
}

pub(crate) fn report(order: &message::Epoch, at: Timestamp, worker: &str, state: ReportState) -> Report {
    Report {
        epoch: order.epoch,
        cluster: order.cluster.clone(),
        step: order.step,
        stage: order.stage,
        action: order.action,
        attempt: order.attempt,
        worker: worker.into(),
        at,
        state,
    }
}

/// A step done at once: capture finds 7, collect measures the value of `x`.
pub(crate) fn done(order: &message::Epoch, at: Timestamp) -> ReportState {
    measured(order, at, &[])
}

pub(crate) fn measured(order: &message::Epoch, at: Timestamp, violations: &[Violation]) -> ReportState {
    let x = order.parameters.get("x").and_then(Value::as_f64).unwrap_or_default();
    ReportState::Done(Done {
        started: at,
        captured: (order.action == Action::Capture).then(|| [("x".to_owned(), Value::Int(7))].into()),
        measurement: (order.stage == Stage::Collect && order.action == Action::Run).then(|| Measurement {
            metrics: [("m".to_owned(), x)].into(),
            objective: x,
            others: Vec::new(),
            violations: violations.to_vec(),
        }),
        ..Done::default()
    })
}
