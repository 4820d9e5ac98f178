//! Commands, with real processes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::time::{Duration, Instant};

use autoopt_epoch::command::{Call, Commands, OnStart, Output, Program, run};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::id::EpochId;
use autoopt_epoch::message::Epoch;
use tokio_util::sync::CancellationToken;

fn order() -> Epoch {
    let id = "00000000-0000-5000-8000-000000000000";
    serde_json::from_value(serde_json::json!({
        "experiment": "e", "experiment_id": id, "trial": id, "number": 1, "kind": "proposed", "epoch": EpochId::fresh(),
        "cluster": "c", "step": 3, "stage": "bench", "action": "run", "attempt": 1,
        "issued": "2026-01-01T00:00:00Z", "lease": "30s", "timeout": "60s", "backend": {"backend": "command"},
        "parameters": {"x": 0.1, "a-b.c": "it's \"$(touch pwned)\" `id` ; *\n", "on": true},
    }))
    .unwrap()
}

fn program(toml: &str) -> Program {
    toml::from_str(toml).unwrap()
}

/// `sh -c SCRIPT` with more settings.
fn shell(script: &str, more: &str) -> Program {
    program(&format!("program = 'sh'\nargs = ['-c', '''{script}''']\n{more}"))
}

async fn call(program: &Program, cancelled: &CancellationToken) -> Result<Output, Failure> {
    let order = order();
    let call =
        Call { order: &order, parameters: &order.parameters, state_dir: Path::new("/var/s"), action: "run" };
    run(program, &call, cancelled, &OnStart::default()).await
}

async fn perform(program: &Program) -> Result<Output, Failure> {
    call(program, &CancellationToken::new()).await
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.bytes.clone()).unwrap()
}

/// Waits a moment for a process to go; a descendant is reaped by another.
async fn gone(pid: &str) -> bool {
    let pid: u32 = pid.trim().parse().unwrap();
    for _ in 0..100 {
        if autoopt_epoch::command::process::start_time(pid).is_none() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn values_reach_a_program_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let mut echo = program(
        "program = 'printf'\nargs = ['<%s>', '{parameter:a-b.c}', '{cluster}:{experiment}:{state_dir}']",
    );
    echo.workdir = Some(directory.path().into());
    let awkward = "it's \"$(touch pwned)\" `id` ; *\n";
    assert_eq!(text(&perform(&echo).await.unwrap()), format!("<{awkward}><c:e:/var/s>"));
    let environment =
        shell("printf %s \"$AUTOOPT_PARAMETER_A_B_C$AUTOOPT_PARAMETER_ON$K\"", "env = { K = '$HOME' }");
    assert_eq!(text(&perform(&environment).await.unwrap()), format!("{awkward}true$HOME"));
    let input: serde_json::Value =
        serde_json::from_str(&text(&perform(&program("program = 'cat'")).await.unwrap())).unwrap();
    assert_eq!((&input["action"], &input["parameters"]["x"]), (&"run".into(), &0.1.into()));
    assert_eq!(input["parameters"]["a-b.c"], awkward);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "a value was interpreted");
}

#[tokio::test]
async fn the_environment_of_the_worker_is_not_handed_on() {
    let names = text(&perform(&program("program = 'env'")).await.unwrap());
    let foreign = |line: &&str| line.starts_with("CARGO");
    assert!(std::env::vars().any(|(name, _)| foreign(&name.as_str())), "nothing to hide");
    assert_eq!(names.lines().find(foreign), None);
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_with_all_it_started() {
    let began = Instant::now();
    let hang = shell("sleep 1000 & echo $!; wait", "timeout = '300ms'");
    let failure = perform(&hang).await.expect_err("hangs");
    assert_eq!(failure.kind, FailureKind::Transient);
    assert!(failure.reason.contains("did not end within 300ms"), "{}", failure.reason);
    let printed = String::from_utf8(failure.artifacts[0].content(100).unwrap()).unwrap();
    assert!(gone(&printed).await && began.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn one_that_ignores_sigterm_is_killed() {
    let began = Instant::now();
    let stubborn = shell("trap \"\" TERM; echo $$; while :; do sleep 0.1; done", "timeout = '100ms'");
    let failure = perform(&stubborn).await.expect_err("hangs");
    let printed = String::from_utf8(failure.artifacts[0].content(100).unwrap()).unwrap();
    assert!(gone(&printed).await);
    assert!((5..8).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn cancelling_ends_it_soon() {
    let cancelled = CancellationToken::new();
    let began = Instant::now();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        cancelled.cancel();
    };
    let sleep = program("program = 'sleep'\nargs = ['1000']");
    let (result, ()) = tokio::join!(call(&sleep, &cancelled), stop);
    assert_eq!(result.expect_err("cancelled").kind, FailureKind::Abandoned);
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_descendant_that_holds_the_output_does_not_hold_us() {
    let began = Instant::now();
    let output = perform(&shell("sleep 1000 & echo $!", "")).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert!(gone(&text(&output)).await, "it still runs");
}

#[tokio::test]
async fn descendants_in_other_sessions_end_with_the_program() {
    let stray = "setsid sh -c 'echo $$; exec sleep 1000' & ";
    let failure = perform(&shell(&format!("{stray} wait"), "timeout = '300ms'")).await.expect_err("hangs");
    assert!(gone(&String::from_utf8(failure.artifacts[0].content(100).unwrap()).unwrap()).await);
    // one that holds no output, of a program that ends well
    let quiet = "setsid sh -c 'echo $$ >&3; exec sleep 1000 3>&-' 3>&1 >/dev/null 2>&1 & sleep 0.2";
    assert!(gone(&text(&perform(&shell(quiet, "")).await.unwrap())).await);
}

/// The most memory that this process ever had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn a_gigabyte_is_read_and_little_is_kept_of_it() {
    let flood =
        shell("echo first; yes 0123456789abcdef | head -c 1000000000; echo last", "max_output = 4096");
    let output = perform(&flood).await.unwrap();
    assert_eq!(output.stdout.total, 1_000_000_011);
    assert!(output.stdout.truncated && output.stdout.bytes.len() < 4200);
    assert!(text(&output).starts_with("first\n") && text(&output).ends_with("last\n"));
    assert!(peak() < 128 << 20, "{} bytes", peak());
}

#[tokio::test]
async fn the_end_of_a_program_says_what_has_to_follow() {
    let codes = "exit_codes = { 3 = 'infeasible', 4 = 'broken' }";
    let success = "success = '^tps: [0-9]+$'";
    for (script, more, kind, said) in [
        ("exit 3", codes, FailureKind::Infeasible, "exited with 3"),
        ("exit 4", codes, FailureKind::Broken, "exited with 4"),
        ("echo no space >&2; exit 1", codes, FailureKind::Transient, "no space"),
        ("kill -SEGV $$", codes, FailureKind::Transient, "SIGSEGV"),
        ("head -c 4000 /dev/urandom", success, FailureKind::Invalid, "no match for `^tps"),
        ("", success, FailureKind::Invalid, "no match"),
    ] {
        let failure = perform(&shell(script, more)).await.expect_err(script);
        assert_eq!(failure.kind, kind, "{script}");
        assert!(failure.reason.contains(said), "{said}: {}", failure.reason);
    }
    assert!(perform(&shell("echo a; echo tps: 12; echo b", success)).await.is_ok());
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let plain = directory.path().join("plain");
    std::fs::write(&plain, "echo").unwrap();
    for (path, said) in [
        ("/nowhere/bench", "No such file"),
        ("no-such-program-anywhere", "not in PATH"),
        (plain.to_str().unwrap(), "Permission denied"),
    ] {
        let failure = perform(&program(&format!("program = '{path}'"))).await.expect_err(path);
        assert_eq!(failure.kind, FailureKind::Broken, "{path}");
        assert!(failure.reason.contains(path) && failure.reason.contains(said), "{}", failure.reason);
    }
    let failure = perform(&program("program = 'ls'\nworkdir = '/nowhere'")).await.expect_err("no directory");
    assert!(failure.reason.contains("working directory /nowhere"), "{}", failure.reason);
    let failure =
        perform(&program("program = 'ls'\nargs = ['{parameter:onn}']")).await.expect_err("misspelt");
    assert!(failure.reason.contains("did you mean `on`?"), "{}", failure.reason);
}

fn load(text: &str) -> Result<Commands, String> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("tool"), "").unwrap();
    let path = directory.path().join("commands.toml");
    std::fs::write(&path, text).unwrap();
    let found = Commands::load(&path).map_err(|error| error.to_string());
    found.inspect(|commands| {
        for command in commands.bench.command.values() {
            let own = command.run.program.starts_with(directory.path());
            assert_eq!(own, command.run.program.ends_with("tool"), "{command:?}");
        }
    })
}

#[test]
fn a_file_shared_with_other_settings_gives_its_commands() {
    let commands = load(
        "[bus]\nurl = 'x'\n[bench]\nprefetch = 3\n[bench.command.a]\nrun = { program = 'tool' }\n\
        [bench.command.b]\nrun = { program = './sub/tool' }\n[bench.command.c]\nrun = { program = 'sysbench' }\n",
    )
    .unwrap();
    assert_eq!(commands.bench.command.len(), 3);
}

#[test]
fn mistakes_in_the_file_are_found_when_it_is_read() {
    let run = |rest: &str| format!("[bench.command.a]\nrun = {{ program = 'x', {rest} }}\n");
    for (text, said) in [
        (run("args = ['{clutser}']"), "unknown placeholder `{clutser}`"),
        (run("exit_codes = { 300 = 'broken' }"), "`300` is not a number from 1 to 255"),
        (run("exit_codes = { 3 = 'brokn' }"), "brokn"),
        (run("success = '('"), "success"),
        (run("arg = ['a']"), "unknown field `arg`"),
        ("[bench.comand.a]\nrun = { program = 'x' }".into(), "did you mean `command`?"),
        ("[bensh.command.a]\nrun = { program = 'x' }".into(), "did you mean `bench`?"),
        (
            "[openstack.cluster.a]\naggregate = 'x'\n[openstack.cluster.b]\naggregate = 'x'".into(),
            "openstack.cluster.b: the aggregate `x` is that of openstack.cluster.a as well",
        ),
        ("[apply.command.a]\napply = { program = 'x' }".into(), "apply.command.a: missing field `capture`"),
    ] {
        let error = load(&text).expect_err(said);
        assert!(error.contains(said), "{said}: {error}");
    }
}

#[test]
fn the_examples_commands_are_in_order() {
    for name in ["quadratic", "mariadb-oltp"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/{name}.commands.toml"));
        let commands = Commands::load(&path).unwrap();
        assert!(commands.bench.command.values().all(|command| command.run.program.is_file()));
    }
}

#[test]
fn the_settings_to_start_from_are_in_order() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/worker.toml");
    let commands = Commands::load(&path).unwrap();
    let counts = [commands.apply.command.len(), commands.load.command.len(), commands.bench.command.len()];
    assert_eq!(counts, [1, 1, 1]);
}
