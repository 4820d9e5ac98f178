//! The real command line against a real coordinator over RabbitMQ.

mod messages;
mod notebook;
mod support;
mod top;

use std::time::Duration;

use serde_json::Value as Json;
use support::{Printed, Services};

const AT_ONCE: Duration = Duration::ZERO;
/// Long enough to do something meanwhile.
const SLOWLY: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_is_submitted_watched_and_exported() {
    let services = Services::start(AT_ONCE, None).await;
    let file = services.experiment("ten", 10, "x");
    let watched = services.run(&["submit", &file, "--watch"]).await.ended(0);
    watched.with(&[
        "the baseline ended measured",
        "trial 10 ended",
        "ten: ended",
        "10 of 10 (10 measured)",
        "x ",
    ]);

    services.run(&["list"]).await.ended(0).with(&["ten", "ended", "10/10"]);
    services.run(&["status"]).await.ended(0).with(&["none is open", "here  healthy"]);
    services.run(&["status", "ten"]).await.ended(0).with(&["baseline   4\n", "+"]);
    // an ended one ends the watching at once
    services.run(&["watch", "ten"]).await.ended(0).with(&["10 of 10"]);

    let table = services.run(&["export", "ten"]).await.ended(0).out;
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let columns = rows.headers().unwrap().clone();
    for name in
        ["number", "kind", "outcome", "objective", "parameter.x", "parameter.mode", "metric.value", "ended"]
    {
        assert!(columns.iter().any(|column| column == name), "{name} is not in {columns:?}");
    }
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let column = |name: &str| columns.iter().position(|column| column == name).unwrap();
    let kinds = |kind: &str| rows.iter().filter(|row| &row[column("kind")] == kind).count();
    assert_eq!((kinds("baseline"), kinds("proposed"), kinds("closing")), (1, 10, 1), "{table}");
    for row in rows.iter().filter(|row| &row[column("kind")] == "proposed") {
        assert_eq!(&row[column("objective")], &row[column("parameter.x")], "{table}");
        assert_eq!(&row[column("outcome")], "measured");
    }

    let out = services.home.path().join("ten.json").display().to_string();
    services.run(&["export", "ten", "-o", &out]).await.ended(0).with(&["12 trials"]);
    let exported: Json = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!(exported["trials"].as_array().map(Vec::len), Some(12));
    assert_eq!(exported["experiment"]["name"], "ten");
    assert!(
        exported["trials"]
            .as_array()
            .unwrap()
            .iter()
            .all(|t| t["kind"] == "closing" || t["cluster"] == "here")
    );

    // what it learned is where another one begins, after its own presets
    let next = services.experiment("next", 3, "x");
    let text = std::fs::read_to_string(&next).unwrap();
    let more = "presets = [{ x = 2.0 }]\nalgorithm = { name = \"gp\", warm_start = [\"ten.json\"] }\n";
    std::fs::write(&next, format!("{more}{text}")).unwrap();
    services.run(&["validate", &next]).await.ended(0);
    services
        .run(&["submit", &next, "--watch"])
        .await
        .ended(0)
        .with(&["trial 1 ended measured with 2", "next: ended"]);
    let trials = services.json(&["export", "next"]).await["trials"].clone();
    let note = |n: u32| {
        let trial = trials.as_array().unwrap().iter().find(|t| t["number"] == n).unwrap();
        trial["note"].as_str().unwrap().to_owned()
    };
    assert!(note(3).starts_with("noisy expected improvement"), "no design of its own: {trials}");
    std::fs::write(&next, format!("{more}{text}").replace("ten.json", "none.json")).unwrap();
    services.run(&["submit", &next]).await.ended(65).with(&["none.json", "a `warm_start`"]);

    services.run(&["explain", "ten"]).await.ended(0).with(&["Recommended: ", "Importance", "Calibration"]);
    services.run(&["report", "ten"]).await.ended(0).with(&["What the parameters do", "To do it again", "x="]);
    let report = services.json(&["report", "ten"]).await;
    assert_eq!(report["explanation"]["effects"][0]["parameter"], "x", "{report}");
    assert!(report["captured"]["here"].is_object(), "{report}");
    let order: Vec<&str> =
        report["trials"].as_array().unwrap().iter().filter_map(|t| t["submitted"].as_str()).collect();
    assert!(order.is_sorted() && order.len() == 12, "{order:?}");

    let shown = services.run(&["trial", "show", "ten#1"]).await.ended(0);
    shown.with(&["trial 1 of ten: measured", "collect", "done"]);
    services.run(&["trial", "show", "ten#11"]).await.ended(66).with(&["has no trial 11"]);

    let log = services.run(&["events", "ten", "--no-follow", "--json"]).await.ended(0).out;
    let log: Vec<Json> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(log.first().map(|event| &event["kind"]), Some(&"experiment.submitted".into()));
    assert_eq!(log.last().map(|event| &event["kind"]), Some(&"experiment.ended".into()));
    let middle = log[log.len() / 2]["seq"].to_string();
    let rest =
        services.run(&["events", "ten", "--no-follow", "--after", &middle, "--json"]).await.ended(0).out;
    assert_eq!(rest.lines().count(), log.len() - log.len() / 2 - 1);
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_of_trials_and_events_are_fetched() {
    let services = Services::start(SLOWLY, None).await;
    let file = services.experiment("long", 2000, "x");
    services.run(&["submit", &file]).await.ended(0);
    services.run(&["pause", "long"]).await.ended(0);
    // more than a page, which holds a thousand
    let wished = 1010;
    services.submit_trials("long", wished).await;
    let exported: Json = services.json(&["export", "long"]).await;
    let numbers: Vec<u64> =
        exported["trials"].as_array().unwrap().iter().map(|t| t["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..=wished).collect::<Vec<u64>>(), "the baseline, and each once");
    let log = services.run(&["events", "long", "--no-follow", "--json"]).await.ended(0).out;
    let accepted = log.lines().filter(|line| line.contains("trial.accepted")).count() as u64;
    assert_eq!(accepted, wished);
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_controls_an_experiment_and_its_trials() {
    let services = Services::start(SLOWLY, None).await;
    let file = services.experiment("by-hand", 50, "x");
    services.run(&["submit", &file]).await.ended(0).with(&["autoopt watch by-hand"]);
    services.run(&["submit", &file]).await.ended(1).with(&["by-hand"]);
    services.run(&["pause", "by-hand"]).await.ended(0).with(&["it is paused now"]);

    let wrong = services.run(&["trial", "submit", "by-hand", "x=11", "mod=a"]).await.ended(65);
    wrong.with(&["did you mean `mode`?", "from 1 to 9", "`mode` is missing"]);
    // `1` is a number for x and a text for mode
    services.run(&["trial", "submit", "by-hand", "x=1", "mode=1", "--note", "low"]).await.ended(0);
    let read = services
        .run_with(&["trial", "submit", "by-hand", "--file", "-", "x=2.5"], r#"{"x": 7, "mode": "a"}"#);
    let read = read.await.ended(0);
    let trial = read.out.split_whitespace().next().unwrap().trim_end_matches(':').to_owned();
    let shown = services.json(&["trial", "show", &trial]).await;
    assert_eq!((&shown["parameters"]["x"], &shown["kind"]), (&2.5.into(), &"manual".into()));
    services.run(&["trial", "cancel", &trial]).await.ended(0).with(&["cancelled"]);
    let shown = services.until(&["trial", "show", &trial], |trial| trial["state"] == "ended").await;
    assert_eq!(shown["outcome"], "abandoned");

    services.run(&["change", "by-hand"]).await.ended(2).with(&["--trials"]);
    services
        .run(&["change", "by-hand", "--trials", "1"])
        .await
        .ended(1)
        .with(&["2 trials have been accepted already"]);
    services
        .run(&["change", "by-hand", "--trials", "60"])
        .await
        .ended(0)
        .with(&["by-hand: 60 trials on here now"]);
    let raised = services.run(&["change", "by-hand", "--priority", "5"]).await.ended(0);
    raised.with(&["by-hand: 60 trials on here now, priority 5"]);
    services.run(&["resume", "by-hand"]).await.ended(0).with(&["it is running now"]);
    services.until(&["status", "by-hand"], |e| e["outcomes"]["measured"] == 1).await;
    let running = services.run(&["status", "by-hand"]).await.ended(0);
    running.with(&["by-hand: running", " of 60 (1 measured, 1 abandoned)"]);
    services.run(&["clusters"]).await.ended(0).with(&["here", "healthy", "by-hand"]);
    services.run(&["stop", "by-hand"]).await.ended(0);
    services.run(&["watch", "by-hand"]).await.ended(0).with(&["by-hand: ended"]);
    services.run(&["status", "nobody"]).await.ended(66).with(&["nobody"]);
    services.run(&["clusters", "resume", "nowhere"]).await.ended(66).with(&["nowhere"]);
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_usable_result_watching_ends_with_3() {
    let services = Services::start(AT_ONCE, None).await;
    let file = services.experiment("hopeless", 3, "1 / (x - x)");
    let watched = services.run(&["submit", &file, "--watch", "--json"]).await.ended(3);
    let last: Json = serde_json::from_str(watched.out.lines().last().unwrap()).unwrap();
    assert_eq!(last["experiment"]["phase"], "ended");
    let error: Json = serde_json::from_str(&watched.err).unwrap();
    assert_eq!(error["error"]["code"], "no_result");
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_watching_leaves_the_experiment_running() {
    let services = Services::start(SLOWLY, None).await;
    let file = services.experiment("on", 50, "x");
    services.run(&["submit", &file]).await.ended(0);
    let arguments = ["watch", "on", "--json"];
    let mut watching = services.command(&arguments).spawn().unwrap();
    // it watches once it tells of something
    let mut told = tokio::io::BufReader::new(watching.stdout.take().unwrap());
    let mut line = String::new();
    tokio::io::AsyncBufReadExt::read_line(&mut told, &mut line).await.unwrap();
    assert!(line.contains("\"seq\""), "{line}");
    let pid = nix::unistd::Pid::from_raw(watching.id().unwrap().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let output = watching.wait_with_output().await.unwrap();
    Printed::of(&arguments, output).ended(130).with(&["goes on", "autoopt stop on"]);
    assert_eq!(services.json(&["status", "on"]).await["phase"], "running");
    services.run(&["cancel", "on"]).await.ended(0);
    services.until(&["status", "on"], |e| e["phase"] == "ended").await;
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_with_a_token_wants_it() {
    let services = Services::start(AT_ONCE, Some("0123456789abcdef")).await;
    services.run(&["list"]).await.ended(77).with(&["--token-file"]);
    let token = services.home.path().join("token");
    std::fs::write(&token, "0123456789abcdef\n").unwrap();
    services.run(&["list", "--token-file", token.to_str().unwrap()]).await.ended(0).with(&["no experiments"]);
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_ok_or_what_to_do() {
    let services = Services::start(AT_ONCE, None).await;
    let config = services.config("[bench.command.b]\nrun = { program = \"sh\" }\n");
    let found = services.run(&["doctor", "--config", &config]).await.ended(0);
    found.with(&["ok       broker", "ok       coordinator", "ok       database", "ok       state", "bin/sh"]);

    let config = services.config("[bench.command.b]\nrun = { program = \"no-such-program\" }\n");
    let found = services.run(&["doctor", "--config", &config, "--only", "commands,broker"]).await.ended(1);
    let found = found.with(&["wrong    commands", "install no-such-program", "1 of 2 checks"]);
    assert!(!found.out.contains("guest:guest"), "{}", found.out);

    let mut elsewhere = services.command(&["doctor", "--json", "--only", "broker,coordinator"]);
    elsewhere.env("AUTOOPT_BUS__URL", "amqp://guest:guest@127.0.0.1:5672/no-such-vhost");
    let found = elsewhere.env("AUTOOPT_SERVER", "http://127.0.0.1:1").output().await.unwrap();
    let found = Printed::of(&["doctor"], found).ended(1);
    let found: Json = serde_json::from_str(&found.out).unwrap();
    let statuses: Vec<&Json> = found["findings"].as_array().unwrap().iter().map(|f| &f["status"]).collect();
    assert_eq!((statuses, &found["ok"]), (vec![&"wrong".into(); 2], &false.into()), "{found}");
    services.stop().await;
}
