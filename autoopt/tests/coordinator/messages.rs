//! Messages that are wrong, over the real broker: each is answered, and nothing else changes.

use autoopt_epoch::bus::amqp::{self, AmqpSettings, dead_letters};
use autoopt_epoch::bus::topology::{TRIAL_KEY, report_key};
use autoopt_epoch::bus::{Bus, Outgoing};
use autoopt_epoch::id::{EpochId, MessageId};
use autoopt_epoch::message::{Action, Done, Message, Report, ReportState, Stage, Trial};
use autoopt_epoch::time::Timestamp;
use serde_json::{Value as Json, json};

use crate::support::Services;
use crate::{AT_ONCE, SLOWLY};

async fn publish(bus: &Bus, key: &str, kind: &str, id: MessageId, body: Vec<u8>) {
    let message = Outgoing {
        routing_key: key.into(),
        id,
        kind: kind.into(),
        body,
        mandatory: true,
        headers: Default::default(),
    };
    bus.publish(message).await.expect("the bus is up").await.expect("a queue takes it");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_trial_message_is_a_dead_letter_that_says_why() {
    let services = Services::start(AT_ONCE, None).await;
    let file = services.experiment("open", 50, "x");
    services.run(&["submit", &file]).await.ended(0);
    let bus = amqp::connect(AmqpSettings::new(services.bus_url(), "person")).await.expect("a bus");
    let trial = |parameters: &str| format!(r#"{{"experiment": "open", "parameters": {parameters}}}"#);
    let cases = [
        (Trial::TYPE, r#"{"experiment": "open", "#.to_owned(), "EOF"),
        ("autoopt.trial.v9", trial(r#"{"x": 2, "mode": "a"}"#), "autoopt.trial.v9"),
        (Trial::TYPE, r#"{"experiment": "nobody", "parameters": {}}"#.to_owned(), "`nobody`"),
        (Trial::TYPE, trial(r#"{"x": 99, "mode": "a"}"#), "from 1 to 9"),
        (Trial::TYPE, trial(r#"{"mode": "a"}"#), "`x` is missing"),
        (Trial::TYPE, trial(r#"{"x": NaN, "mode": "a"}"#), "expected value"),
        (Trial::TYPE, trial(r#"{"x": "NaN", "mode": "a"}"#), "`x`"),
        (Trial::TYPE, trial(r#"{"x": 2, "mod": "a"}"#), "did you mean `mode`?"),
        (Trial::TYPE, " ".repeat(10_000_000), "10000000 bytes"),
    ];
    for (kind, body, reason) in &cases {
        let id = MessageId::fresh();
        publish(&bus, TRIAL_KEY, kind, id, body.clone().into_bytes()).await;
        let excerpt: String = body.chars().take(60).collect();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let letter = loop {
            let letters = dead_letters::list(&services.bus_url(), 100).await.expect("the queue is there");
            if let Some(letter) = letters.into_iter().find(|l| l.id == Some(id)) {
                break letter;
            }
            assert!(std::time::Instant::now() < deadline, "no dead letter for {excerpt}");
        };
        assert!(letter.reason.contains(reason), "{excerpt}: {}", letter.reason);
        let log = services.run(&["events", "--no-follow", "--after", "0", "--json"]).await.ended(0).out;
        let told = log.lines().any(|line| line.contains("trial.rejected") && line.contains(reason));
        assert!(told, "{reason} is not in {log}");
    }
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_twice_or_too_late_changes_nothing() {
    let services = Services::start(SLOWLY, None).await;
    let file = services.experiment("open", 2, "x");
    services.run(&["submit", &file]).await.ended(0);
    let bus = amqp::connect(AmqpSettings::new(services.bus_url(), "person")).await.expect("a bus");
    services.until(&["status", "open"], |e| e["baseline"]["here"].is_number()).await;

    // a report about an attempt that is over, and one about an epoch that nobody knows
    let baseline = services.json(&["export", "open"]).await["trials"][0].clone();
    let shown = services.json(&["trial", "show", baseline["id"].as_str().unwrap()]).await;
    let epoch: EpochId = shown["epochs"][0]["id"].as_str().unwrap().parse().unwrap();
    for epoch in [epoch, EpochId::fresh()] {
        let report = Report {
            epoch,
            cluster: "here".into(),
            step: 1,
            stage: Stage::Apply,
            action: Action::Run,
            attempt: 1,
            worker: "late/1".into(),
            at: Timestamp::now(),
            state: ReportState::Done(Done::default()),
        };
        let key = report_key("here", Stage::Apply);
        let body = serde_json::to_vec(&report).unwrap();
        publish(&bus, &key, Report::TYPE, MessageId::fresh(), body).await;
    }
    // one trial, sent twice
    let id = MessageId::fresh();
    let twice = json!({"experiment": "open", "parameters": {"x": 2.0, "mode": "a"}, "note": "twice"});
    for _ in 0..2 {
        publish(&bus, TRIAL_KEY, Trial::TYPE, id, twice.to_string().into_bytes()).await;
    }
    services.run(&["watch", "open"]).await.ended(0).with(&["open: ended"]);

    let exported = services.json(&["export", "open"]).await;
    let trials = exported["trials"].as_array().unwrap();
    assert_eq!(trials.iter().filter(|t| t["note"] == "twice").count(), 1, "{exported}");
    assert!(trials.contains(&baseline), "the baseline is as it was: {exported}");
    let log = services.run(&["events", "--no-follow", "--after", "0", "--json"]).await.ended(0).out;
    let log: Vec<Json> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ignored = log.iter().filter(|e| e["kind"] == "report.ignored");
    assert_eq!(ignored.filter(|e| e["message"].as_str().unwrap().contains("late/1")).count(), 2, "{log:?}");
    services.stop().await;
}
