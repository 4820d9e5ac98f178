//! `autoopt logs`: what all services log, in one place.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

use autoopt_epoch::message::Stage;
use autoopt_tests::sandbox::{Service, binaries};
use autoopt_tests::vhost::Vhost;
use serde_json::Value;

use crate::{SOON, experiment, objects, services};

fn command(vhost: &Vhost, arguments: &[&str]) -> Command {
    let mut command = Command::new(binaries().expect("binaries").join("autoopt"));
    command.args(["logs", "--json", "--bus", &vhost.url()]).args(arguments).stdin(Stdio::null());
    command
}

fn logs(vhost: &Vhost, arguments: &[&str]) -> Vec<Value> {
    let output = command(vhost, arguments).output().expect("autoopt starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    objects(&String::from_utf8(output.stdout).expect("text"))
}

fn of(records: &[Value]) -> BTreeSet<&str> {
    records.iter().filter_map(|record| record["service"].as_str()).collect()
}

/// Ended on drop.
struct Follower(Child);

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_of_all_services_are_in_one_place() {
    let home = tempfile::tempdir().expect("a folder");
    let (mut services, vhost) = services(home.path()).await;
    let path = home.path().join("followed");
    let file = std::fs::File::create(&path).expect("a file");
    // each says that it starts; at the first start of all, those that make the stream at the same time try again
    let names: BTreeSet<String> =
        Service::ALL.iter().map(|service| service.to_string().replace("autoopt-", "")).collect();
    let logged = services.until("all services have logged", SOON, async |_| {
        let output = command(&vhost, &[]).output()?;
        Ok(of(&objects(&String::from_utf8(output.stdout)?)) == names.iter().map(String::as_str).collect())
    });
    logged.await.expect("all services log");
    let following = command(&vhost, &["-f", "--since", "10m"]).stdout(file).spawn();
    let _follower = Follower(following.expect("autoopt starts"));
    experiment(&services, "first", 2).await;
    let told = services.until("the end is logged", SOON, async |_| {
        Ok(logs(&vhost, &["first"]).iter().any(|record| record["fields"]["event"] == "experiment.ended"))
    });
    told.await.expect("its end");
    let all = logs(&vhost, &[]);

    // what a worker says carries what it is about
    let of_trial = logs(&vhost, &["first#1"]);
    assert!(of(&of_trial).is_superset(&["coordinator", "optimizer", "worker-bench"].into()), "{of_trial:#?}");
    let benched = of_trial.iter().find(|r| r["service"] == "worker-bench").expect("the worker's");
    let fields = &benched["fields"];
    assert_eq!(
        (&fields["experiment"], &fields["trial.number"], &fields["cluster"], &fields["stage"]),
        (&"first".into(), &1.into(), &"here".into(), &"bench".into())
    );
    let (trial, epoch) = (fields["trial"].as_str().expect("an id"), fields["epoch"].as_str());
    assert!(epoch.is_some(), "{fields}");
    assert!(logs(&vhost, &[trial]).iter().all(|record| record["fields"]["trial"] == trial));

    // filters take away, and nothing else
    let bench = logs(&vhost, &["--service", "worker-bench", "--cluster", "here"]);
    assert_eq!(of(&bench), ["worker-bench"].into());
    assert!(bench.len() < all.len() && bench.iter().all(|record| all.contains(record)));
    assert_eq!(logs(&vhost, &["another"]).len(), 0);
    assert_eq!(logs(&vhost, &["--level", "error"]).len(), 0);
    assert!(!logs(&vhost, &["--since", "10m"]).is_empty());

    // one that is gone without a farewell is still told of; a follower outlives its connection
    services.kill(Service::Worker(Stage::Bench)).expect("it is killed");
    vhost.cut().expect("connections are cut");
    services.start(Service::Worker(Stage::Bench)).expect("it starts");
    experiment(&services, "second", 1).await;
    let followed = services.until("the follower has seen both", SOON, async |_| {
        let records: Vec<Value> = std::fs::read_to_string(&path)?
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let ends = |name: &str| {
            records
                .iter()
                .any(|r| r["fields"]["event"] == "experiment.ended" && r["fields"]["experiment"] == name)
        };
        Ok(ends("first") && ends("second") && of(&records).contains("worker-bench"))
    });
    followed.await.expect("followed");
    assert!(logs(&vhost, &["second", "--service", "worker-bench"]).len() >= 2);
}
