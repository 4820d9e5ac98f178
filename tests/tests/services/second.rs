//! Two coordinators on one vhost, each with a store of its own, as two hosts have on which the packages were installed.

use std::path::Path;
use std::time::Duration;

use autoopt_tests::broker::Broker;
use autoopt_tests::sandbox::{Sandbox, Service};

use crate::{SOON, experiment};

/// For what takes a broker's start, or the time after which a coordinator looks for another one.
const LATER: Duration = Duration::from_secs(120);

fn sandbox(home: &Path, broker: &Broker) -> Sandbox {
    let store = format!("sqlite://{}?mode=rwc", home.join("store.sqlite").display());
    Sandbox::new(home, &broker.url(), &store).expect("configuration")
}

async fn works(coordinator: &Sandbox) -> Option<bool> {
    let health = coordinator.get("/health").await.ok()?;
    (health["bus"]["status"] == "ok").then_some(health["standby"] == false)
}

async fn comes_to(coordinator: &Sandbox, works_then: bool) {
    let what = if works_then { "the coordinator works" } else { "the coordinator stands by" };
    let waiting = coordinator.until(what, LATER, async |it| Ok(works(it).await == Some(works_then)));
    waiting.await.expect(what);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_coordinator_with_a_store_of_its_own_waits_for_the_first_ones_end() {
    let home = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(&home.path().join("broker")).await.expect("a broker");
    let mut first = sandbox(&home.path().join("first"), &broker);
    first.start_all().await.expect("the services start");
    comes_to(&first, true).await;

    let mut second = sandbox(&home.path().join("second"), &broker);
    second.start(Service::Coordinator).expect("it starts");
    let log = home.path().join("second/autoopt-coordinator.log");
    let says = second.until("the second one says what it waits for", SOON, async |_| {
        let log = std::fs::read_to_string(&log)?;
        Ok(log.contains("standing by until it ends") && log.contains("another vhost in `bus.url`"))
    });
    says.await.expect("it says so");
    comes_to(&second, false).await;
    experiment(&first, "alone", 10).await;
    assert_eq!(works(&second).await, Some(false));

    // whoever has it gets it back
    let closed = broker.ctl(&["close_all_connections", "cut by a test"]);
    closed.expect("connections are closed");
    experiment(&first, "cut", 10).await;
    comes_to(&second, false).await;
    broker.kill().await.expect("the broker is killed");
    broker.restart().await.expect("the broker starts");
    comes_to(&first, true).await;
    experiment(&first, "restarted", 10).await;
    comes_to(&second, false).await;

    // and the other one only after its end
    first.kill(Service::Coordinator).expect("it is killed");
    comes_to(&second, true).await;
    experiment(&second, "taken-over", 10).await;
    first.start(Service::Coordinator).expect("it starts");
    comes_to(&first, false).await;
    assert_eq!(works(&second).await, Some(true));
}
