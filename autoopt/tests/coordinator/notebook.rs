//! `examples/notebook.py`, as a script.

use std::path::Path;
use std::time::Duration;

use autoopt_tests::python::python;

use crate::support::Services;

#[tokio::test(flavor = "multi_thread")]
async fn the_notebook_submits_waits_goes_on_and_plots() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("notebook");
    let python = python(&["matplotlib", "pandas"], &folder).unwrap();
    let services = Services::start(Duration::ZERO, None).await;
    let folder = services.home.path();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    std::os::unix::fs::symlink(examples, folder.join("examples")).unwrap();
    let ours = Path::new(env!("CARGO_BIN_EXE_autoopt")).parent().unwrap().display();
    let path = format!("{ours}:{}", std::env::var("PATH").unwrap());
    let ran = services
        .program(&python.to_string_lossy())
        .arg("examples/notebook.py")
        .current_dir(folder)
        .env("PATH", path)
        .output()
        .await
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}{err}");
    assert!(out.contains("parameter.x") && out.contains("notebook.png shows them"), "{out}");
    assert!(std::fs::metadata(folder.join("notebook.png")).unwrap().len() > 1000);
    let trials = services.json(&["export", "noop", "--format", "json"]).await;
    let by_hand = |t: &&serde_json::Value| t["note"] == "between the best three";
    assert_eq!(trials["trials"].as_array().unwrap().iter().filter(by_hand).count(), 1);
    services.stop().await;
}
