//! 10,000 trials on the dashboard: bytes, first chart, a new result.

use std::collections::BTreeMap;
use std::path::Path;

use autoopt_coordinator::machine::{Epoch, Progress, Record, Step, Trial, TrialState, Verdict};
use autoopt_coordinator::store::Batch;
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::{EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::{Action, Event, EventKind, Measurement, Observation, Stage, TrialKind};
use autoopt_epoch::space::Value;
use autoopt_epoch::time::Timestamp;
use serde_json::json;

use crate::system::{Role, System, experiment};

const TOKEN: &str = "0123456789abcdef-many";
const TRIALS: u32 = 10_000;
const PARAMETERS: usize = 8;

/// A number in [0, 1) that follows from `i` (a Weyl sequence).
fn lot(i: u32, of: usize) -> f64 {
    (f64::from(i) * [0.618_034, 0.754_878, 0.819_173, 0.856_675, 0.881_271][of % 5] + of as f64 * 0.37)
        .fract()
}

/// A trial that was measured, or failed, with its one epoch, as the engine leaves them.
fn ended(experiment: ExperimentId, number: u32) -> (Trial, Epoch) {
    let began = Timestamp::from_millis(1_790_000_000_000 + i64::from(number) * 60_000);
    // nothing takes equally long each time, and a compressor would profit if it did
    let at = Timestamp::from_millis(began.as_millis() + 40_000 + (15_000.0 * lot(number, 6)) as i64);
    let parameters: BTreeMap<String, Value> =
        (0..PARAMETERS).map(|i| (format!("weight_{i}"), Value::Float(2.0 * lot(number, i) - 1.0))).collect();
    let failed = number.is_multiple_of(11);
    let sum: f64 = parameters.values().filter_map(Value::as_f64).map(|x| x * x).sum();
    let objective = 420_000.0 / (1.0 + sum) + 4_000.0 * lot(number, 9);
    let metrics = BTreeMap::from([("value".to_owned(), objective)]);
    let measurement = (!failed).then(|| Measurement {
        metrics: metrics.clone(),
        objective,
        others: Vec::new(),
        violations: Vec::new(),
    });
    let (outcome, reason) = if failed {
        (Outcome::Infeasible, Some(format!("no valid host was found for server {}", number % 7)))
    } else {
        (Outcome::Measured, None)
    };
    let id = TrialId::derived(experiment.0, &format!("of the test {number}"));
    let observation = Observation {
        trial: id,
        number,
        kind: TrialKind::Manual,
        cluster: "here".into(),
        parameters: parameters.clone(),
        outcome,
        objective: measurement.as_ref().map(|m| m.objective),
        others: Vec::new(),
        std_error: None,
        repeats: u32::from(!failed),
        metrics,
        violations: Vec::new(),
        placement: None,
        seconds: None,
    };
    let state =
        TrialState::Ended { at, outcome, reason: reason.clone(), observation: Some(Box::new(observation)) };
    let trial = Trial {
        number,
        state,
        measurements: measurement.iter().cloned().collect(),
        epochs: 1,
        ..Trial::new(id, experiment, TrialKind::Manual, parameters, began)
    };
    let epoch = Epoch {
        id: EpochId::derived(id.0, "epoch/1"),
        experiment,
        trial: id,
        number,
        kind: TrialKind::Manual,
        pair: None,
        cluster: "here".into(),
        started: began,
        plan: Stage::ALL.map(|stage| Step { stage, action: Action::Run }).to_vec(),
        at: 4,
        attempt: 1,
        progress: Progress::Ended { at },
        verdict: Some(Verdict { outcome, reason }),
        measurement,
        outputs: BTreeMap::new(),
    };
    (trial, epoch)
}

/// A system whose experiment `many` has 10,000 trials behind it.
async fn filled() -> System {
    let first = System::with(Role::Leads, Some(TOKEN)).await;
    let mut spec = experiment("many", TRIALS + 500);
    let parameter =
        |i| json!({"name": format!("weight_{i}"), "type": "float", "low": -1.0, "high": 1.0, "default": 0.9});
    spec["parameters"] = (0..PARAMETERS).map(parameter).collect();
    spec["objective"]["unit"] = json!("ops/s");
    spec["collect"] =
        json!({"backend": "noop", "settings": {"objective": "420000 / (1 + weight_0 ^ 2 + weight_1 ^ 2)"}});
    let (status, answer) = first.post("/v1/experiments", &spec).await;
    assert!(status.is_success(), "{answer}");
    first.until("/v1/experiments/many", |e| e["baseline"]["here"].is_number()).await;
    let id: ExperimentId = first.get("/v1/experiments/many").await["id"].as_str().unwrap().parse().unwrap();
    let store = first.store.clone();
    let state = first.end();

    let mut experiment = store.experiment(id).await.unwrap().unwrap();
    experiment.accepted = TRIALS;
    let failed = TRIALS / 11;
    experiment.outcomes =
        BTreeMap::from([(Outcome::Measured, TRIALS - failed), (Outcome::Infeasible, failed)]);
    let mut batch = Batch { records: vec![Record::Experiment(experiment)], ..Batch::default() };
    for number in 1..=TRIALS {
        let (trial, epoch) = ended(id, number);
        batch.events.push(Event {
            experiment: Some("many".into()),
            experiment_id: Some(id),
            trial: Some(trial.id),
            number: Some(number),
            ..Event::new(epoch.started, EventKind::TrialEnded, format!("trial {number} ended"), json!({}))
        });
        batch.records.extend([Record::Trial(trial), Record::Epoch(epoch)]);
        if number % 500 == 0 {
            store.commit(&std::mem::take(&mut batch)).await.unwrap();
        }
    }
    store.commit(&batch).await.unwrap();
    System::on(state, Role::Leads, Some(TOKEN)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs node and a browser; `cargo xtask dashboard` runs it"]
async fn ten_thousand_trials_in_a_browser() {
    let system = filled().await;
    let status = tokio::process::Command::new("npm")
        .args(["run", "--silent", "measure"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboard"))
        .env("AUTOOPT_URL", system.url())
        .env("AUTOOPT_TOKEN", TOKEN)
        .env("AUTOOPT_EXPERIMENT", "many")
        .status()
        .await
        .unwrap();
    assert!(status.success());
}
