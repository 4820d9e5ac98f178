//! `autoopt run`, the real binary: to its end, and on after being killed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name)
}

fn run(file: &Path, state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_autoopt"));
    command.arg("run").arg(file).arg("--state").arg(state).stdin(Stdio::null());
    command
}

/// Between two looks at a child.
#[expect(clippy::disallowed_methods, reason = "a test without a runtime")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn an_experiment_with_commands_ends_with_a_gain() {
    let state = tempfile::tempdir().expect("a folder");
    let output = run(&example("quadratic.toml"), state.path()).output().expect("it starts");
    let text = printed(&output);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("15 trials (15 measured)"), "{text}");
    assert!(text.contains("baseline 56.000000 (+"), "{text}");
    assert!(text.contains(" % interval, 3 pairs: shown"), "{text}");
    let report = std::fs::read_to_string(state.path().join("report.html")).expect("a report");
    assert!(report.contains("shown to be better") && !report.contains("<script"), "{report}");
    // each of the three parameters has a chart of what it does
    assert_eq!(report.matches("aria-label=\"Mean objective by ").count(), 3, "{report}");
}

/// The weights, the gain and where each server landed: all that is said at the end but the time it took.
fn told(output: &Output) -> String {
    let text = printed(output);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let (_, summary) = text.split_once("`nova-weights`: ").expect("a summary");
    let where_it_is = |line: &&str| line.starts_with("everything is in") || line.starts_with("the report is");
    summary.lines().filter(|line| !where_it_is(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_simulated_cloud_is_tuned_and_the_same_run_gives_the_same() {
    let run = |more: &[&str]| {
        let state = tempfile::tempdir().expect("a folder");
        let mut command = run(&example("nova-weights.toml"), state.path());
        let output = command.args(more).output().expect("it starts");
        let snippets = std::fs::read_dir(state.path().join("simulated/lab/nova-scheduler.conf.d"));
        assert_eq!(snippets.expect("a folder").count(), 0, "what was set is restored");
        output
    };
    let once = told(&run(&["--simulate", "--trials", "8"]));
    assert!(
        once.starts_with("8 trials (8 measured)\nbest: trial ") && once.contains(" % interval, 6 pairs: "),
        "{once}"
    );
    assert!(once.contains("server    baseline on  recommended on"), "{once}");
    let landed = once.lines().find_map(|line| line.strip_prefix("rabbitmq")).expect("where it landed");
    assert_eq!(landed.matches(" compute-").count(), 2, "{once}");
    assert_eq!(told(&run(&["--simulate", "--trials", "8"])), once);

    let file = tempfile::NamedTempFile::new().expect("a file");
    let cloud =
        Command::new(env!("CARGO_BIN_EXE_autoopt")).args(["simulate", "init"]).output().expect("it starts");
    let cloud = printed(&cloud).replace("noise]\nmeasurement = 0.02", "noise]\nmeasurement = 0.0");
    std::fs::write(file.path(), cloud).expect("a file");
    let simulate = format!("--simulate={}", file.path().display());
    assert_ne!(told(&run(&[&simulate, "--trials", "8"])), once);
}

#[test]
fn a_cloud_that_fails_now_and_then_is_tuned_all_the_same() {
    const FAULTS: &str = "[faults]
        unavailable = { share = 0.02 }
        too-many-requests = { next = 2 }
        expired-token = { share = 0.01 }
        failed-build = { share = 0.02 }
        slow-build = { share = 0.02 }
        truncated-console = { share = 0.01 }
        corrupt-console = { share = 0.01 }
        leaked-port = { share = 0.05 }
        leaked-allocation = { share = 0.05 }
    ";
    let folder = tempfile::tempdir().expect("a folder");
    let (cloud, file) = (folder.path().join("cloud.toml"), folder.path().join("nova-weights.toml"));
    let described = Command::new(env!("CARGO_BIN_EXE_autoopt")).args(["simulate", "init"]).output();
    let described = printed(&described.expect("it starts")).replacen("[faults]\n", FAULTS, 1);
    std::fs::write(&cloud, described).expect("a file");
    let spec = std::fs::read_to_string(example("nova-weights.toml")).expect("the example");
    std::fs::write(&file, spec + "\n[retry]\nbreaker_pause = \"1s\"\n").expect("a file");
    let mut command = run(&file, &folder.path().join("state"));
    command.arg("--commands").arg(example("nova-weights.commands.toml"));
    let output = command.arg(format!("--simulate={}", cloud.display())).args(["--trials", "3"]).output();
    let output = output.expect("it starts");
    let text = printed(&output);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        text.contains("3 trials (3 measured)") && text.contains(" failed as invalid: result `"),
        "{text}"
    );
}

#[test]
fn an_experiment_that_was_killed_goes_on_where_it_stopped() {
    let state = tempfile::tempdir().expect("a folder");
    let file = example("noop.toml");
    let mut killed =
        run(&file, state.path()).env("MQ_BODY_MS", "50").stdout(Stdio::null()).spawn().expect("it starts");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let store = state.path().join("store.sqlite");
    // fifteen trials of four stages take over three seconds; it is killed in the middle of one of them
    while !store.exists() && std::time::Instant::now() < deadline {
        pause();
    }
    let half_way = std::time::Instant::now() + Duration::from_millis(1500);
    while std::time::Instant::now() < half_way && killed.try_wait().expect("a child").is_none() {
        pause();
    }
    assert!(killed.try_wait().expect("a child").is_none(), "it ended before it could be killed");
    killed.kill().expect("a running child");
    killed.wait().expect("a killed child");

    let output = run(&file, state.path()).output().expect("it starts");
    let text = printed(&output);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("going on with `noop`"), "{text}");
    assert!(text.contains("15 trials (15 measured)"), "{text}");
}

#[test]
fn an_experiment_ends_although_nobody_reads_what_it_prints() {
    let state = tempfile::tempdir().expect("a folder");
    let mut unread =
        run(&example("noop.toml"), state.path()).stdout(Stdio::piped()).spawn().expect("it starts");
    drop(unread.stdout.take());
    assert!(unread.wait().expect("a child").success());
    // one that had been left in its middle would be taken up again
    let output = run(&example("noop.toml"), state.path()).output().expect("it starts");
    let text = printed(&output);
    assert!(output.status.success() && !text.contains("going on"), "{text}");
}

#[test]
fn a_mistake_in_the_file_is_shown_at_its_line() {
    let state = tempfile::tempdir().expect("a folder");
    let file = state.path().join("wrong.toml");
    let text = std::fs::read_to_string(example("noop.toml")).expect("the example");
    std::fs::write(&file, text.replace("low = -5.0", "lowest = -5.0")).expect("a file");
    let output = run(&file, state.path()).output().expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(65), "{errors}");
    assert!(errors.contains("wrong.toml:") && errors.contains("lowest"), "{errors}");
}

#[test]
fn a_cloud_that_does_not_answer_is_said_at_once_with_the_ways_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let clouds = folder.path().join("clouds.yaml");
    // nothing listens on port 1
    let cloud = "clouds:\n  lab:\n    auth:\n      auth_url: http://127.0.0.1:1/v3\n      username: u\n      password: p\n      project_name: p\n      user_domain_name: Default\n      project_domain_name: Default\n";
    std::fs::write(&clouds, cloud).expect("a file");
    let commands = folder.path().join("commands.toml");
    let text = format!("[openstack.cluster.lab]\ncloud = \"lab\"\nclouds_file = {clouds:?}\nattempts = 2\n");
    std::fs::write(&commands, text).expect("a file");
    let state = folder.path().join("state");
    let output = run(&example("nova-weights.toml"), &state)
        .arg("--commands")
        .arg(&commands)
        .output()
        .expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{errors}");
    assert!(errors.contains("logging in to lab"), "{errors}");
    assert!(errors.contains("autoopt preflight") && errors.contains("--simulate"), "{errors}");
}
