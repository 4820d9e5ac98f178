//! The collect stage, with real programs.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use autoopt_epoch::command::Commands;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::id::EpochId;
use autoopt_epoch::message::{Action, Artifact, Done, Epoch};
use autoopt_epoch::worker::Context;
use autoopt_worker_collect::backends;
use serde_json::{Value, json};

fn order(metrics: Value, settings: Value, output: &[u8]) -> Epoch {
    let id = "00000000-0000-5000-8000-000000000000";
    let mut order: Epoch = serde_json::from_value(json!({
        "experiment": "e", "experiment_id": id, "trial": id, "number": 1, "kind": "proposed",
        "epoch": EpochId::fresh(), "cluster": "c", "step": 3, "stage": "collect", "action": "run", "attempt": 1,
        "issued": "2026-01-01T00:00:00Z", "lease": "30s", "timeout": "60s", "parameters": {"x": 5},
        "backend": {"backend": "command", "settings": settings},
        "measure": {
            "metrics": metrics,
            "objective": {"maximize": "rate / latency"},
            "outcome_constraints": ["latency <= 4"],
        },
    }))
    .unwrap();
    order.artifacts = vec![Artifact::new("stdout", output, false)];
    order
}

/// Both numbers from the benchmark's own output.
fn plain(output: &[u8]) -> Epoch {
    let metric = |name: &str| json!({"name": name, "parser": "key-value", "field": name});
    order(json!([metric("rate"), metric("latency")]), json!({}), output)
}

/// The latency is what the program `latency` prints.
fn with_program(program: &str) -> Epoch {
    let metrics = json!([
        {"name": "rate", "parser": "key-value", "field": "rate"},
        {"name": "latency", "parser": "key-value", "field": "latency", "from": "collect"},
    ]);
    order(metrics, json!({"name": program}), b"rate=12\n")
}

async fn perform(order: &Epoch) -> Result<Done, Failure> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("commands.toml");
    let commands = "[collect.command]\n\
        latency = { run = { program = 'echo', args = ['latency={parameter:x}'] } }\n\
        flood = { run = { program = 'sh', args = ['-c', 'yes latency=3 | head -c 100000'], max_output = 1000 } }\n\
        failing = { run = { program = 'sh', args = ['-c', 'echo half; exit 3'], exit_codes = { 3 = 'invalid' } } }\n\
        garbage = { run = { program = 'head', args = ['-c', '3000', '/dev/urandom'] } }\n";
    std::fs::write(&path, commands).unwrap();
    let backend = backends(&Commands::load(&path).unwrap())["command"].clone();
    backend.check(order)?;
    backend.perform(order, &Context::alone(directory.path())).await
}

#[tokio::test]
async fn raw_output_becomes_metrics_an_objective_and_violations() {
    let done = perform(&plain(b"rate=12\nlatency=5\n")).await.unwrap();
    let measured = done.measurement.unwrap();
    assert_eq!(measured.objective, 2.4);
    assert_eq!(measured.metrics["rate"], 12.0);
    assert_eq!(measured.violations.len(), 1);
    assert_eq!(measured.violations[0].by, 1.0);
    assert!(done.artifacts.is_empty());
}

#[tokio::test]
async fn a_zero_that_would_make_the_objective_infinite_is_invalid() {
    let failure = perform(&plain(b"rate=12\nlatency=0\n")).await.expect_err("division by zero");
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert!(failure.reason.contains("objective"), "{}", failure.reason);
}

#[tokio::test]
async fn undo_leaves_nothing_to_do_and_an_order_without_measure_is_refused() {
    let mut order = plain(b"");
    order.measure = None;
    assert_eq!(perform(&order).await.expect_err("nothing to measure").kind, FailureKind::Invalid);
    order.action = Action::Undo;
    assert_eq!(perform(&order).await.unwrap().measurement, None);
}

#[tokio::test]
async fn a_programs_output_is_read_like_the_benchmarks_and_is_kept() {
    let done = perform(&with_program("latency")).await.unwrap();
    assert_eq!(done.measurement.unwrap().objective, 2.4);
    let kept: Vec<_> = done.artifacts.iter().map(|a| (a.name.as_str(), a.content(99).unwrap())).collect();
    assert_eq!(kept, [("collect", b"latency=5\n".to_vec())]);
}

#[tokio::test]
async fn a_programs_output_that_cannot_be_trusted_is_invalid_and_is_kept() {
    for (program, said) in [("flood", "`collect` is truncated"), ("garbage", "metric `latency`")] {
        let failure = perform(&with_program(program)).await.expect_err(program);
        assert_eq!(failure.kind, FailureKind::Invalid, "{program}");
        assert!(failure.reason.contains(said), "{program}: {}", failure.reason);
        assert_eq!(failure.artifacts[0].name, "collect");
        assert_eq!(failure.artifacts[0].truncated, program == "flood");
    }
    let failure = perform(&with_program("failing")).await.expect_err("exit code 3");
    assert_eq!(
        (failure.kind, failure.artifacts[0].content(99).unwrap()),
        (FailureKind::Invalid, b"half\n".into())
    );
}

#[tokio::test]
async fn a_program_that_this_worker_does_not_have_is_refused_before_anything_runs() {
    let failure = perform(&with_program("latensy")).await.expect_err("misspelt");
    assert_eq!(failure.kind, FailureKind::Broken);
    assert!(failure.reason.contains("did you mean `latency`?"), "{}", failure.reason);
}
