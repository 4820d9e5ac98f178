//! The OpenStack client: what the stages ask of it.

use std::collections::BTreeMap;
use std::time::Duration;

use autoopt_cloud::{Cloud, Error, ErrorKind, NewServer, Server};
use autoopt_epoch::command::Cluster;
use autoopt_epoch::time::Period;

use crate::rig::{FLAVOR, IMAGE, ZONE, lab};

async fn until(
    cloud: &Cloud,
    id: &str,
    done: impl Fn(&Result<Server, Error>) -> bool,
) -> Result<Server, Error> {
    for _ in 0..240 {
        let server = cloud.server(id).await;
        if done(&server) {
            return server;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("server {id} is not as expected after two minutes")
}

#[tokio::test]
async fn what_the_lab_has_is_found_by_name() {
    let Some(lab) = lab().await else { return };
    let cloud = &lab.cloud;
    cloud.flavor(FLAVOR).await.unwrap();
    cloud.image(IMAGE).await.unwrap();
    cloud.network("external").await.unwrap();
    let error = cloud.flavor("U04-RAM04-DISK-63").await.unwrap_err();
    assert!(error.to_string().contains("did you mean `U04-RAM04-DISK-36`?"), "{error}");

    assert_eq!(cloud.aggregate(ZONE).await.unwrap().hosts.len(), 4);
    assert_eq!(cloud.hypervisors().await.unwrap().len(), 4);
    assert_eq!(cloud.compute_services("nova-scheduler").await.unwrap().len(), 1);
    assert_eq!(cloud.limits().await.unwrap().max_total_instances, -1);
    let providers = cloud.providers().await.unwrap();
    let host = providers.iter().find(|provider| provider.name == "compute-0").unwrap();
    assert_eq!(cloud.inventories(&host.uuid).await.unwrap()["VCPU"].total, 32);
    assert!(cloud.volumes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_server_lives_and_leaves_nothing_behind() {
    let Some(lab) = lab().await else { return };
    let cloud = &lab.cloud;
    let name = format!("cloud-test-{}", std::process::id());
    let group = cloud.create_server_group(&name, "anti-affinity").await.unwrap();
    let new = NewServer {
        name: name.clone(),
        flavor: cloud.flavor(FLAVOR).await.unwrap(),
        image: cloud.image(IMAGE).await.unwrap(),
        networks: vec![cloud.network("external").await.unwrap()],
        zone: Some(ZONE.into()),
        group: Some(group.clone()),
        user_data: Some("#!/bin/sh\nbenchmark_type='cpu'\n".into()),
        metadata: BTreeMap::from([("test".into(), "yes".into())]),
        key: None,
    };
    let id = cloud.create_server(&new).await.unwrap();
    let built = |server: &Result<Server, Error>| server.as_ref().is_ok_and(|s| s.status != "BUILD");
    let server = until(cloud, &id, built).await.unwrap();
    assert_eq!((server.status.as_str(), server.fault.is_none()), ("ACTIVE", true));
    assert!(server.host.as_deref().unwrap().starts_with("compute-"));
    assert!(server.address().unwrap().starts_with("10.20."));
    assert_eq!(server.metadata["test"], "yes");
    assert_eq!(cloud.servers(&name).await.unwrap().len(), 1);
    assert_eq!(cloud.server_groups(&name).await.unwrap()[0].members, [id.as_str()]);
    assert!(cloud.console(&id).await.unwrap().contains("output] file:cpu.log"));
    assert_eq!(cloud.allocations(&id).await.unwrap().len(), 1);
    assert_eq!(cloud.ports_of(&id).await.unwrap().len(), 1);

    cloud.delete_server(&id).await.unwrap();
    let gone = until(cloud, &id, Result::is_err).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
    assert!(gone.request_id.is_some_and(|id| id.starts_with("req-")));
    cloud.delete_server(&id).await.unwrap();
    cloud.delete_server_group(&group).await.unwrap();
    assert!(cloud.allocations(&id).await.unwrap().is_empty());
    assert!(cloud.ports_of(&id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_fits_nowhere_says_so() {
    let Some(lab) = lab().await else { return };
    let cloud = &lab.cloud;
    let name = format!("cloud-test-nowhere-{}", std::process::id());
    let group = cloud.create_server_group(&name, "anti-affinity").await.unwrap();
    let new = NewServer {
        name,
        flavor: cloud.flavor(FLAVOR).await.unwrap(),
        image: cloud.image(IMAGE).await.unwrap(),
        zone: Some(ZONE.into()),
        group: Some(group.clone()),
        ..NewServer::default()
    };
    // one more than there are hosts
    let mut refused = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..5 {
        let id = cloud.create_server(&new).await.unwrap();
        let built = |server: &Result<Server, Error>| server.as_ref().is_ok_and(|s| s.status != "BUILD");
        let server = until(cloud, &id, built).await.unwrap();
        refused.extend((server.status == "ERROR").then_some(server));
        ids.push(id);
    }
    for id in ids {
        cloud.delete_server(&id).await.unwrap();
    }
    cloud.delete_server_group(&group).await.unwrap();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].has_no_valid_host(), "{:?}", refused[0].fault);
}

#[tokio::test]
async fn aggregate_metadata_is_set_and_removed() {
    let Some(lab) = lab().await else { return };
    let cloud = &lab.cloud;
    let id = cloud.aggregate(ZONE).await.unwrap().id;
    let key = format!("test_{}", std::process::id());
    let set =
        cloud.set_aggregate_metadata(id, &BTreeMap::from([(key.clone(), Some("1.5".into()))])).await.unwrap();
    assert_eq!(set.metadata[&key], "1.5");
    let removed = cloud.set_aggregate_metadata(id, &BTreeMap::from([(key.clone(), None)])).await.unwrap();
    assert!(!removed.metadata.contains_key(&key));
    assert_eq!(removed.metadata["availability_zone"], ZONE);
}

#[tokio::test]
async fn wrong_credentials_and_an_absent_cloud_are_told_apart() {
    let Some(lab) = lab().await else { return };
    let cluster = lab.cluster();
    let directory = tempfile::tempdir().unwrap();
    let written = |name: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(cluster.clouds_file.as_ref().unwrap()).unwrap().replace(from, to);
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        Cluster { clouds_file: Some(path), timeout: Period::seconds(5), ..cluster.clone() }
    };
    let wrong = written("wrong.yaml", "password: lab", "password: guess");
    let error = Cloud::connect("lab", &wrong).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert!(!error.to_string().contains("guess"), "{error}");
    let absent = written("absent.yaml", ":5000/", ":1/");
    assert_eq!(Cloud::connect("lab", &absent).await.unwrap_err().kind, ErrorKind::Unreachable);
}
