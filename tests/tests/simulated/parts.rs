//! Two clusters that are parts of one cloud, in one project: an aggregate and an availability zone each.

use std::collections::BTreeMap;

use autoopt_epoch::failure::FailureKind;
use autoopt_epoch::message::{Done, LeakKind, Stage};
use autoopt_simulator::Config;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::rig::{Rig, collecting, order};

async fn rig() -> Rig {
    let mut cloud = Config::default();
    let mut west = cloud.aggregates[0].clone();
    west.hosts.truncate(3);
    (west.name, west.zone) = ("west".into(), Some("west".into()));
    let mut east = cloud.aggregates[0].clone();
    east.hosts.drain(..3);
    (east.name, east.zone) = ("east".into(), Some("east".into()));
    cloud.aggregates = vec![west, east];
    Rig::over(cloud, |commands| {
        let clusters = &mut commands["openstack"]["cluster"];
        for name in ["west", "east"] {
            clusters[name] = clusters["lab"].clone();
            (clusters[name]["aggregate"], clusters[name]["zone"]) = (json!(name), json!(name));
        }
        clusters.as_object_mut().expect("clusters").remove("lab");
    })
    .await
}

/// Two servers of an epoch of this number, on a cluster; their spec says nothing of a zone.
async fn bench(rig: &Rig, cluster: &str, number: u128) -> Done {
    let servers = json!({
        "flavor": "app", "image": "debian-12", "network": "external",
        "servers": [{"name": "cpu", "user_data": ["bench.sh"], "variables": {"AUTOOPT_BENCHMARK": "cpu"}}, {"name": "idle", "result": false}],
    });
    let mut bench = order(number, Stage::Bench, "servers", servers);
    bench.cluster = cluster.into();
    rig.perform(&bench).await.expect("it runs")
}

async fn collect(rig: &Rig, cluster: &str, number: u128, benched: Done) -> Done {
    let mut collect = collecting(number);
    collect.cluster = cluster.into();
    collect.outputs = BTreeMap::from([(Stage::Bench, benched.outputs)]);
    rig.perform(&collect).await.expect("it was measured")
}

fn landed(benched: &Done) -> Vec<&str> {
    let placement = benched.outputs["placement"].as_object().expect("placement");
    placement.values().filter_map(Value::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn their_epochs_run_at_once_each_on_its_own_hosts_and_see_no_leaks_in_each_other() {
    const WEST: [&str; 3] = ["compute-0", "compute-1", "compute-2"];
    let rig = rig().await;
    let first = bench(&rig, "west", 60).await;
    // it begins while the first one's servers are there, and is measured when they are gone
    let second = bench(&rig, "east", 61).await;
    assert!(landed(&first).iter().all(|host| WEST.contains(host)), "{:?}", landed(&first));
    assert!(!landed(&second).iter().any(|host| WEST.contains(host)), "{:?}", landed(&second));
    assert_eq!(collect(&rig, "west", 60, first).await.leaks, []);
    assert_eq!(rig.simulator.with(|cloud| cloud.servers.len()), 2, "those of the other");
    let third = bench(&rig, "west", 62).await;
    assert_eq!(collect(&rig, "east", 61, second).await.leaks, []);

    let stranger = rig.simulator.with(|cloud| {
        let network = cloud.networks[0].id;
        cloud.create_port(network, "", None, Some(Uuid::from_u128(99)), true).expect("a port")
    });
    let leaks = collect(&rig, "west", 62, third).await.leaks;
    let told: Vec<_> = leaks.iter().map(|leak| (leak.kind, leak.id.clone())).collect();
    assert_eq!(told, [(LeakKind::Port, stranger.to_string())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_hold_for_both_is_refused() {
    let rig = rig().await;
    let mut apply = order(63, Stage::Apply, "openstack", json!({}));
    apply.cluster = "west".into();
    apply.parameters = serde_json::from_value(json!({"metrics.cpu.percent": 0.5})).expect("parameters");
    let failure = rig.perform(&apply).await.expect_err("the scheduler's configuration is both clusters'");
    assert_eq!(failure.kind, FailureKind::Broken);
    assert!(failure.reason.contains("[openstack.cluster.east], so that it would hold for both"), "{failure}");
    apply.parameters = serde_json::from_value(json!({"ram_weight_multiplier": -1.0})).expect("parameters");
    rig.perform(&apply).await.expect("aggregates are theirs");
}
