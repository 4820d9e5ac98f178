//! Bench and collect: servers, and a Heat stack.

use autoopt_cloud::workload::Inventory;
use autoopt_epoch::failure::FailureKind;
use autoopt_epoch::message::Stage;
use serde_json::json;

use crate::rig::{FLAVOR, IMAGE, collecting, lab, order};

#[tokio::test]
async fn servers_are_created_measured_and_leave_nothing() {
    let Some(lab) = lab().await else { return };
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

    let failure =
        lab.perform(&order(Stage::Bench, "run", "servers", settings("absent", 1))).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Broken);
    assert!(failure.reason.contains("image `absent`"), "{failure}");

    let bench = order(Stage::Bench, "run", "servers", settings(IMAGE, 1));
    let done = lab.perform(&bench).await.unwrap();
    let placement = done.outputs["placement"].as_object().unwrap();
    assert!(placement["cpu"].as_str().unwrap().starts_with("compute-"));
    assert_ne!(placement["cpu"], placement["peer"]);
    // handed out again, it finds the same servers
    let again = lab.perform(&bench).await.unwrap();
    assert_eq!(again.outputs["servers"][1]["id"], done.outputs["servers"][1]["id"]);
    let collected = lab.perform(&collecting(&bench, &again)).await.unwrap();
    assert!(collected.measurement.unwrap().objective > 0.0);
    let names: Vec<&str> = collected.artifacts.iter().map(|artifact| artifact.name.as_str()).collect();
    assert_eq!(names, ["cpu.console", "cpu"]);
    assert_eq!(Inventory::take(&lab.cloud).await.unwrap(), before);

    // five that must not share a host, on four hosts
    let settings = json!({
        "flavor": FLAVOR, "image": IMAGE, "zone": "machineLearning", "groups": {"apart": "anti-affinity"},
        "servers": [{"name": "peer", "group": "apart", "count": 5, "result": false}],
    });
    let failure = lab.perform(&order(Stage::Bench, "run", "servers", settings)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Infeasible, "{failure}");
    assert!(
        failure.reason.contains("server `peer-5`") && failure.reason.contains("No valid host"),
        "{failure}"
    );
    lab.perform(&order(Stage::Bench, "undo", "servers", json!({}))).await.unwrap();
    assert_eq!(Inventory::take(&lab.cloud).await.unwrap(), before);
}

#[tokio::test]
async fn a_stack_of_nested_templates_is_created_measured_and_deleted() {
    let Some(lab) = lab().await else { return };
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
    let bench =
        order(Stage::Bench, "run", "heat", json!({"template": "app.yaml", "parameters": {"count": 1}}));
    let done = lab.perform(&bench).await.unwrap();
    assert_eq!(done.outputs["servers"][0]["name"], "cpu");
    assert!(done.outputs["placement"]["cpu"].as_str().unwrap().starts_with("compute-"));
    let collected = lab.perform(&collecting(&bench, &done)).await.unwrap();
    assert!(collected.measurement.unwrap().objective > 0.0);
    assert!(
        lab.cloud.stacks("autoopt-").await.unwrap().iter().all(|stack| stack.id != done.outputs["stack"])
    );

    lab.write("app.yaml", "resources: [");
    let failure = lab.perform(&bench).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Broken);
    assert!(failure.reason.contains("app.yaml"), "{failure}");
}
