//! Both ways of applying settings, in one trial.

use std::collections::BTreeMap;
use std::path::Path;

use autoopt_cloud::Cloud;
use autoopt_epoch::command::{Cluster, Scheduler};
use autoopt_epoch::failure::FailureKind;
use autoopt_epoch::message::{Epoch, Stage};
use autoopt_epoch::space::Value;
use serde_json::json;

use crate::rig::{Lab, ZONE, lab, order};

fn cluster(lab: &Lab, restart: &str, args: &[&str]) -> Cluster {
    let scheduler: Scheduler = serde_json::from_value(json!({
        "snippet": lab.directory.join("etc/nova-scheduler.conf.d/90-lab-test.conf"),
        "config": [lab.directory.join("etc/nova.conf")],
        "restart": {"program": restart, "args": args},
    }))
    .expect("a scheduler");
    Cluster { aggregate: Some(ZONE.into()), scheduler: vec![scheduler], ..lab.cluster() }
}

fn apply(action: &str, ram: f64, percent: f64) -> Epoch {
    let mut order = order(Stage::Apply, action, "openstack", json!({}));
    let parameters = json!({"ram_weight_multiplier": ram, "metrics.cpu.percent": percent});
    order.parameters = serde_json::from_value(parameters).expect("parameters");
    order
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
    let Some(lab) = lab().await else { return };
    let (directory, script) = (&lab.directory, Lab::script());
    let cluster = cluster(&lab, &script.display().to_string(), &["restart", "nova-scheduler"]);
    let cloud = &lab.cloud;
    let before = state(directory, cloud).await;

    let captured = lab.perform_on(&cluster, &apply("capture", 0.5, 0.25)).await.unwrap();
    assert_eq!(
        captured.captured.unwrap().into_iter().collect::<Vec<_>>(),
        [
            ("metrics.cpu.percent".into(), Value::Float(0.0)),
            ("ram_weight_multiplier".into(), Value::Float(1.0))
        ]
    );
    assert_eq!(captured.outputs["sources"]["ram_weight_multiplier"], "configuration");
    assert_eq!(state(directory, cloud).await, before);

    let applied = lab.perform_on(&cluster, &apply("run", -0.5, 0.25)).await.unwrap();
    assert_eq!(applied.outputs["restarted"], 1);
    let (metadata, files, _) = state(directory, cloud).await;
    assert_eq!(metadata["ram_weight_multiplier"], "-0.5");
    assert_eq!(metadata["autoopt_before_ram_weight_multiplier"], "unset");
    assert!(files.contains(&"90-lab-test.conf".to_owned()), "{files:?}");
    let again = lab.perform_on(&cluster, &apply("run", 0.75, 0.25)).await.unwrap();
    assert_eq!(again.outputs["restarted"], 0);
    assert_eq!(state(directory, cloud).await.0["ram_weight_multiplier"], "0.75");

    lab.perform_on(&cluster, &apply("undo", 0.0, 0.0)).await.unwrap();
    assert_eq!(state(directory, cloud).await, before);
    lab.perform_on(&cluster, &apply("undo", 0.0, 0.0)).await.unwrap();

    // a restart that fails once: what was set is put back
    let flag = tempfile::NamedTempFile::new().unwrap();
    let failing = format!(
        "if [ -e {0} ]; then rm {0}; exit 9; fi; exec {1} restart nova-scheduler",
        flag.path().display(),
        script.display()
    );
    let cluster = Cluster { scheduler: self::cluster(&lab, "sh", &["-c", &failing]).scheduler, ..cluster };
    let failure = lab.perform_on(&cluster, &apply("run", 0.5, 0.5)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Transient);
    assert!(failure.reason.contains("exited with 9"), "{failure}");
    assert_eq!(state(directory, cloud).await, before);
}
