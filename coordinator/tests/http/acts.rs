//! Who acted, and dead letters.

use std::time::Duration;

use autoopt_epoch::bus::Outgoing;
use autoopt_epoch::bus::topology::TRIAL_KEY;
use autoopt_epoch::id::MessageId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::system::{ADA, Role, System, experiment};

const TOKEN: &str = "0123456789abcdef-acts";

/// The newest event of a kind.
async fn newest(system: &System, kind: &str) -> Value {
    let page = system.get("/v1/events?limit=1000").await;
    page["events"].as_array().unwrap().iter().rfind(|e| e["kind"] == kind).cloned().unwrap_or_default()
}

#[tokio::test]
async fn the_log_says_who_did_it_and_whether_a_token_says_so() {
    let system = System::with(Role::Leads, Some(TOKEN)).await;
    system.post("/v1/experiments", &experiment("e", 9)).await;
    assert_eq!(newest(&system, "experiment.submitted").await["by"], Value::Null);

    let bearer =
        |token: &str| [("authorization".parse().unwrap(), format!("Bearer {token}").parse().unwrap())];
    let of_ada = |path: &str| system.request(Method::POST, path).headers(bearer(ADA).into_iter().collect());
    let (status, _) = system.answer(of_ada("/v1/experiments/e/pause")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(newest(&system, "experiment.paused").await["by"], json!({"name": "ada", "proven": true}));

    // the shared token is nobody's; a name beside it is only what somebody says
    let request = system.request(Method::POST, "/v1/experiments/e/resume").header("autoopt-person", "grace");
    system.answer(request).await;
    assert_eq!(newest(&system, "experiment.resumed").await["by"], json!({"name": "grace", "proven": false}));
    // and not one to hide behind
    let trial = json!({"parameters": {"x": 0.5, "n": 1}});
    system.answer(of_ada("/v1/experiments/e/trials").header("autoopt-person", "grace").json(&trial)).await;
    assert_eq!(newest(&system, "trial.accepted").await["by"], json!({"name": "ada", "proven": true}));
    let whoami = system.request(Method::GET, "/v1/whoami").headers(bearer(ADA).into_iter().collect());
    assert_eq!(system.answer(whoami).await.1, json!({"by": {"name": "ada", "proven": true}}));
    assert_eq!(system.get("/v1/whoami").await, json!({}));

    // what the workers did afterwards is nobody's wish
    system.until("/v1/experiments/e", |e| e["outcomes"]["measured"] == 1).await;
    assert_eq!(newest(&system, "trial.ended").await["by"], Value::Null);
}

#[tokio::test]
async fn a_dead_letter_is_shown_and_sent_again() {
    let system = System::start().await;
    // for an experiment that is not there yet, and without an id, as a person's tool sends it
    let body = json!({"experiment": "later", "parameters": {"x": 0.25, "n": 2}, "note": "<b>early</b>"});
    let early = Outgoing {
        routing_key: TRIAL_KEY.into(),
        id: MessageId(uuid::Uuid::nil()),
        kind: String::new(),
        body: body.to_string().into_bytes(),
        mandatory: true,
        headers: Default::default(),
    };
    // the coordinator's queue is there once it listens
    system.until("/health", |h| h["standby"] == false).await;
    while system.bus.publish(early.clone()).await.unwrap().await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let list = system.until("/v1/dead-letters", |l| l["letters"][0].is_object()).await;
    let letter = &list["letters"][0];
    assert_eq!(letter["routing_key"], "trial");
    assert!(letter["reason"].as_str().unwrap().contains("later"), "{letter}");
    assert!(letter["content"].as_str().unwrap().contains("<b>early</b>"), "{letter}");

    system.post("/v1/experiments", &experiment("later", 9)).await;
    let path = format!("/v1/dead-letters/{}/requeue", letter["key"].as_str().unwrap());
    let request = system.request(Method::POST, &path).header("autoopt-person", "grace");
    let (status, rest) = system.answer(request).await;
    assert_eq!((status, &rest["letters"]), (StatusCode::OK, &json!([])), "{rest}");
    system.until("/v1/experiments/later", |e| e["outcomes"]["measured"] == 1).await;
    let event = newest(&system, "message.requeued").await;
    assert_eq!(event["by"]["name"], "grace", "{event}");

    let (status, _) = system.answer(system.request(Method::POST, &path)).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "it is gone");
}
