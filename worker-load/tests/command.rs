//! The load stage, with real processes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::time::{Duration, Instant};

use autoopt_epoch::command::Commands;
use autoopt_epoch::command::process::start_time;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::id::EpochId;
use autoopt_epoch::message::{Done, Epoch};
use autoopt_epoch::worker::Context;
use autoopt_worker_load::backends;
use serde_json::json;

fn order(action: &str) -> Epoch {
    let id = "00000000-0000-5000-8000-000000000000";
    serde_json::from_value(json!({
        "experiment": "e", "experiment_id": id, "trial": id, "number": 1, "kind": "proposed", "epoch": EpochId::fresh(),
        "cluster": "c", "step": 1, "stage": "load", "action": action, "attempt": 1,
        "issued": "2026-01-01T00:00:00Z", "lease": "30s", "timeout": "2s",
        "backend": {"backend": "command", "settings": {"name": "l"}}, "parameters": {"x": "1"},
    }))
    .unwrap()
}

/// Each call is a worker of its own, as after a restart.
async fn perform(directory: &Path, entry: &str, action: &str) -> Result<Done, Failure> {
    let path = directory.join("commands.toml");
    std::fs::write(&path, format!("[load.command.l]\n{entry}")).unwrap();
    let backend = backends(&Commands::load(&path).unwrap())["command"].clone();
    let context = Context::alone(&directory.join("state"));
    let order = order(action);
    backend.check(&order)?;
    backend.perform(&order, &context).await
}

fn group(done: &Done) -> u32 {
    u32::try_from(done.outputs["process_group"].as_u64().unwrap()).unwrap()
}

fn states(directory: &Path) -> usize {
    let files = std::fs::read_dir(directory.join("state")).unwrap();
    files.filter(|f| f.as_ref().unwrap().path().extension().is_some_and(|e| e == "json")).count()
}

#[tokio::test]
async fn a_load_is_started_once_replaced_when_it_differs_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let entry = "start = { program = 'sh', args = ['-c', 'sleep 1000 & wait'] }";
    let first = group(&perform(directory, entry, "run").await.unwrap());
    let again = perform(directory, entry, "run").await.unwrap();
    assert_eq!((group(&again), &again.outputs["reused"]), (first, &json!(true)));
    let other =
        group(&perform(directory, "start = { program = 'sleep', args = ['1001'] }", "run").await.unwrap());
    assert_ne!(other, first);
    assert_eq!(start_time(first), None, "the old load still runs");
    assert!(start_time(other).is_some() && states(directory) == 1);
    perform(directory, entry, "undo").await.unwrap();
    assert_eq!((start_time(other), states(directory)), (None, 0));
    perform(directory, entry, "undo").await.unwrap();
}

#[tokio::test]
async fn a_load_that_died_is_started_anew() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let entry = "start = { program = 'sh', args = ['-c', 'sleep 0.6'] }";
    let first = group(&perform(directory, entry, "run").await.unwrap());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = perform(directory, entry, "run").await.unwrap();
    assert_eq!(second.outputs["reused"], false);
    assert_ne!(group(&second), first);
    perform(directory, entry, "undo").await.unwrap();
}

#[tokio::test]
async fn a_load_that_ends_at_once_shows_what_it_printed() {
    let directory = tempfile::tempdir().unwrap();
    let entry = "start = { program = 'sh', args = ['-c', 'echo no such device; exit 1'] }";
    let failure = perform(directory.path(), entry, "run").await.expect_err("it ended");
    assert_eq!(failure.kind, FailureKind::Transient);
    assert!(failure.reason.contains("no such device"), "{}", failure.reason);
    assert_eq!(states(directory.path()), 0);
}

#[tokio::test]
async fn a_load_is_waited_for_and_ended_if_it_never_gets_ready() {
    let directory = tempfile::tempdir().unwrap();
    let start = "start = { program = 'sh', args = ['-c', 'sleep 0.6; touch settled; exec sleep 1000'] }\n";
    let ready = |file: &str| format!("{start}ready = {{ program = 'test', args = ['-e', '{file}'] }}");
    perform(directory.path(), &ready("settled"), "run").await.unwrap();
    assert!(directory.path().join("settled").exists());
    let began = Instant::now();
    let failure = perform(directory.path(), &ready("never"), "run").await.expect_err("never ready");
    assert_eq!(failure.kind, FailureKind::Transient);
    assert!(failure.reason.contains("not ready within 2s"), "{}", failure.reason);
    assert!(began.elapsed() < Duration::from_secs(4));
    assert_eq!(states(directory.path()), 0);
}
