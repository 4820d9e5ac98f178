//! `examples/notebook.py` as its own process beside the services.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::services;

/// Debian's own, for which `deploy/setup test` installs pandas and matplotlib.
const PYTHON: &str = "/usr/bin/python3";

#[tokio::test(flavor = "multi_thread")]
async fn a_notebook_submits_looks_acts_and_plots() {
    let home = tempfile::tempdir().expect("a folder");
    let (services, _vhost) = services(home.path()).await;
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let plot = home.path().join("trials.png");
    let mut notebook = Command::new(PYTHON);
    notebook.arg(examples.join("notebook.py")).env("AUTOOPT_SERVER", services.api());
    notebook.env("AUTOOPT_EXPERIMENT", examples.join("noop.toml")).env("AUTOOPT_PLOT", &plot);
    let output = tokio::task::spawn_blocking(move || notebook.output())
        .await
        .expect("no panic")
        .expect("Python starts");
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "`apt-get install python3-pandas python3-matplotlib`?\n{out}{error}");
    assert!(out.contains("20 trials, plotted in "), "{out}");
    assert!(std::fs::metadata(&plot).is_ok_and(|file| file.len() > 5_000), "no plot");
    let all = services.get("/v1/experiments").await.expect("experiments");
    let name = all["experiments"][0]["name"].as_str().expect("a name").to_owned();
    let trials = services.trials(&name).await.expect("trials");
    let noted = |trial: &&Value| trial["note"] == "once more, from the notebook";
    assert_eq!(trials.iter().filter(noted).count(), 1);
}
