//! How fast the state machine is: 5,000 trials on 256 clusters, every step done at once.
//!
//! `cargo bench -p autoopt-coordinator --bench machine`; the time is of the whole run, the throughput in inputs.

use std::collections::VecDeque;
use std::sync::Arc;

use autoopt_coordinator::machine::{Effect, Input, World};
use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::id::{ExperimentId, MessageId};
use autoopt_epoch::message::{self, Action, Done, Measurement, Report, ReportState, Stage};
use autoopt_epoch::space::Value;
use autoopt_epoch::time::Timestamp;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use uuid::Uuid;

const CLUSTERS: u32 = 256;
const TRIALS: u32 = 5000;
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn spec() -> Arc<ExperimentSpec> {
    let noop = json!({"backend": "noop"});
    let clusters: Vec<String> = (0..CLUSTERS).map(|n| format!("c{n}")).collect();
    let spec = json!({
        "name": "e", "clusters": clusters, "budget": {"trials": TRIALS}, "algorithm": {"name": "manual"},
        "parameters": [{"name": "x", "type": "int", "low": 0, "high": 100, "default": 10}],
        "apply": noop, "load": noop, "bench": noop, "collect": noop,
        "metrics": [{"name": "m", "parser": "json", "field": "/m"}], "objective": {"maximize": "m"},
    });
    Arc::new(serde_json::from_value(spec).expect("an experiment"))
}

fn trial(n: u32) -> Input {
    let trial = message::Trial {
        experiment: "e".into(),
        parameters: [("x".to_owned(), Value::Int(i64::from(n % 100)))].into(),
        trial: None,
        ask: None,
        cluster: None,
        note: None,
        outlook: None,
        compromise: None,
    };
    Input::Trial { message: MessageId(Uuid::from_u128(n.into())), trial }
}

/// The report of a step that is done at once.
fn done(order: &message::Epoch) -> Input {
    let measures = order.stage == Stage::Collect && order.action == Action::Run;
    let state = ReportState::Done(Done {
        started: START,
        captured: (order.action == Action::Capture).then(|| [("x".to_owned(), Value::Int(7))].into()),
        measurement: measures.then(Measurement::default),
        ..Done::default()
    });
    Input::Report(Report {
        epoch: order.epoch,
        cluster: order.cluster.clone(),
        step: order.step,
        stage: order.stage,
        action: order.action,
        attempt: order.attempt,
        worker: "w/1".into(),
        at: START,
        state,
    })
}

/// Runs the experiment to its end. Returns how many inputs it took.
fn experiment() -> u64 {
    let mut world = World::default();
    let mut inputs = VecDeque::from([Input::Submit { id: ExperimentId(Uuid::from_u128(1)), spec: spec() }]);
    inputs.extend((0..TRIALS).map(trial));
    let mut count = 0;
    while let Some(input) = inputs.pop_front() {
        count += 1;
        for effect in world.step(START, input) {
            if let Effect::Hand(order) = effect {
                inputs.push_back(done(&order));
            }
        }
        world.next_deadline();
    }
    assert!(world.experiments.is_empty(), "the experiment did not end");
    count
}

fn machine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("machine");
    group.sample_size(10).throughput(Throughput::Elements(experiment()));
    group.bench_function("5000 trials on 256 clusters", |bencher| bencher.iter(experiment));
}

criterion_group!(benches, machine);
criterion_main!(benches);
