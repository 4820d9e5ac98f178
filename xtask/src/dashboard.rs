//! The dashboard: what is kept is what its source gives, and it works in a browser.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::task::{Verdict, cargo, pass, root};

/// Where the browser's tests look for it.
const CHROMIUM: &str = "/usr/bin/chromium";

pub(crate) fn check() -> Result<Verdict> {
    if !starts("npm") {
        return Ok(Verdict::Skipped("there is no npm; `apt-get install nodejs npm` brings it"));
    }
    let kept = files()?;
    pass(npm().args(["ci", "--no-audit", "--no-fund"]))?;
    pass(npm().args(["test"]))?;
    pass(npm().args(["run", "build"]))?;
    ensure!(
        kept == files()?,
        "dashboard/dist was not what its source gives; it is now: review and commit the difference"
    );
    if !Path::new(CHROMIUM).exists() {
        return Ok(Verdict::Skipped("dist is in order; there is no /usr/bin/chromium to try it in"));
    }
    // all of the workspace, or dependencies would be built once more with other features
    let test = ["test", "--workspace", "--test", "http", "--", "--ignored", "in_a_browser"];
    pass(cargo().args(test))
}

/// What is embedded, by name.
fn files() -> Result<Vec<(String, Vec<u8>)>> {
    let folder = root().join("dashboard/dist");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let content = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        files.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), content));
    }
    files.sort();
    Ok(files)
}

/// `npm` for the dashboard.
fn npm() -> Command {
    let mut command = Command::new("npm");
    command.args(["--prefix", "dashboard"]);
    command
}

fn starts(program: &str) -> bool {
    let status = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
