//! What an operator gets wrong, and what a cloud does: told by its kind and name, and nothing is left changed.

use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Action, Epoch, Stage};
use autoopt_simulator::cloud::server::ConsoleFlaws;
use autoopt_simulator::faults::{Fault, Trigger};
use serde_json::{Value, json};

use crate::rig::{Rig, order};

/// Both ways of changing a setting.
fn apply() -> Epoch {
    let mut apply = order(50, Stage::Apply, "openstack", json!({}));
    apply.parameters =
        serde_json::from_value(json!({"ram_weight_multiplier": -1.0, "metrics.cpu.percent": 0.5}))
            .expect("parameters");
    apply
}

fn bench(change: impl FnOnce(&mut Value)) -> Epoch {
    let mut settings = json!({
        "flavor": "app", "image": "debian-12", "network": "external", "zone": "machineLearning",
        "servers": [{"name": "cpu", "user_data": ["bench.sh"], "variables": {"AUTOOPT_BENCHMARK": "cpu"}}],
    });
    change(&mut settings);
    order(51, Stage::Bench, "servers", settings)
}

/// The cluster of the workers' configuration.
fn cluster(commands: &mut Value) -> &mut Value {
    &mut commands["openstack"]["cluster"]["lab"]
}

async fn fails(rig: &Rig, order: &Epoch, kind: FailureKind, told: &[&str]) -> Failure {
    let failure = rig.perform(order).await.expect_err("it cannot work");
    assert_eq!(failure.kind, kind, "{failure}");
    for words in told {
        assert!(failure.reason.contains(words), "no `{words}` in: {failure}");
    }
    failure
}

fn unchanged(rig: &Rig) {
    let changed = rig
        .simulator
        .with(|cloud| cloud.aggregates.values().any(|a| a.metadata.contains_key("ram_weight_multiplier")));
    assert!(!changed && !rig.path("90.conf").exists(), "something is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_cloud_does_not_know_is_told_before_anything_is_created() {
    let rig = Rig::new().await;
    for (kind, name) in [("flavor", "huge"), ("image", "debian-99"), ("network", "nowhere")] {
        let order = bench(|settings| settings[kind] = json!(name));
        fails(&rig, &order, FailureKind::Broken, &[kind, name]).await;
    }
    assert!(rig.simulator.with(|cloud| cloud.servers.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_cloud_and_a_wrong_password_are_told_apart() {
    let rig = Rig::changed(|commands| cluster(commands)["cloud"] = json!("elsewhere")).await;
    fails(&rig, &apply(), FailureKind::Broken, &["elsewhere"]).await;

    let rig = Rig::new().await;
    let file = rig.path("clouds.yaml");
    let text = std::fs::read_to_string(&file).expect("clouds.yaml");
    let line = text.lines().find(|line| line.trim().starts_with("password:")).expect("a password");
    let (indent, _) = line.split_once("password:").expect("a password");
    std::fs::write(&file, text.replace(line, &format!("{indent}password: wrong"))).expect("a file");
    fails(&rig, &apply(), FailureKind::Broken, &["logging in to lab", "requires authentication"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snippet_that_cannot_be_written_leaves_the_aggregate_as_it_was() {
    let rig = Rig::changed(|commands| {
        cluster(commands)["scheduler"][0]["snippet"] = json!("/proc/nova-scheduler.conf.d/90.conf");
    })
    .await;
    fails(&rig, &apply(), FailureKind::Broken, &["/proc/nova-scheduler.conf.d"]).await;
    unchanged(&rig);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_fails_is_told_and_what_was_set_is_put_back() {
    let flag = tempfile::NamedTempFile::new().expect("a file");
    let once = format!("if [ -e {0} ]; then rm {0}; exit 9; fi", flag.path().display());
    let rig = Rig::changed(|commands| {
        let restart = &mut cluster(commands)["scheduler"][0]["restart"];
        let real = restart["args"][2].as_str().expect("an address").to_owned();
        *restart = json!({"program": "sh", "args": ["-c", format!("{once}; exec curl -sSfX POST {real}")]});
    })
    .await;
    fails(&rig, &apply(), FailureKind::Transient, &["exited with 9"]).await;
    unchanged(&rig);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_does_not_come_back_is_told_and_what_was_set_is_put_back() {
    // a program that does not tell
    let rig = Rig::changed(|commands| {
        let restart = &mut cluster(commands)["scheduler"][0]["restart"];
        let real = restart["args"][2].as_str().expect("an address").to_owned();
        *restart = json!({"program": "sh", "args": ["-c", format!("curl -sSX POST {real} || true")]});
    })
    .await;
    rig.simulator.set_fault(Fault::SchedulerDown, Trigger { next: 1, share: 0.0 });
    fails(&rig, &apply(), FailureKind::Broken, &["nova-scheduler did not report"]).await;
    unchanged(&rig);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_aggregate_that_is_no_number_is_refused() {
    let rig = Rig::new().await;
    rig.simulator.with(|cloud| {
        let id = *cloud.aggregates.keys().next().expect("an aggregate");
        let change = [("ram_weight_multiplier".to_owned(), Some("much".to_owned()))].into();
        cloud.set_metadata(id, &change).expect("it is set");
    });
    let mut capture = apply();
    capture.action = Action::Capture;
    fails(&rig, &capture, FailureKind::Broken, &["aggregate", "much"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_no_administrator_is_told_so() {
    let rig = Rig::new().await;
    rig.simulator.set_fault(Fault::NotAdmin, Trigger { next: 0, share: 1.0 });
    fails(&rig, &apply(), FailureKind::Broken, &["os-aggregates", "the role lacks the right"]).await;
    unchanged(&rig);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_used_up_is_told_and_pauses_the_cluster() {
    let rig = Rig::new().await;
    rig.simulator.with(|cloud| cloud.config.quota.instances = 0);
    fails(&rig, &bench(|_| ()), FailureKind::Broken, &["Quota exceeded for instances"]).await;
    assert!(rig.simulator.with(|cloud| cloud.servers.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_that_is_empty_or_cut_makes_the_trial_invalid_and_leaves_no_server() {
    let flaws = |empty, truncated, corrupt| ConsoleFlaws { empty, truncated, corrupt };
    let consoles = [
        (flaws(true, false, false), "server `cpu` printed no result (0 bytes on its console)"),
        (flaws(false, true, false), "result `cpu.log` of server `cpu`"),
        (flaws(false, false, true), "result `cpu.log` of server `cpu`"),
    ];
    for (number, (flaws, told)) in (60..).zip(consoles) {
        let rig = Rig::new().await;
        let between = |rig: &Rig| {
            rig.simulator.with(|cloud| cloud.servers.values_mut().for_each(|server| server.flaws = flaws));
        };
        let failure = rig.epoch(number, between).await.expect_err("there is nothing to measure");
        assert_eq!(failure.kind, FailureKind::Invalid, "{failure}");
        assert!(failure.reason.contains(told), "no `{told}` in: {failure}");
        assert!(!failure.artifacts.is_empty(), "the console is kept");
        assert!(rig.simulator.with(|cloud| cloud.servers.is_empty()));
    }
}
