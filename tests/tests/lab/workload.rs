//! Bench and collect on the control plane of `deploy/lab`, if it is up: servers, and a Heat stack.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use autoopt_cloud::workload::Inventory;
use autoopt_cloud::{Cloud, Clouds};
use autoopt_epoch::command::{Cluster, Commands, OpenStack};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::id::EpochId;
use autoopt_epoch::message::{Done, Epoch, Stage};
use autoopt_epoch::worker::{Backend, Context};
use serde_json::{Value, json};

const IMAGE: &str = "bionic-server-cloudimg-amd64-cloud-pipeline";
const FLAVOR: &str = "U04-RAM04-DISK-36";

/// What a project has is compared, so one test at a time.
static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

struct Lab {
    config: OpenStack,
    cloud: Cloud,
    files: tempfile::TempDir,
}

#[expect(clippy::print_stdout, reason = "a skipped test has to say so")]
async fn lab() -> Option<Lab> {
    let directory = std::env::var_os("OPENSTACK_LAB_DIR").unwrap_or_else(|| "/var/lib/openstack-lab".into());
    let clouds_file = PathBuf::from(directory).join("clouds.yaml");
    if !(std::net::TcpStream::connect("127.0.0.1:5000").is_ok() && clouds_file.exists()) {
        println!("SKIPPED: the lab is not up (deploy/lab/openstack-lab up)");
        return None;
    }
    let files = tempfile::tempdir().expect("a directory");
    let cluster = Cluster { cloud: Some("lab".into()), clouds_file: Some(clouds_file), ..Cluster::default() };
    let config = OpenStack {
        files: Some(files.path().to_owned()),
        cluster: BTreeMap::from([("lab-test".to_owned(), cluster)]),
        ..OpenStack::default()
    };
    let cloud = Clouds::new(config.clone()).get("lab-test").await.expect("the lab takes its own clouds.yaml");
    Some(Lab { config, cloud, files })
}

impl Lab {
    fn backend(&self, stage: Stage, name: &str) -> Arc<dyn Backend> {
        let commands = Commands { openstack: self.config.clone(), ..Commands::default() };
        match stage {
            Stage::Bench => autoopt_worker_bench::backends(&commands)[name].clone(),
            _ => autoopt_worker_collect::backends(&commands)[name].clone(),
        }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.files.path().join(name), text).expect("a file");
    }

    async fn perform(&self, order: &Epoch, state: &Path) -> Result<Done, Failure> {
        let backend = self.backend(order.stage, &order.backend.backend);
        backend.check(order)?;
        backend.perform(order, &Context::alone(state)).await
    }
}

fn order(stage: &str, action: &str, backend: &str, settings: Value) -> Epoch {
    let id = EpochId::derived(uuid::Uuid::nil(), &format!("{}/{backend}", std::process::id()));
    let mut order: Epoch = serde_json::from_value(json!({
        "experiment": "bench-test", "experiment_id": id, "trial": id, "number": 1, "kind": "proposed", "epoch": id,
        "cluster": "lab-test", "step": 2, "stage": stage, "action": action, "attempt": 1,
        "issued": "2026-01-01T00:00:00Z", "lease": "30s", "timeout": "300s", "backend": {"backend": backend},
    }))
    .expect("an order");
    order.backend.settings = settings.as_object().cloned().unwrap_or_default();
    order
}

/// The collect order that follows `bench`, which ended with `done`.
fn collecting(bench: &Epoch, done: &Done) -> Epoch {
    let mut order = order("collect", "run", "console", json!({}));
    order.epoch = bench.epoch;
    order.outputs = BTreeMap::from([(Stage::Bench, done.outputs.clone())]);
    order.measure = serde_json::from_value(json!({
        "metrics": [{"name": "rate", "from": "cpu", "parser": "sysbench", "field": "events_per_second"}],
        "objective": {"maximize": "rate"},
    }))
    .expect("a measure");
    order
}

#[tokio::test]
async fn servers_are_created_measured_and_leave_nothing() {
    let _one = ONE.lock().await;
    let Some(lab) = lab().await else { return };
    let state = tempfile::tempdir().unwrap();
    lab.write("run.sh", "#!/bin/sh\nexit 0\n");
    let settings = |image: &str, count: u32| {
        json!({
            "flavor": FLAVOR, "image": image, "network": "external", "zone": "machineLearning",
            "groups": {"apart": "anti-affinity"},
            "servers": [
                {"name": "peer", "group": "apart", "count": count, "result": false},
                {"name": "cpu", "group": "apart", "user_data": ["run.sh"],
                 "variables": {"AUTOOPT_BENCHMARK": "cpu", "AUTOOPT_PEER": "{address:peer}"}},
            ],
        })
    };
    let before = Inventory::take(&lab.cloud).await.unwrap();

    let failure = lab
        .perform(&order("bench", "run", "servers", settings("absent", 1)), state.path())
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Broken);
    assert!(failure.reason.contains("image `absent`"), "{failure}");

    let bench = order("bench", "run", "servers", settings(IMAGE, 1));
    let done = lab.perform(&bench, state.path()).await.unwrap();
    let placement = done.outputs["placement"].as_object().unwrap();
    assert!(placement["cpu"].as_str().unwrap().starts_with("compute-"));
    assert_ne!(placement["cpu"], placement["peer"]);
    // handed out again, it finds the same servers
    let again = lab.perform(&bench, state.path()).await.unwrap();
    assert_eq!(again.outputs["servers"][1]["id"], done.outputs["servers"][1]["id"]);
    let collected = lab.perform(&collecting(&bench, &again), state.path()).await.unwrap();
    assert!(collected.measurement.unwrap().objective > 0.0);
    let names: Vec<&str> = collected.artifacts.iter().map(|artifact| artifact.name.as_str()).collect();
    assert_eq!(names, ["cpu.console", "cpu"]);
    assert_eq!(Inventory::take(&lab.cloud).await.unwrap(), before);

    // five that must not share a host, on four hosts
    let settings = json!({
        "flavor": FLAVOR, "image": IMAGE, "zone": "machineLearning", "groups": {"apart": "anti-affinity"},
        "servers": [{"name": "peer", "group": "apart", "count": 5, "result": false}],
    });
    let failure = lab.perform(&order("bench", "run", "servers", settings), state.path()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Infeasible, "{failure}");
    assert!(
        failure.reason.contains("server `peer-5`") && failure.reason.contains("No valid host"),
        "{failure}"
    );
    lab.perform(&order("bench", "undo", "servers", json!({})), state.path()).await.unwrap();
    assert_eq!(Inventory::take(&lab.cloud).await.unwrap(), before);
}

#[tokio::test]
async fn a_stack_of_nested_templates_is_created_measured_and_deleted() {
    let _one = ONE.lock().await;
    let Some(lab) = lab().await else { return };
    let state = tempfile::tempdir().unwrap();
    lab.write(
        "app.yaml",
        "heat_template_version: 2018-08-31\nparameters: {count: {type: number}}\nresources:\n  group:\n    type: OS::Heat::ResourceGroup\n    \
         properties:\n      count: {get_param: count}\n      resource_def: {type: server.yaml, properties: {name: cpu}}\n",
    );
    lab.write(
        "server.yaml",
        "heat_template_version: 2018-08-31\nparameters: {name: {type: string}}\nresources:\n  config:\n    type: OS::Heat::SoftwareConfig\n    \
         properties: {group: ungrouped, config: {get_file: run.sh}}\n  server:\n    type: OS::Nova::Server\n    properties:\n      \
         name: {get_param: name}\n      flavor: U04-RAM04-DISK-36\n      image: bionic-server-cloudimg-amd64-cloud-pipeline\n      \
         availability_zone: machineLearning\n      networks: [{network: external}]\n      user_data_format: RAW\n      \
         user_data: {get_resource: config}\n",
    );
    lab.write("run.sh", "#!/bin/sh\nlocal benchmark_type=cpu\n");
    let bench = order("bench", "run", "heat", json!({"template": "app.yaml", "parameters": {"count": 1}}));
    let done = lab.perform(&bench, state.path()).await.unwrap();
    assert_eq!(done.outputs["servers"][0]["name"], "cpu");
    assert!(done.outputs["placement"]["cpu"].as_str().unwrap().starts_with("compute-"));
    let collected = lab.perform(&collecting(&bench, &done), state.path()).await.unwrap();
    assert!(collected.measurement.unwrap().objective > 0.0);
    assert!(
        lab.cloud.stacks("autoopt-").await.unwrap().iter().all(|stack| stack.id != done.outputs["stack"])
    );

    lab.write("app.yaml", "resources: [");
    let failure = lab.perform(&bench, state.path()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Broken);
    assert!(failure.reason.contains("app.yaml"), "{failure}");
}
