//! Template sets of users, as load and as application.

use autoopt_cloud::NewServer;
use autoopt_cloud::workload::Inventory;
use autoopt_epoch::failure::FailureKind;
use autoopt_epoch::message::Stage;
use serde_json::{Value, json};

use crate::rig::{FLAVOR, IMAGE, Lab, ZONE, lab, order};

/// Two tiers of servers: a type of the environment's own, groups within a group, scripts beside the template that names them, and
/// parts of user data put together by Heat.
fn shop(lab: &Lab) {
    lab.write(
        "shop/main.yaml",
        r#"
heat_template_version: 2018-08-31
description: A shop of two tiers.
parameters:
  tiers: {type: comma_delimited_list}
  per_tier: {type: number, constraints: [{range: {min: 1, max: 3}}]}
  apart: {type: boolean, default: true}
conditions:
  spread: {equals: [{get_param: apart}, true]}
resources:
  rack:
    type: OS::Nova::ServerGroup
    condition: spread
    properties: {policies: [soft-anti-affinity]}
  common:
    type: OS::Heat::SoftwareConfig
    properties: {group: ungrouped, config: {get_file: scripts/common.sh}}
  front:
    type: OS::Heat::ResourceGroup
    properties:
      count: {get_param: per_tier}
      index_var: "%n%"
      resource_def:
        type: Shop::Server
        properties:
          name: {str_replace: {template: "TIER-%n%", params: {TIER: {get_param: [tiers, 0]}}}}
          rack: {if: [spread, {get_resource: rack}, ""]}
          common: {get_resource: common}
  back:
    type: tiers/back.yaml
    properties:
      tier: {get_param: [tiers, 1]}
      count: {get_param: per_tier}
      common: {get_resource: common}
    depends_on: front
outputs:
  front: {value: {get_attr: [front, address]}}
"#,
    );
    lab.write(
        "shop/tiers/back.yaml",
        r#"
heat_template_version: 2018-08-31
parameters:
  tier: {type: string}
  count: {type: number}
  common: {type: string}
resources:
  group:
    type: OS::Heat::ResourceGroup
    properties:
      count: {get_param: count}
      resource_def:
        type: ../server.yaml
        properties:
          name: {list_join: ["-", [{get_param: tier}, "%index%"]]}
          common: {get_param: common}
"#,
    );
    lab.write(
        "shop/server.yaml",
        r#"
heat_template_version: 2018-08-31
parameters:
  name: {type: string}
  common: {type: string}
  rack: {type: string, default: ""}
conditions:
  racked: {not: {equals: [{get_param: rack}, ""]}}
resources:
  role:
    type: OS::Heat::SoftwareConfig
    properties:
      group: ungrouped
      config:
        str_replace: {template: {get_file: scripts/role.sh}, params: {$NAME: {get_param: name}}}
  script:
    type: OS::Heat::MultipartMime
    properties:
      parts: [{config: {get_param: common}}, {config: {get_resource: role}}]
  server:
    type: OS::Nova::Server
    properties:
      name: {get_param: name}
      flavor: U04-RAM04-DISK-36
      image: bionic-server-cloudimg-amd64-cloud-pipeline
      availability_zone: machineLearning
      networks: [{network: external}]
      scheduler_hints: {if: [racked, {group: {get_param: rack}}, {}]}
      user_data_format: RAW
      user_data: {get_resource: script}
outputs:
  address: {value: {get_attr: [server, first_address]}}
"#,
    );
    lab.write("shop/scripts/common.sh", "#!/bin/sh\nexport LANG=C\n");
    lab.write("shop/scripts/role.sh", "#!/bin/sh\nAUTOOPT_BENCHMARK='cpu' # $NAME\n");
    lab.write(
        "shop/env.yaml",
        "parameters:\n  tiers: front,back\nresource_registry:\n  Shop::Server: server.yaml\n",
    );
}

fn names(servers: &Value) -> Vec<&str> {
    servers.as_array().expect("servers").iter().filter_map(|server| server["name"].as_str()).collect()
}

#[tokio::test]
async fn a_set_of_templates_is_a_load_that_is_kept_replaced_and_deleted() {
    let Some(lab) = lab().await else { return };
    shop(&lab);
    let before = Inventory::take(&lab.cloud).await.unwrap();
    let load = |count: u32| {
        let settings = json!({"template": "shop/main.yaml", "environment": "shop/env.yaml", "parameters": {"per_tier": count}});
        order(Stage::Load, "run", "heat", settings)
    };
    let created = lab.perform(&load(1)).await.unwrap();
    assert_eq!(names(&created.outputs["servers"]), ["back-0", "front-0"]);
    assert_eq!(created.outputs["reused"], false);
    let kept = lab.perform(&load(1)).await.unwrap();
    assert_eq!((&kept.outputs["reused"], &kept.outputs["stack"]), (&json!(true), &created.outputs["stack"]));

    let replaced = lab.perform(&load(2)).await.unwrap();
    assert_eq!(names(&replaced.outputs["servers"]), ["back-0", "back-1", "front-0", "front-1"]);
    assert_ne!(replaced.outputs["stack"], created.outputs["stack"]);
    // both parts of its user data reached the server
    let front = &replaced.outputs["servers"][2];
    let guest = lab.directory.join(format!("guests/{}.json", front["id"].as_str().unwrap()));
    let guest: Value = serde_json::from_str(&std::fs::read_to_string(guest).unwrap()).unwrap();
    let script = guest["user_data"].as_str().unwrap();
    assert!(script.contains("LANG=C") && script.contains("AUTOOPT_BENCHMARK='cpu' # front-0"), "{script}");

    lab.perform(&order(Stage::Load, "undo", "heat", json!({}))).await.unwrap();
    assert_eq!(Inventory::take(&lab.cloud).await.unwrap(), before);

    let failure = lab.perform(&load(4)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Broken, "{failure}");
    assert!(failure.reason.contains("per_tier"), "{failure}");
}

#[tokio::test]
async fn a_stack_that_cannot_be_deleted_is_told_with_heats_reason_and_deleted_once_it_can() {
    let Some(lab) = lab().await else { return };
    lab.write(
        "net.yaml",
        "heat_template_version: 2018-08-31\nresources:\n  net: {type: OS::Neutron::Net}\n  subnet:\n    type: OS::Neutron::Subnet\n    \
         properties: {network: {get_resource: net}, cidr: 10.77.0.0/24}\noutputs:\n  net: {value: {get_resource: net}}\n",
    );
    let bench = order(Stage::Bench, "run", "heat", json!({"template": "net.yaml"}));
    let done = lab.perform(&bench).await.unwrap();
    let stack =
        lab.cloud.stacks("autoopt-").await.unwrap().into_iter().find(|s| done.outputs["stack"] == *s.id);
    let resources = lab.cloud.stack_resources(&stack.unwrap()).await.unwrap();
    let net = resources.into_iter().find(|resource| resource.kind == "OS::Neutron::Net").unwrap();
    // somebody else's server uses the stack's network
    let new = NewServer {
        name: "somebody-elses".into(),
        flavor: lab.cloud.flavor(FLAVOR).await.unwrap(),
        image: lab.cloud.image(IMAGE).await.unwrap(),
        networks: net.physical_id.into_iter().collect(),
        zone: Some(ZONE.into()),
        ..NewServer::default()
    };
    let other = lab.cloud.create_server(&new).await.unwrap();
    while lab.cloud.server(&other).await.unwrap().status == "BUILD" {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }

    let undo = order(Stage::Bench, "undo", "heat", json!({}));
    let failure = lab.perform(&undo).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Broken, "{failure}");
    for told in ["DELETE_FAILED", "have an IP allocation from this subnet", "openstack stack failures list"] {
        assert!(failure.reason.contains(told), "no `{told}` in: {failure}");
    }
    lab.cloud.delete_server(&other).await.unwrap();
    while lab.cloud.server(&other).await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    lab.perform(&undo).await.unwrap();
    assert!(
        lab.cloud.stacks("autoopt-").await.unwrap().iter().all(|stack| done.outputs["stack"] != *stack.id)
    );
}
