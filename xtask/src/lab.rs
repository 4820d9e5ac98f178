//! The OpenStack control plane of `deploy/lab`: taken as it is, or with AUTOOPT_LAB=up installed, brought up and taken down again; with
//! AUTOOPT_LAB=tests as well, and then without the run through separate services, which takes another quarter of an hour.

use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::task::{Verdict, cargo, installed, pass, programs, root};

pub(crate) fn check() -> Result<Verdict> {
    if is_up() {
        return tests();
    }
    if !wanted("up") && !wanted("tests") {
        return Ok(Verdict::Skipped("the lab is not up; AUTOOPT_LAB=up installs and starts it"));
    }
    let debian = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !debian.contains("VERSION_CODENAME=bookworm") {
        return Ok(Verdict::Skipped("the lab is not up, and only Debian 12 has its packages"));
    }
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !is_root {
        return Ok(Verdict::Skipped("the lab is not up, and only root can install and start it"));
    }
    if pass(script().arg("install")).is_err() {
        return Ok(Verdict::Skipped("the lab's packages cannot be installed here, as is told above"));
    }
    if pass(script().arg("up")).is_err() {
        pass(script().arg("down"))?;
        return Ok(Verdict::Skipped("the lab does not come up here, as is told above"));
    }
    let tested = tests();
    pass(script().arg("down"))?;
    tested
}

fn tests() -> Result<Verdict> {
    // all of the workspace, or dependencies would be built once more with other features
    let binary = ["--workspace", "--test", "lab"];
    if installed("nextest") {
        pass(cargo().args(["nextest", "run"]).args(binary))?;
    } else {
        pass(cargo().arg("test").args(binary))?;
    }
    if wanted("tests") {
        return Ok(Verdict::Passed);
    }
    programs()?;
    let check = root().join("deploy/lab/check");
    let status = Command::new(&check).arg("3").status().context("cannot start deploy/lab/check")?;
    match status.code() {
        Some(0) => Ok(Verdict::Passed),
        _ => bail!("deploy/lab/check ended with {status}"),
    }
}

/// Whether the environment says so.
fn wanted(what: &str) -> bool {
    std::env::var_os("AUTOOPT_LAB").is_some_and(|given| given == what)
}

fn script() -> Command {
    Command::new(root().join("deploy/lab/openstack-lab"))
}

fn is_up() -> bool {
    let status = script().arg("status").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
