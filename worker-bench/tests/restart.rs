//! A worker is killed while its benchmark runs.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod rig;

use autoopt_epoch::message::{Epoch, ReportState, Stage};
use rig::{Rig, alive, order, pids, wait_until};

/// The first run never ends by itself, ignores SIGTERM, and has a child in its group and one in a session of its own.
const BENCHMARK: &str = "[bench.command.x]\nrun = { program = 'sh', args = ['-c', '''
    echo run >> runs
    [ $(wc -l < runs) = 1 ] || { echo tps=7; exit; }
    trap \"\" TERM
    setsid sh -c \"echo \\$\\$ >> pids; sleep 1000\" >/dev/null 2>&1 &
    (echo $(exec sh -c \"echo \\$PPID\") >> pids; while :; do sleep 1; done) &
    echo $$ >> pids
    while :; do sleep 1; done
'''] }\n";

#[tokio::test]
async fn what_a_killed_worker_left_is_ended_before_its_step_is_done_again_once() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let program = env!("CARGO_BIN_EXE_autoopt-worker-bench");
    let mut rig = Rig::start(program, Stage::Bench, directory, BENCHMARK).await;
    let first = order(Stage::Bench, "run", 1);
    rig.send(&first).await;
    rig.heartbeat().await;
    let left = pids(&directory.join("pids"), 3).await;
    rig.kill();
    assert_eq!(alive(&left), 3, "nothing was left: this test shows nothing");

    rig.restart(directory);
    let second = Epoch { attempt: 2, ..first.clone() };
    let report = rig.perform(&second).await;
    assert_eq!(alive(&left), 0, "it was done while the first still ran");
    let ReportState::Done(done) = &report.state else { panic!("{report:?}") };
    assert_eq!(done.artifacts[0].content(99).unwrap(), b"tps=7\n");
    assert_eq!(report.attempt, 2);

    // a later worker knows what was done, and that nothing of it is left
    rig.kill();
    rig.restart(directory);
    assert_eq!(rig.perform(&second).await, report);
    let runs = || std::fs::read_to_string(directory.join("runs")).unwrap().lines().count();
    assert_eq!(runs(), 2);
    rig.close().await;
}

#[tokio::test]
async fn an_order_whose_delivery_was_still_held_is_done_again_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let program = env!("CARGO_BIN_EXE_autoopt-worker-bench");
    // killed by its own benchmark, so that nothing was said yet
    let suicide = "[bench.command.x]\nrun = { program = 'sh', args = ['-c', '''
        echo run >> runs
        [ $(wc -l < runs) = 1 ] || exit 0
        echo $$ >> pids
        kill -KILL $PPID
        exec sleep 1000
    '''] }\n";
    let mut rig = Rig::start(program, Stage::Bench, directory, suicide).await;
    let order = order(Stage::Bench, "run", 1);
    rig.send(&order).await;
    let left = pids(&directory.join("pids"), 1).await;
    rig.kill();
    rig.restart(directory);
    let report = rig.end_of(&order).await;
    assert!(matches!(report.state, ReportState::Done(_)), "{report:?}");
    wait_until("the first run is gone", || alive(&left) == 0).await;
    assert_eq!(std::fs::read_to_string(directory.join("runs")).unwrap().lines().count(), 2);
    rig.close().await;
}
