//! The disk under a worker's state directory fills up.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod rig;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use autoopt_epoch::failure::FailureKind;
use autoopt_epoch::message::{ReportState, Stage};
use rig::{Rig, order};

/// Each run fills the disk, and prints more than its journal's last page has room for.
const BENCHMARK: &str = "[bench.command.x]\nrun = { program = 'sh', args = ['-c', '''
    cat /dev/zero > {state_dir}/filler 2> /dev/null
    head -c 20000 /dev/urandom
'''] }\n";

/// A worker that sees a small disk of its own as `state`, and nobody else does.
fn on_a_small_disk(directory: &Path) -> PathBuf {
    let path = directory.join("worker");
    let worker = env!("CARGO_BIN_EXE_autoopt-worker-bench");
    let state = directory.join("state");
    let root = if nix::unistd::geteuid().is_root() { "" } else { "--map-root-user" };
    let script = format!(
        "#!/bin/sh\nexec unshare {root} --mount sh -c 'mount -t tmpfs -o size=64k none {} && exec {worker} \"$@\"' sh \"$@\"\n",
        state.display()
    );
    std::fs::create_dir(&state).unwrap();
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn results_are_reported_nothing_is_begun_unseen_and_work_goes_on_when_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let mut rig = Rig::start(on_a_small_disk(directory), Stage::Bench, directory, BENCHMARK).await;
    // what was measured is reported, although it cannot be written down
    let report = rig.perform(&order(Stage::Bench, "run", 1)).await;
    let ReportState::Done(done) = &report.state else { panic!("{report:?}") };
    assert_eq!(done.artifacts[0].bytes, 20_000);

    // the rest of the journal's last page lasts for a few more
    let mut refused = None;
    for _ in 0..40 {
        match rig.perform(&order(Stage::Bench, "run", 1)).await.state {
            ReportState::Done(_) => {}
            other => refused = Some(other),
        }
        if refused.is_some() {
            break;
        }
    }
    let Some(ReportState::Failed(failure)) = refused else { panic!("{refused:?}") };
    assert_eq!(failure.kind, FailureKind::Broken);
    assert!(failure.reason.contains("bench.journal") && failure.reason.contains("No space"), "{failure}");

    let seen = PathBuf::from(format!("/proc/{}/root", rig.worker_id()));
    std::fs::remove_file(seen.join(directory.join("state/filler").strip_prefix("/").unwrap())).unwrap();
    let report = rig.perform(&order(Stage::Bench, "run", 1)).await;
    assert!(matches!(report.state, ReportState::Done(_)), "{report:?}");
    rig.close().await;
}
