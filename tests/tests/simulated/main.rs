//! Apply, bench and collect on a simulated cloud where something goes wrong.

mod bad_input;
mod parts;
mod rig;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use autoopt_epoch::failure::FailureKind;
use autoopt_epoch::message::{Action, LeakKind, Stage};
use autoopt_simulator::Simulator;
use autoopt_simulator::faults::{Fault, Trigger};
use base64::Engine;
use serde_json::json;
use uuid::Uuid;

use crate::rig::{Rig, order};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_changes_meanwhile_makes_the_trial_invalid() {
    let rig = Rig::new().await;
    let changed = |rig: &Rig| {
        rig.simulator.with(|cloud| {
            let id = *cloud.aggregates.keys().next().expect("an aggregate");
            let change = [("ram_weight_multiplier".to_owned(), Some("3".to_owned()))].into();
            cloud.set_metadata(id, &change).expect("it is set");
        });
    };
    let failure = rig.epoch(10, changed).await.expect_err("it was changed");
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert!(failure.reason.contains("`machineLearning` was changed by somebody else"), "{failure}");

    for file in ["90.conf", "nova.conf"] {
        let failure = rig
            .epoch(11, |rig| {
                let path = rig.path(file);
                let text = std::fs::read_to_string(&path).expect("the file") + "# mine\n";
                std::fs::write(path, text).expect("the file");
            })
            .await
            .expect_err("it was changed");
        assert_eq!(failure.kind, FailureKind::Invalid, "{failure}");
        assert!(failure.reason.contains(file), "{failure}");
    }
    assert!(rig.epoch(12, |_| {}).await.expect("an undisturbed one").measurement.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nova_forgets_is_removed_and_what_is_left_is_told() {
    let rig = Rig::new().await;
    rig.simulator.set_fault(Fault::LeakedPort, Trigger { next: 1, share: 0.0 });
    rig.simulator.set_fault(Fault::LeakedAllocation, Trigger { next: 1, share: 0.0 });
    let done = rig.epoch(20, |_| {}).await.expect("it is healed");
    let measured = done.measurement.expect("a measurement");
    assert_eq!(measured.metrics["more"], 1.0, "the program saw the servers");
    let left =
        || rig.simulator.with(|cloud| (cloud.servers.len(), cloud.ports.len(), cloud.allocations.len()));
    assert_eq!(left(), (0, 0, 0));

    // nor of a server that is replaced by another attempt
    // on as many hosts as nova tries
    rig.simulator.set_fault(Fault::FailedBuild, Trigger { next: 3, share: 0.0 });
    let failure = rig.epoch(23, |_| {}).await.expect_err("a build that fails");
    assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
    rig.simulator.set_fault(Fault::LeakedPort, Trigger { next: 1, share: 0.0 });
    rig.simulator.set_fault(Fault::LeakedAllocation, Trigger { next: 1, share: 0.0 });
    assert_eq!(rig.epoch(23, |_| {}).await.expect("another attempt").leaks, []);
    assert_eq!(left(), (0, 0, 0));

    // nor of one that the collect stage had deleted before it failed
    rig.simulator.set_fault(Fault::LeakedPort, Trigger { next: 1, share: 0.0 });
    let deleted = |rig: &Rig| {
        rig.simulator.with(|cloud| {
            for id in cloud.servers.keys().copied().collect::<Vec<_>>() {
                assert!(cloud.delete_server(id, "req-test"), "a server");
            }
        });
    };
    rig.epoch(24, deleted).await.expect_err("there is no console");
    assert_eq!(left(), (0, 0, 0));

    let stranger = |rig: &Rig| {
        rig.simulator.with(|cloud| {
            let network = cloud.networks[0].id;
            cloud.create_port(network, "", None, Some(Uuid::from_u128(99)), true).expect("a port");
        });
    };
    let done = rig.epoch(21, stranger).await.expect("what was measured counts");
    assert!(done.measurement.is_some());
    let [leak] = done.leaks.as_slice() else { panic!("{:?}", done.leaks) };
    assert_eq!(leak.kind, LeakKind::Port);
    // looked for again: there, and gone
    let mut look = order(22, Stage::Bench, "servers", json!({}));
    (look.action, look.leaks) = (Action::Undo, done.leaks.clone());
    assert_eq!(rig.perform(&look).await.expect("an answer").leaks, done.leaks);
    rig.simulator.with(|cloud| cloud.ports.clear());
    assert_eq!(rig.perform(&look).await.expect("an answer").leaks, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_an_undo_deleted_before_it_failed_are_not_forgotten() {
    let rig = Rig::new().await;
    let servers = json!({
        "flavor": "app", "image": "debian-12", "network": "external", "zone": "machineLearning",
        "servers": [{"name": "a"}, {"name": "b"}],
    });
    let bench = order(30, Stage::Bench, "servers", servers);
    // they print no result
    tokio::time::timeout(Duration::from_secs(3), rig.perform(&bench)).await.expect_err("it waits");
    rig.simulator.set_fault(Fault::FailedDelete, Trigger { next: 1, share: 0.0 });
    rig.simulator.set_fault(Fault::LeakedPort, Trigger { next: 1, share: 0.0 });
    let mut undo = order(30, Stage::Bench, "servers", json!({}));
    undo.action = Action::Undo;
    let failure = rig.perform(&undo).await.expect_err("one server is still there");
    assert_eq!(failure.kind, FailureKind::Broken, "{failure}");
    let left = || rig.simulator.with(|cloud| (cloud.servers.len(), cloud.ports.len()));
    assert_eq!(left(), (1, 2), "one server, and the port of the other");
    assert_eq!(rig.perform(&undo).await.expect("it can be deleted now").leaks, []);
    assert_eq!(left(), (0, 0));
}

/// Runs the user data of the cloud's first server, as cloud-init would; its console goes to `console`.
fn boot(simulator: &Simulator, directory: &Path) {
    let raw = loop {
        let found =
            simulator.with(|cloud| cloud.servers.values().find_map(|server| server.user_data.clone()));
        match found {
            Some(raw) => break raw,
            None => std::thread::yield_now(),
        }
    };
    let text = base64::engine::general_purpose::STANDARD.decode(raw.as_bytes()).expect("base64");
    let script = directory.join("user-data");
    std::fs::write(&script, text).expect("a file");
    let mut command = std::process::Command::new("sh");
    command.arg(script).env("AUTOOPT_CONSOLE", directory.join("console")).env("AUTOOPT_DIRECTORY", directory);
    assert!(command.status().expect("a shell").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_may_post_their_results() {
    let rig = Rig::new().await;
    let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/guest/runner.sh");
    std::fs::copy(runner, rig.path("runner.sh")).expect("the guest's runner");
    std::fs::write(rig.path("answer.sh"), "answer() { echo '{\"rate\": 7}'; }\nbenchmark answer answer\n")
        .expect("a file");
    let bench = order(
        30,
        Stage::Bench,
        "servers",
        json!({
            "flavor": "app", "image": "debian-12", "network": "external", "http": true, "poll": "1s",
            "servers": [{"name": "a", "user_data": ["runner.sh", "answer.sh"]}],
        }),
    );
    let guest = tempfile::tempdir().expect("a folder");
    let (simulator, directory) = (rig.simulator.clone(), guest.path().to_owned());
    let booted = tokio::task::spawn_blocking(move || boot(&simulator, &directory));
    let (benched, booted) = tokio::join!(rig.perform(&bench), booted);
    booted.expect("no panic");
    let benched = benched.expect("it was posted");
    let mut collect = order(30, Stage::Collect, "console", json!({}));
    collect.artifacts = benched.artifacts;
    collect.outputs = BTreeMap::from([(Stage::Bench, benched.outputs)]);
    collect.measure = serde_json::from_value(json!({
        "metrics": [{"name": "rate", "from": "a", "parser": "json", "field": "/rate"}], "objective": {"maximize": "rate"},
    }))
    .ok();
    let collected = rig.perform(&collect).await.expect("it was posted");
    assert_eq!(collected.measurement.expect("a measurement").objective, 7.0);

    // the address was good once, and another server's token is none
    let script = std::fs::read_to_string(guest.path().join("user-data")).expect("the script");
    let (_, url) = script.split_once("AUTOOPT_RESULT_URL='").expect("an address");
    let (url, _) = url.split_once('\'').expect("an address");
    let post = async |url: &str| {
        reqwest::Client::new().post(url).body("x").send().await.expect("it listens").status().as_u16()
    };
    assert_eq!(post(url).await, 409);
    assert_eq!(post(&url.replace("-a/", "-b/")).await, 403);
    assert_eq!(post(&format!("{url}0")).await, 403);
}
