//! A Python that has what an example needs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The system's, if it has `modules`, or one in `folder`, where they are installed from PyPI if they are not there yet.
pub fn python(modules: &[&str], folder: &Path) -> Result<PathBuf> {
    let import = format!("import {}", modules.join(", "));
    let has_all = |python: &Path| {
        let mut command = Command::new(python);
        command.args(["-c", &import]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let (system, own) = (PathBuf::from("python3"), folder.join("bin/python"));
    if has_all(&system) {
        return Ok(system);
    }
    if !has_all(&own) {
        run(Command::new(&system).args(["-m", "venv"]).arg(folder))?;
        run(Command::new(&own).args(["-m", "pip", "install", "--quiet"]).args(modules))
            .with_context(|| format!("python3 has to have {}", modules.join(" and ")))?;
    }
    Ok(own)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?} does not start"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
