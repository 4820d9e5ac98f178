//! The backend `openstack` against the control plane of `deploy/lab`, if it is up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use autoopt_cloud::Cloud;
use autoopt_epoch::command::{Cluster, OpenStack as Config, Scheduler};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Done, Epoch};
use autoopt_epoch::space::Value;
use autoopt_epoch::worker::{Backend, Context};
use autoopt_worker_apply::OpenStack;
use serde_json::json;

const ZONE: &str = "machineLearning";

#[expect(clippy::print_stdout, reason = "a skipped test has to say so")]
fn lab() -> Option<PathBuf> {
    let directory = std::env::var_os("OPENSTACK_LAB_DIR").unwrap_or_else(|| "/var/lib/openstack-lab".into());
    let directory = PathBuf::from(directory);
    let up = std::net::TcpStream::connect("127.0.0.1:5000").is_ok();
    if !(up && directory.join("clouds.yaml").exists()) {
        println!("SKIPPED: the lab is not up (deploy/lab/openstack-lab up)");
        return None;
    }
    Some(directory)
}

fn cluster(lab: &Path, restart: &str, args: &[&str]) -> Cluster {
    let scheduler: Scheduler = serde_json::from_value(json!({
        "snippet": lab.join("etc/nova-scheduler.conf.d/90-apply-test.conf"),
        "config": [lab.join("etc/nova.conf")],
        "restart": {"program": restart, "args": args},
    }))
    .expect("a scheduler");
    Cluster {
        cloud: Some("lab".into()),
        clouds_file: Some(lab.join("clouds.yaml")),
        aggregate: Some(ZONE.into()),
        scheduler: vec![scheduler],
        ..Cluster::default()
    }
}

fn order(action: &str, ram: f64, percent: f64) -> Epoch {
    let id = "00000000-0000-5000-8000-0000000000aa";
    serde_json::from_value(json!({
        "experiment": "apply-test", "experiment_id": id, "trial": id, "number": 1, "kind": "proposed", "epoch": id,
        "cluster": "lab", "step": 0, "stage": "apply", "action": action, "attempt": 1,
        "issued": "2026-01-01T00:00:00Z", "lease": "30s", "timeout": "300s", "backend": {"backend": "openstack"},
        "parameters": {"ram_weight_multiplier": ram, "metrics.cpu.percent": percent},
    }))
    .expect("an order")
}

async fn perform(cluster: &Cluster, order: &Epoch) -> Result<Done, Failure> {
    let config =
        Config { cluster: BTreeMap::from([("lab".to_owned(), cluster.clone())]), ..Config::default() };
    let backend = OpenStack::new(config);
    let context = Context::alone(&std::env::temp_dir());
    backend.check(order)?;
    backend.perform(order, &context).await
}

/// What the backend may change.
async fn state(lab: &Path, cloud: &Cloud) -> (BTreeMap<String, String>, Vec<String>, String) {
    let metadata = cloud.aggregate(ZONE).await.expect("the aggregate").metadata;
    let files = std::fs::read_dir(lab.join("etc/nova-scheduler.conf.d")).expect("the directory");
    let files = files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    (metadata, files, std::fs::read_to_string(lab.join("etc/nova.conf")).expect("nova.conf"))
}

#[tokio::test]
async fn both_ways_in_one_trial_are_applied_verified_and_restored() {
    let Some(lab) = lab() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/lab/openstack-lab");
    let cluster = cluster(&lab, &script.display().to_string(), &["restart", "nova-scheduler"]);
    let cloud = Cloud::connect("lab", &cluster).await.unwrap();
    let before = state(&lab, &cloud).await;

    let captured = perform(&cluster, &order("capture", 0.5, 0.25)).await.unwrap();
    assert_eq!(
        captured.captured.unwrap().into_iter().collect::<Vec<_>>(),
        [
            ("metrics.cpu.percent".into(), Value::Float(0.0)),
            ("ram_weight_multiplier".into(), Value::Float(1.0))
        ]
    );
    assert_eq!(captured.outputs["sources"]["ram_weight_multiplier"], "configuration");
    assert_eq!(state(&lab, &cloud).await, before);

    let applied = perform(&cluster, &order("run", -0.5, 0.25)).await.unwrap();
    assert_eq!(applied.outputs["restarted"], 1);
    let (metadata, files, _) = state(&lab, &cloud).await;
    assert_eq!(metadata["ram_weight_multiplier"], "-0.5");
    assert_eq!(metadata["autoopt_before_ram_weight_multiplier"], "unset");
    assert!(files.contains(&"90-apply-test.conf".to_owned()), "{files:?}");
    let again = perform(&cluster, &order("run", 0.75, 0.25)).await.unwrap();
    assert_eq!(again.outputs["restarted"], 0);
    assert_eq!(state(&lab, &cloud).await.0["ram_weight_multiplier"], "0.75");

    perform(&cluster, &order("undo", 0.0, 0.0)).await.unwrap();
    assert_eq!(state(&lab, &cloud).await, before);
    perform(&cluster, &order("undo", 0.0, 0.0)).await.unwrap();

    // a restart that fails once: what was set is put back
    let flag = tempfile::NamedTempFile::new().unwrap();
    let failing = format!(
        "if [ -e {0} ]; then rm {0}; exit 9; fi; exec {1} restart nova-scheduler",
        flag.path().display(),
        script.display()
    );
    let cluster = Cluster { scheduler: self::cluster(&lab, "sh", &["-c", &failing]).scheduler, ..cluster };
    let failure = perform(&cluster, &order("run", 0.5, 0.5)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Transient);
    assert!(failure.reason.contains("exited with 9"), "{failure}");
    assert_eq!(state(&lab, &cloud).await, before);
}
