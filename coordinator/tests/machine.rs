//! The state machine against a world that duplicates, reorders, delays and fails, with a coordinator that crashes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use autoopt_coordinator::machine::{
    Control, Effect, Experiment, Input, Phase, Record, Stored, TrialState, World,
};
use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::failure::{Failure, FailureKind, Outcome};
use autoopt_epoch::id::{EpochId, ExperimentId, MessageId, TrialId};
use autoopt_epoch::message::{
    Action, Ask, Done, Epoch, EventKind, Measurement, Observation, Report, ReportState, Stage, Trial,
    TrialKind,
};
use autoopt_epoch::space::Value;
use autoopt_epoch::time::Timestamp;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

/// A small deterministic generator (splitmix64, Steele et al. 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn percent(&mut self, p: u64) -> bool {
        self.next() % 100 < p
    }
}

enum Flying {
    Order(Box<Epoch>),
    Ask(Box<Ask>),
    Report(Box<Report>),
}

/// The store, the bus and the workers, as far as the machine can tell.
struct Sim {
    world: World,
    now: Timestamp,
    chance: Chance,
    flying: Vec<Flying>,
    rows: BTreeMap<String, Record>,
    ended: BTreeMap<TrialId, u32>,
    results: Vec<(ExperimentId, Observation)>,
    /// Whether an experiment's values are in force, by cluster.
    changed: BTreeMap<String, bool>,
    fences: BTreeMap<EpochId, (u32, u32)>,
    failing: u64,
}

fn spec(clusters: &[&str], trials: u32, algorithm: &str) -> Arc<ExperimentSpec> {
    let stage = json!({"backend": "noop", "lease": "5s", "timeout": "20s"});
    let spec = json!({
        "name": format!("e-{algorithm}"), "clusters": clusters, "budget": {"trials": trials},
        "algorithm": {"name": algorithm},
        "parameters": [{"name": "x", "type": "float", "low": 0.0, "high": 1.0, "default": 0.5}],
        "apply": stage, "load": stage, "bench": stage, "collect": stage,
        "metrics": [{"name": "y", "parser": "key-value", "field": "y"}], "objective": {"maximize": "y"},
        "retry": {"transient": {"attempts": 4}, "breaker_pause": "10s"},
    });
    Arc::new(serde_json::from_value(spec).expect("a valid experiment"))
}

fn key(record: &Record) -> String {
    match record {
        Record::Experiment(e) => format!("experiment {}", e.id),
        Record::Trial(t) => format!("trial {}", t.id),
        Record::Epoch(e) => format!("epoch {}", e.id),
        Record::Attempt(a) => format!("attempt {} {} {}", a.epoch, a.step, a.attempt),
        Record::Cluster(c) => format!("cluster {}", c.name),
    }
}

impl Sim {
    fn new(seed: u64, failing: u64) -> Self {
        Self {
            world: World::default(),
            now: Timestamp::from_millis(1_000_000),
            chance: Chance(seed),
            flying: Vec::new(),
            rows: BTreeMap::new(),
            ended: BTreeMap::new(),
            results: Vec::new(),
            changed: BTreeMap::new(),
            fences: BTreeMap::new(),
            failing,
        }
    }

    fn submit(&mut self, n: u128, spec: Arc<ExperimentSpec>) -> (ExperimentId, Vec<Effect>) {
        let id = ExperimentId(Uuid::from_u128(n));
        (id, self.input(Input::Submit { id, spec }))
    }

    fn input(&mut self, input: Input) -> Vec<Effect> {
        let effects = self.world.step(self.now, input);
        for effect in &effects {
            match effect {
                Effect::Save(record) => {
                    if let Record::Trial(t) = record
                        && let TrialState::Ended { observation: Some(o), .. } = &t.state
                    {
                        self.results.push((t.experiment, (**o).clone()));
                    }
                    self.rows.insert(key(record), record.clone());
                }
                Effect::Log(event) if event.kind == EventKind::TrialEnded => {
                    *self.ended.entry(event.trial.expect("the event names its trial")).or_default() += 1;
                }
                Effect::Hand(order) => {
                    let fence = self.fences.entry(order.epoch).or_default();
                    assert!((order.step + 1, order.attempt) > *fence, "M3: the fencing token grows");
                    *fence = (order.step + 1, order.attempt);
                    self.flying.push(Flying::Order(order.clone()));
                }
                Effect::Ask(ask) => self.flying.push(Flying::Ask(ask.clone())),
                Effect::Log(_) | Effect::Cancel(_) | Effect::Reject(_) => {}
            }
        }
        let mut holders = BTreeMap::new();
        for experiment in self.world.experiments.values() {
            assert_ne!(experiment.phase, Phase::Ended, "M5: an ended experiment is not open");
            for epoch in experiment.epochs.values() {
                let other = holders.insert(epoch.cluster.clone(), epoch.id);
                assert!(other.is_none(), "M2: one epoch on a cluster");
            }
        }
        assert!(self.ended.values().all(|n| *n == 1), "M1: one outcome for each trial");
        effects
    }

    /// What the worker of `order` does, and says.
    fn work(&mut self, order: &Epoch) {
        let report = |at, state| {
            Flying::Report(Box::new(Report {
                epoch: order.epoch,
                cluster: order.cluster.clone(),
                step: order.step,
                stage: order.stage,
                action: order.action,
                attempt: order.attempt,
                worker: "w/1".into(),
                at,
                state,
            }))
        };
        if self.chance.percent(30) || self.chance.percent(self.failing) {
            self.flying.push(report(self.now, ReportState::Accepted));
            if self.chance.percent(self.failing) {
                return; // it dies: its lease will run out
            }
        }
        if order.stage == Stage::Apply && order.action != Action::Capture {
            self.changed.insert(order.cluster.clone(), order.action == Action::Run);
        }
        let state = if self.chance.percent(self.failing) {
            ReportState::Failed(Failure::new(FailureKind::ALL[self.chance.below(5)], "a fault"))
        } else {
            let collects = order.stage == Stage::Collect && order.action == Action::Run;
            let y = self.chance.below(1000) as f64;
            ReportState::Done(Done {
                captured: (order.action == Action::Capture).then(|| order.parameters.clone()),
                measurement: collects.then(|| Measurement {
                    metrics: BTreeMap::from([("y".into(), y)]),
                    objective: y,
                    violations: Vec::new(),
                }),
                ..Done::default()
            })
        };
        self.flying.push(report(self.now, state));
    }

    /// One thing happens: something in flight arrives (perhaps twice), the coordinator restarts, or time passes.
    fn happen(&mut self) {
        if self.chance.percent(2) {
            self.restart();
        }
        if self.flying.is_empty() || self.chance.percent(10) {
            self.now = self.now.after(Duration::from_millis(500));
            self.input(Input::Tick);
            return;
        }
        let arriving = self.chance.below(self.flying.len());
        let times = 1 + u32::from(self.chance.percent(10));
        match self.flying.swap_remove(arriving) {
            Flying::Order(order) => (0..times).for_each(|_| self.work(&order)),
            Flying::Ask(ask) => {
                let trial = Trial {
                    experiment: ask.experiment_id.to_string(),
                    parameters: BTreeMap::from([("x".into(), Value::Float(0.25))]),
                    trial: None,
                    ask: Some(ask.ask),
                    cluster: None,
                    note: None,
                };
                for _ in 0..times {
                    self.input(Input::Trial { message: MessageId::fresh(), trial: trial.clone() });
                }
            }
            Flying::Report(report) => {
                for _ in 0..times {
                    self.input(Input::Report((*report).clone()));
                }
            }
        }
    }

    /// The coordinator starts again from what was written down.
    fn restart(&mut self) {
        let mut stored = Stored { results: self.results.clone(), ..Stored::default() };
        for record in self.rows.values().cloned() {
            match record {
                Record::Experiment(e) if e.phase != Phase::Ended => stored.experiments.push(e),
                Record::Trial(t) if !matches!(t.state, TrialState::Ended { .. }) => stored.trials.push(t),
                Record::Epoch(e) if e.step().is_some() => stored.epochs.push(e),
                Record::Cluster(c) => stored.clusters.push(c),
                _ => {}
            }
        }
        let restored = World::restore(stored, self.now);
        let rows = |w: &World| w.experiments.values().map(Experiment::row).collect::<Vec<_>>();
        let trials = |w: &World| w.experiments.values().map(|e| e.trials.clone()).collect::<Vec<_>>();
        assert_eq!(rows(&restored), rows(&self.world), "every change of an experiment is written down");
        assert_eq!(trials(&restored), trials(&self.world), "every change of a trial is written down");
        assert_eq!(restored.clusters, self.world.clusters, "every change of a cluster is written down");
        self.world = restored;
    }

    fn run_to_the_end(&mut self) {
        for _ in 0..200_000 {
            if self.world.experiments.is_empty() {
                return;
            }
            self.happen();
        }
        panic!("stuck: {:#?}", self.world);
    }

    /// The outcomes of all trials of a kind; each has to have one.
    fn outcomes(&self, kind: TrialKind) -> Vec<Outcome> {
        let of_kind = |r: &Record| match r {
            Record::Trial(t) if t.kind == kind => match &t.state {
                TrialState::Ended { outcome, .. } => Some(*outcome),
                other => panic!("M5: open in the end: {other:?}"),
            },
            _ => None,
        };
        self.rows.values().filter_map(of_kind).collect()
    }
}

#[test]
fn a_quiet_experiment_measures_every_trial_and_restores_its_clusters() {
    let mut sim = Sim::new(7, 0);
    sim.submit(1, spec(&["a", "b"], 10, "gp"));
    sim.run_to_the_end();
    assert_eq!(sim.outcomes(TrialKind::Proposed), vec![Outcome::Measured; 10]);
    assert_eq!(sim.outcomes(TrialKind::Baseline), vec![Outcome::Measured; 2]);
    assert!(sim.changed.values().all(|changed| !changed), "restored: {:?}", sim.changed);
}

#[test]
fn a_name_in_use_is_refused_with_what_to_do() {
    let mut sim = Sim::new(1, 0);
    sim.submit(1, spec(&["a"], 1, "gp"));
    let (_, effects) = sim.submit(2, spec(&["a"], 1, "gp"));
    assert!(matches!(&effects[0], Effect::Reject(reason) if reason.contains("autoopt stop")), "{effects:?}");
}

#[test]
fn a_trial_outside_the_space_is_refused_and_costs_no_budget() {
    let mut sim = Sim::new(1, 0);
    let (id, _) = sim.submit(1, spec(&["a"], 1, "manual"));
    let trial = Trial {
        experiment: id.to_string(),
        parameters: BTreeMap::from([("x".into(), Value::Float(1.5))]),
        trial: None,
        ask: None,
        cluster: None,
        note: None,
    };
    let effects = sim.input(Input::Trial { message: MessageId::fresh(), trial });
    assert!(matches!(&effects[0], Effect::Reject(reason) if reason.contains('x')), "{effects:?}");
    assert_eq!(sim.world.experiments[&id].accepted, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_trial_ends_once_and_every_experiment_ends(seed in any::<u64>(), failing in 0_u64..25) {
        let mut sim = Sim::new(seed, failing);
        sim.submit(1, spec(&["a", "b"], 12, "gp"));
        sim.submit(2, spec(&["b", "c"], 5, "sobol"));
        for _ in 0..sim.chance.below(400) {
            sim.happen();
        }
        if sim.chance.percent(30) {
            let control = if sim.chance.percent(50) { Control::Stop } else { Control::Cancel };
            sim.input(Input::Control { experiment: ExperimentId(Uuid::from_u128(1)), control });
        }
        sim.run_to_the_end();
        for kind in [TrialKind::Baseline, TrialKind::Proposed, TrialKind::Closing] {
            sim.outcomes(kind);
        }
        prop_assert!(sim.world.clusters.values().all(|c| c.holder.is_none()), "a cluster is held for ever");
    }
}
