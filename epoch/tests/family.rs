//! What belongs to a program, found again by somebody else.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use autoopt_epoch::command::Family;
use autoopt_epoch::command::family::{MARK, end_left};
use autoopt_epoch::command::process::start_time;
use autoopt_epoch::id::EpochId;
use autoopt_epoch::message::Stage;
use autoopt_epoch::worker::journal::{Attempt, Journal};

fn mark() -> String {
    format!("{}/1/1/run", EpochId::fresh())
}

/// `sh -c SCRIPT` in a group of its own; the script says on standard output when it is ready.
fn start(script: &str, mark: &str, strays: bool) -> (Child, Family, u32) {
    let mut command = Command::new("sh");
    command.args(["-c", script]).env(MARK, mark).process_group(0).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let family = Family::of(Some(child.id()), mark.to_owned(), strays).unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut line)
        .unwrap();
    (child, family, line.trim().parse().unwrap())
}

fn gone(pid: u32) -> bool {
    start_time(pid).is_none()
}

#[tokio::test]
async fn an_id_that_belongs_to_another_process_by_now_is_let_be() {
    let (mut child, family, _) = start("echo $$; exec sleep 1000", &mark(), true);
    let other = mark();
    for stranger in [
        Family { start_time: family.start_time + 1, mark: other.clone(), ..family.clone() },
        Family { boot: "an earlier one".into(), mark: other, ..family.clone() },
    ] {
        assert!(!stranger.is_alive().unwrap());
        end_left(&[stranger], Vec::new()).await.unwrap();
        assert!(family.is_alive().unwrap(), "a process that is somebody else's was ended");
    }
    end_left(std::slice::from_ref(&family), Vec::new()).await.unwrap();
    assert!(gone(child.id()));
    child.wait().unwrap();
}

#[tokio::test]
async fn descendants_are_found_in_other_sessions_and_without_their_leader() {
    let (mut child, family, stray) =
        start("setsid sh -c 'echo $$; exec sleep 1000' & sleep 1000 & sleep 0.1", &mark(), true);
    child.wait().unwrap();
    assert!(!family.is_alive().unwrap() && !gone(stray));
    end_left(&[family], Vec::new()).await.unwrap();
    assert!(gone(stray));
}

#[tokio::test]
async fn what_apply_put_into_a_session_of_its_own_stays() {
    let mark = mark();
    let (mut child, family, stray) =
        start("setsid sh -c 'echo $$; exec sleep 1000' & sleep 1000", &mark, false);
    end_left(&[family], Vec::new()).await.unwrap();
    child.wait().unwrap();
    assert!(!gone(stray));
    end_left(&[], vec![mark]).await.unwrap();
    assert!(gone(stray));
}

#[test]
fn programs_of_unfinished_attempts_stay_in_the_journal_until_they_are_cleared() {
    let directory = tempfile::tempdir().unwrap();
    let open = |directory: &Path| Journal::open(directory, Stage::Bench).unwrap();
    let attempt = Attempt { epoch: EpochId::fresh(), step: 2, attempt: 1 };
    let family = Family::of(Some(std::process::id()), mark(), true).unwrap();
    let journal = open(directory.path());
    journal.begun(attempt).unwrap();
    journal.started(attempt, &family).unwrap();
    drop(journal);
    // each opening rewrites the file
    for _ in 0..2 {
        assert_eq!(open(directory.path()).unfinished(), [(attempt, vec![family.clone()])]);
    }
    open(directory.path()).cleared(attempt).unwrap();
    assert_eq!(open(directory.path()).unfinished(), []);
}
