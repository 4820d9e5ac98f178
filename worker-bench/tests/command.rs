//! The bench stage, with real programs.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;

use autoopt_epoch::command::Commands;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::id::EpochId;
use autoopt_epoch::message::{Done, Epoch};
use autoopt_epoch::worker::Context;
use autoopt_worker_bench::backends;
use serde_json::json;

fn order(action: &str) -> Epoch {
    let id = "00000000-0000-5000-8000-000000000000";
    serde_json::from_value(json!({
        "experiment": "e", "experiment_id": id, "trial": id, "number": 1, "kind": "proposed", "epoch": EpochId::fresh(),
        "cluster": "c", "step": 2, "stage": "bench", "action": action, "attempt": 1,
        "issued": "2026-01-01T00:00:00Z", "lease": "30s", "timeout": "60s",
        "backend": {"backend": "command", "settings": {"name": "b"}}, "parameters": {"x": "$(id) 'a'"},
    }))
    .unwrap()
}

async fn perform(directory: &Path, entry: &str, order: &Epoch) -> Result<Done, Failure> {
    let path = directory.join("commands.toml");
    std::fs::write(&path, format!("[bench.command.b]\n{entry}")).unwrap();
    let backend = backends(&Commands::load(&path).unwrap())["command"].clone();
    let context = Context::alone(directory);
    backend.check(order)?;
    backend.perform(order, &context).await
}

#[tokio::test]
async fn what_a_benchmark_prints_is_kept_and_its_end_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let entry =
        "run = { program = 'sh', args = ['-c', 'printf %s \"$1\"; echo warm >&2', 'sh', 'x={parameter:x}'] }";
    let done = perform(directory.path(), entry, &order("run")).await.unwrap();
    let kept: Vec<_> = done.artifacts.iter().map(|a| (a.name.as_str(), a.content(99).unwrap())).collect();
    assert_eq!(kept, [("stdout", b"x=$(id) 'a'".to_vec()), ("stderr", b"warm\n".to_vec())]);
    assert_eq!(done.outputs["exit"], 0);
    assert!(done.outputs["duration_s"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn garbage_is_invalid_and_is_kept_to_be_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let entry = "run = { program = 'echo', args = ['oops'], success = 'tps' }";
    let failure = perform(directory.path(), entry, &order("run")).await.expect_err("garbage");
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert_eq!(failure.artifacts[0].content(99).unwrap(), b"oops\n");
}

#[tokio::test]
async fn undo_runs_what_cleans_up_if_there_is_such_a_program() {
    let directory = tempfile::tempdir().unwrap();
    let run = "run = { program = 'false' }\n";
    perform(directory.path(), run, &order("undo")).await.unwrap();
    let clean = format!("{run}clean = {{ program = 'touch', args = ['{{state_dir}}/cleaned'] }}");
    perform(directory.path(), &clean, &order("undo")).await.unwrap();
    assert!(directory.path().join("cleaned").exists());
}
