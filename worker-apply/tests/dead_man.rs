//! The dead man's rule, on a simulated cloud.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use autoopt_epoch::command::{Cluster, OpenStack as Config};
use autoopt_epoch::message::Epoch;
use autoopt_epoch::time::Period;
use autoopt_epoch::worker::{Backend, Context};
use autoopt_simulator::Simulator;
use autoopt_worker_apply::OpenStack;
use serde_json::json;

/// Long enough for a worker to be asked for the next thing, on a busy machine.
const LIMIT: Duration = Duration::from_secs(2);

fn backend(simulator: &Simulator, files: &Path) -> OpenStack {
    let clouds_file = files.join("clouds.yaml");
    std::fs::write(&clouds_file, simulator.clouds_yaml("sim")).expect("a file");
    let cluster = Cluster {
        cloud: Some("sim".into()),
        clouds_file: Some(clouds_file),
        simulator: Some(simulator.url()),
        aggregate: Some("machineLearning".into()),
        dead_man: Some(Period(LIMIT)),
        ..Cluster::default()
    };
    OpenStack::new(Config { cluster: BTreeMap::from([("lab".to_owned(), cluster)]), ..Config::default() })
}

fn order(action: &str) -> Epoch {
    let id = "00000000-0000-5000-8000-0000000000aa";
    serde_json::from_value(json!({
        "experiment": "e", "experiment_id": id, "trial": id, "number": 1, "kind": "proposed", "epoch": id, "cluster": "lab",
        "step": 0, "stage": "apply", "action": action, "attempt": 1, "issued": "2026-01-01T00:00:00Z", "lease": "30s",
        "timeout": "300s", "backend": {"backend": "openstack"}, "parameters": {"ram_weight_multiplier": -0.5},
    }))
    .expect("an order")
}

fn in_force(simulator: &Simulator) -> bool {
    simulator
        .with(|cloud| cloud.aggregates.values().any(|a| a.metadata.contains_key("ram_weight_multiplier")))
}

async fn restored_within(simulator: &Simulator, limit: Duration) -> bool {
    let gone = async {
        while in_force(simulator) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(limit, gone).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_restored_once_the_coordinator_is_silent_and_not_before() {
    let simulator = Simulator::start(autoopt_simulator::Config::default()).await.unwrap();
    let files = tempfile::tempdir().unwrap();
    let context = Context::alone(files.path());
    let worker = backend(&simulator, files.path());
    // each order begins the time anew
    for _ in 0..3 {
        worker.perform(&order("run"), &context).await.unwrap();
        assert!(!restored_within(&simulator, LIMIT / 2).await);
    }
    assert!(restored_within(&simulator, LIMIT * 10).await);

    // a worker that was restarted knows what its predecessor had applied
    worker.perform(&order("run"), &context).await.unwrap();
    let stopped = files.path().join("stopped");
    std::fs::create_dir(&stopped).unwrap();
    std::fs::rename(files.path().join("in-force-lab.json"), stopped.join("in-force-lab.json")).unwrap();
    // from here on the first one knows of nothing in force
    worker.perform(&order("capture"), &context).await.unwrap();
    assert!(!restored_within(&simulator, LIMIT * 2).await);
    let restarted = backend(&simulator, files.path());
    restarted.resume(&Context::alone(&stopped)).await;
    assert!(restored_within(&simulator, LIMIT * 10).await);

    // what has been restored is not waited for
    worker.perform(&order("run"), &context).await.unwrap();
    worker.perform(&order("undo"), &context).await.unwrap();
    assert!(!files.path().join("in-force-lab.json").exists());
}
