//! One of each record, and a database of one's own.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use autoopt_coordinator::machine::{
    Attempt, Breaker, Cluster, Ending, Epoch, Experiment, Phase, Progress, Step, Trial, TrialState, Verdict,
};
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::{EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::{
    Action, Artifact, Event, EventKind, Measurement, Observation, Stage, TrialKind,
};
use autoopt_epoch::space::Value;
use autoopt_epoch::time::Timestamp;

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

pub(crate) fn experiment(name: &str) -> Experiment {
    let spec = serde_json::json!({
        "name": name, "clusters": ["local"], "budget": {"trials": 3},
        "parameters": [{"name": "x", "type": "float", "low": 0.0, "high": 1.0, "default": 0.5}],
        "apply": {"backend": "noop"}, "load": {"backend": "noop"},
        "bench": {"backend": "command"}, "collect": {"backend": "command"},
        "metrics": [{"name": "score", "parser": "key-value", "field": "score"}],
        "objective": {"maximize": "score"},
    });
    Experiment {
        id: ExperimentId::fresh(),
        spec: Arc::new(serde_json::from_value(spec).unwrap()),
        submitted: at(0),
        phase: Phase::Running,
        reason: None,
        ended: None,
        accepted: 1,
        outcomes: BTreeMap::from([(Outcome::Measured, 1)]),
        asked: 2,
        ask: None,
        refused: 0,
        ask_after: None,
        sites: BTreeMap::new(),
        best: None,
        front: Vec::new(),
        factors: BTreeMap::new(),
        outlook: None,
        compromise: None,
        calm: 0,
        cut_short: false,
        confirmation: None,
        trials: BTreeMap::new(),
        epochs: BTreeMap::new(),
        results: Vec::new(),
        settled: BTreeMap::new(),
    }
}

pub(crate) fn trial(experiment: &Experiment, number: u32) -> Trial {
    let parameters = BTreeMap::from([("x".into(), Value::Float(0.1 + 0.2))]);
    let submitted = at(i64::from(number));
    Trial {
        number,
        note: Some("why not — \u{0} ‘quoted’".into()),
        state: TrialState::Waiting { not_before: at(5) },
        ..Trial::new(TrialId::fresh(), experiment.id, TrialKind::Manual, parameters, submitted)
    }
}

/// `trial`, measured with `objective` at `ended`.
pub(crate) fn measured(mut trial: Trial, objective: f64, ended: Timestamp) -> (Trial, Observation) {
    let observation = Observation {
        trial: trial.id,
        number: trial.number,
        kind: trial.kind,
        cluster: "local".into(),
        parameters: trial.parameters.clone(),
        outcome: Outcome::Measured,
        objective: Some(objective),
        others: Vec::new(),
        std_error: None,
        repeats: 1,
        metrics: BTreeMap::from([("score".into(), objective)]),
        placement: None,
        seconds: None,
        violations: Vec::new(),
    };
    let observed = Some(Box::new(observation.clone()));
    trial.state =
        TrialState::Ended { at: ended, outcome: Outcome::Measured, reason: None, observation: observed };
    (trial, observation)
}

pub(crate) fn epoch(trial: &Trial) -> Epoch {
    Epoch {
        id: EpochId::fresh(),
        experiment: trial.experiment,
        trial: trial.id,
        number: trial.number,
        kind: trial.kind,
        pair: trial.pair,
        cluster: "local".into(),
        started: at(10),
        plan: vec![Step { stage: Stage::Bench, action: Action::Run }],
        at: 0,
        attempt: 2,
        progress: Progress::Leased {
            since: at(11),
            worker: "w".into(),
            lease_until: at(20),
            timeout_at: at(90),
        },
        verdict: Some(Verdict { outcome: Outcome::Measured, reason: None }),
        measurement: Some(Measurement {
            metrics: BTreeMap::from([("score".into(), 1.5), ("latency".into(), 0.1)]),
            objective: 1.5,
            others: Vec::new(),
            violations: Vec::new(),
        }),
        outputs: BTreeMap::from([(Stage::Load, serde_json::Map::new())]),
    }
}

pub(crate) fn attempt(epoch: &Epoch, step: u32, attempt: u32, ending: Ending, output: &[u8]) -> Attempt {
    Attempt {
        epoch: epoch.id,
        step,
        stage: Stage::Bench,
        action: Action::Run,
        attempt,
        worker: Some("w".into()),
        started: Some(at(12)),
        ended: at(13),
        ending,
        outputs: serde_json::Map::new(),
        artifacts: vec![Artifact::new("stdout", output, true), Artifact::new("stderr", b"", false)],
    }
}

pub(crate) fn cluster() -> Cluster {
    Cluster {
        name: "local".into(),
        holder: None,
        breaker: Breaker::Open { until: at(60), reason: "down".into() },
        leaked: None,
        turn: 2,
        promised: None,
    }
}

pub(crate) fn event(experiment: &Experiment, kind: EventKind) -> Event {
    Event {
        experiment: Some(experiment.spec.name.to_string()),
        experiment_id: Some(experiment.id),
        ..Event::new(at(1), kind, "it happened", serde_json::json!({"a": 1}))
    }
}

/// A PostgreSQL database that is dropped at the end.
pub(crate) struct Postgres {
    name: String,
}

impl Postgres {
    pub(crate) fn new() -> Self {
        let name = format!("store_{}", uuid::Uuid::now_v7().simple());
        psql("postgres", &format!("create database {name}"));
        Self { name }
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:5432/{}", self.name)
    }

    /// Runs a statement from another session.
    pub(crate) fn run(&self, statement: &str) {
        psql(&self.name, statement);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        psql("postgres", &format!("drop database {} with (force)", self.name));
    }
}

fn psql(database: &str, statement: &str) {
    let command =
        ["-h", "127.0.0.1", "-U", "postgres", "-d", database, "-q", "-o", "/dev/null", "-c", statement];
    let status = Command::new("psql").args(command).status();
    assert!(status.expect("psql is installed").success(), "{statement}");
}
