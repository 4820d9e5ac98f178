//! A worker is killed while its load runs.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../../worker-bench/tests/rig/mod.rs"]
mod rig;

use autoopt_epoch::message::{Epoch, Report, ReportState, Stage};
use rig::{Rig, alive, order, pids, wait_until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_autoopt-worker-load");
/// A child in the group, and one in a session of its own.
const LOAD: &str = "[load.command.x]\nstart = { program = 'sh', args = ['-c', '''
    echo $$ >> pids
    setsid sh -c \"echo \\$\\$ >> pids; exec sleep 1000\" &
    sleep 1000
'''] }\n";

fn reused(report: &Report) -> bool {
    let ReportState::Done(done) = &report.state else { panic!("{report:?}") };
    done.outputs["reused"].as_bool().unwrap()
}

#[tokio::test]
async fn a_load_outlives_its_worker_is_found_again_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let mut rig = Rig::start(PROGRAM, Stage::Load, directory, LOAD).await;
    assert!(!reused(&rig.perform(&order(Stage::Load, "run", 1)).await));
    let load = pids(&directory.join("pids"), 2).await;

    rig.kill();
    rig.restart(directory);
    assert!(reused(&rig.perform(&order(Stage::Load, "run", 1)).await));
    assert_eq!(alive(&load), 2);
    assert_eq!(pids(&directory.join("pids"), 2).await, load, "it was started twice");

    rig.kill();
    rig.restart(directory);
    let report = rig.perform(&order(Stage::Load, "undo", 1)).await;
    assert!(matches!(report.state, ReportState::Done(_)), "{report:?}");
    assert_eq!(alive(&load), 0);
    rig.close().await;
}

#[tokio::test]
async fn a_load_that_was_not_known_to_be_ready_is_started_afresh() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let commands = format!("{LOAD}ready = {{ program = 'test', args = ['-e', 'settled'] }}\n");
    let mut rig = Rig::start(PROGRAM, Stage::Load, directory, &commands).await;
    let first = order(Stage::Load, "run", 1);
    rig.send(&first).await;
    rig.heartbeat().await;
    let load = pids(&directory.join("pids"), 2).await;
    rig.kill();
    std::fs::write(directory.join("settled"), "").unwrap();
    rig.restart(directory);
    wait_until("the first load is gone", || alive(&load) == 0).await;
    assert!(!reused(&rig.perform(&Epoch { attempt: 2, ..first }).await));
    let both = pids(&directory.join("pids"), 4).await;
    assert_eq!(alive(&both[2..]), 2);
    rig.perform(&order(Stage::Load, "undo", 1)).await;
    assert_eq!(alive(&both), 0);
    rig.close().await;
}
