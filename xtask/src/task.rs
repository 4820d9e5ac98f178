//! The tasks themselves.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::{dashboard, hosts, lab};

/// One thing that CI checks.
pub(crate) struct Task {
    /// As typed.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) about: &'static str,
    /// Does it.
    pub(crate) run: fn() -> Result<Verdict>,
    /// Whether `ci` does.
    pub(crate) when: When,
}

/// When `ci` runs a task.
pub(crate) enum When {
    Always,
    /// Where there are so many minutes left, which it may take on a machine that has nothing ready.
    Within(u64),
    /// Not at all: it takes too long, and is run by its name.
    Asked,
}

/// What came of a task that did not fail.
pub(crate) enum Verdict {
    /// All is well.
    Passed,
    /// It could not be done here, for this reason.
    Skipped(&'static str),
}

/// In the order in which `ci` runs them: the quick ones first.
pub(crate) const TASKS: &[Task] = &[
    Task { name: "fmt", about: "the code is formatted", run: fmt, when: When::Always },
    Task { name: "clippy", about: "no lint fires", run: clippy, when: When::Always },
    Task {
        name: "test",
        about: "tests and the examples in the documentation pass",
        run: test,
        when: When::Always,
    },
    Task { name: "doc", about: "the documentation builds without a warning", run: doc, when: When::Always },
    Task {
        name: "deny",
        about: "licences, sources and advisories of dependencies are as deny.toml wants",
        run: deny,
        when: When::Always,
    },
    Task {
        name: "dashboard",
        about: "the dashboard is built from its source and works in a browser",
        run: dashboard::check,
        when: When::Always,
    },
    Task { name: "demo", about: "the README's first command works", run: demo, when: When::Always },
    Task {
        name: "faults",
        about: "nothing is lost while services and the broker are killed and clocks are wrong",
        run: faults,
        when: When::Always,
    },
    Task {
        name: "hosts",
        about: "the packages work on hosts with systemd, alone and as a lab of three, killed and upgraded",
        run: hosts::check,
        when: When::Within(12),
    },
    Task {
        name: "lab",
        about: "the stages work on a real OpenStack control plane, and a run survives its services",
        run: lab::check,
        when: When::Within(12),
    },
    Task {
        name: "tarball",
        about: "the static programs run where nothing else is, and as services (not in ci: it builds all anew, optimised)",
        run: hosts::tarball,
        when: When::Asked,
    },
];

fn fmt() -> Result<Verdict> {
    pass(cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<Verdict> {
    pass(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn test() -> Result<Verdict> {
    if installed("nextest") {
        pass(cargo().args(["nextest", "run", "--workspace"]))?;
        // nextest does not run the examples in the documentation
        pass(cargo().args(["test", "--workspace", "--doc"]))
    } else {
        pass(cargo().args(["test", "--workspace"]))
    }
}

fn doc() -> Result<Verdict> {
    pass(cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn deny() -> Result<Verdict> {
    if !installed("deny") {
        return Ok(Verdict::Skipped("cargo-deny is not installed; `cargo install cargo-deny` brings it"));
    }
    pass(cargo().args(["deny", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"]))?;
    if pass(cargo().args(["deny", "fetch", "db"])).is_err() {
        return Ok(Verdict::Skipped(
            "advisories cannot be fetched from here; licences and sources are in order",
        ));
    }
    // what was fetched is not fetched again
    pass(cargo().args(["deny", "--offline", "check", "--hide-inclusion-graph", "advisories"]))
}

/// Runs what the README runs first, unoptimised and in a directory of its own, and looks at what came of it.
fn demo() -> Result<Verdict> {
    const COMMAND: &str = "    cargo run --release -p autoopt -- ";
    let readme = std::fs::read_to_string(root().join("README.md")).context("cannot read README.md")?;
    let arguments = readme.lines().find_map(|line| line.strip_prefix(COMMAND));
    let arguments = arguments.with_context(|| format!("README.md has no line `{COMMAND}…`"))?;
    let state = std::env::temp_dir().join(format!("autoopt-demo-{}", std::process::id()));
    programs()?;
    let mut autoopt = Command::new(root().join("target/debug/autoopt"));
    let ran = pass(autoopt.args(arguments.split_whitespace()).arg("--state").arg(&state));
    let database = std::fs::read_dir(&state).map(|files| files.count() > 0).unwrap_or(false);
    if state.exists() {
        std::fs::remove_dir_all(&state).with_context(|| format!("cannot remove {}", state.display()))?;
    }
    ran?;
    ensure!(database, "the run left nothing in its state directory");
    Ok(Verdict::Passed)
}

/// The fault run in a short form; docs/performance.md has the long one.
fn faults() -> Result<Verdict> {
    programs()?;
    let short =
        ["--trials", "60", "--clusters", "3", "--kills", "3", "--broker-restarts", "1", "--wrong-clocks"];
    pass(Command::new(root().join("target/debug/faults")).args(short))
}

/// Builds the programs, in target/debug. With the tests, because their dependencies have other features without them: each of the two, and one
/// package by itself as well, would otherwise be built all over again.
pub(crate) fn programs() -> Result<Verdict> {
    pass(cargo().args(["build", "--workspace", "--bins", "--tests"]))
}

/// Runs a command from the root of the workspace; its output goes where ours goes.
pub(crate) fn pass(command: &mut Command) -> Result<Verdict> {
    let line = format!("{command:?}").replace('"', "");
    let status = command.current_dir(root()).status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(Verdict::Passed)
}

/// Whether `cargo SUBCOMMAND` exists.
pub(crate) fn installed(subcommand: &str) -> bool {
    cargo()
        .args([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
