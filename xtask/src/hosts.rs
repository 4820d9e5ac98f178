//! The Debian packages on throw-away hosts with systemd: one host with everything, and three with two clusters.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::task::{Verdict, pass, programs, root};

/// A script's way to say that the kernel, or the user, does not let it make a host; it has printed why.
const CANNOT: i32 = 77;

pub(crate) fn check() -> Result<Verdict> {
    if !Command::new("cargo-deb").arg("--version").output().is_ok_and(|found| found.status.success()) {
        return Ok(Verdict::Skipped("cargo-deb is not installed; `cargo install cargo-deb` brings it"));
    }
    programs()?;
    let (packages, upgrade) = (root().join("target/package"), root().join("target/package-upgrade"));
    for (folder, version) in [(&packages, "0.1.0-1"), (&upgrade, "0.1.0-2")] {
        // the scripts install whatever package lies there
        if folder.exists() {
            std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        let mut package = script("deploy/package");
        package.args(["--profile", "dev", "--version", version, "--bin"]).arg(root().join("target/debug"));
        pass(package.arg("--into").arg(folder))?;
    }
    let mut one = script("deploy/systemd/check");
    one.arg("--packages").arg(&packages);
    let mut three = script("deploy/lab/three-hosts");
    three.arg("--packages").arg(&packages).arg("--upgrade").arg(&upgrade);
    match on_hosts(&mut one)? {
        Verdict::Passed => on_hosts(&mut three),
        skipped @ Verdict::Skipped(_) => Ok(skipped),
    }
}

/// The same for the static programs, and that they need nothing beside them.
pub(crate) fn tarball() -> Result<Verdict> {
    on_hosts(script("deploy/tarball").arg("--check"))
}

/// Runs a script that makes such hosts.
fn on_hosts(command: &mut Command) -> Result<Verdict> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    match status.code() {
        Some(0) => Ok(Verdict::Passed),
        Some(CANNOT) => Ok(Verdict::Skipped("this machine cannot have such hosts; see above")),
        _ => bail!("{command:?} ended with {status}"),
    }
}

fn script(path: &str) -> Command {
    Command::new(root().join(path))
}
