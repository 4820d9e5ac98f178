//! The event stream.

use std::time::Duration;

use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::system::{System, experiment};

/// Events of a stream until one is of `last` kind, or the stream ends.
async fn events(request: reqwest::RequestBuilder, last: &str) -> Vec<Value> {
    let read = async {
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let (mut bytes, mut text, mut events) = (response.bytes_stream(), String::new(), Vec::new());
        while let Some(Ok(piece)) = bytes.next().await {
            text.push_str(std::str::from_utf8(&piece).unwrap());
            while let Some((record, rest)) = text.split_once("\n\n") {
                let field = |name: &str| record.lines().find_map(|l| l.strip_prefix(name)).map(str::trim);
                if let Some(data) = field("data:") {
                    let event: Value = serde_json::from_str(data).unwrap();
                    assert_eq!(field("id:"), Some(event["seq"].to_string().as_str()));
                    events.push(event);
                }
                text = rest.to_owned();
            }
            if events.last().is_some_and(|e| e["kind"] == last) {
                break;
            }
        }
        events
    };
    tokio::time::timeout(Duration::from_secs(60), read).await.expect("the stream goes on")
}

#[tokio::test]
async fn it_can_be_taken_up_anywhere_and_misses_nothing() {
    let system = System::start().await;
    system.post("/v1/experiments", &experiment("e", 1)).await;
    let get = || system.request(Method::GET, "/v1/events/stream?experiment=e");
    let following = events(get().header("last-event-id", "0"), "experiment.ended");
    let new = json!({"parameters": {"x": 1.0, "n": 0}});
    let trial = system.post("/v1/experiments/e/trials", &new);
    let (followed, _) = tokio::join!(following, trial);

    let page = system.get("/v1/events?experiment=e&limit=1000").await;
    assert_eq!(page["events"].as_array().unwrap(), &followed, "live is what is written down");
    assert_eq!(followed[0]["kind"], "experiment.submitted");
    let middle = followed.len() / 2;
    let resumed = get().header("last-event-id", followed[middle]["seq"].to_string());
    assert_eq!(events(resumed, "experiment.ended").await, followed[middle + 1..]);
    let page = system.get(&format!("/v1/events?after={}&limit=2", followed[0]["seq"])).await;
    assert_eq!(page["events"].as_array().unwrap(), &followed[1..3]);
}

#[tokio::test]
async fn without_a_position_it_begins_now_and_ends_with_the_coordinator() {
    let system = System::start().await;
    system.post("/v1/experiments", &experiment("before", 9)).await;
    system.until("/v1/experiments/before", |e| e["baseline"]["here"].is_number()).await;
    let following = tokio::spawn(events(system.request(Method::GET, "/v1/events/stream"), "never"));
    let act = async {
        // until the stream is open, nobody knows; a pause shows up in it once it is
        for _ in 0..5 {
            for verb in ["pause", "resume"] {
                system.answer(system.request(Method::POST, &format!("/v1/experiments/before/{verb}"))).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        system.stop.cancel();
    };
    act.await;
    let followed = following.await.unwrap();
    assert!(followed.iter().any(|e| e["kind"] == "experiment.paused"), "{followed:?}");
    assert!(followed.iter().all(|e| e["kind"] != "experiment.submitted"), "{followed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_clients_all_see_everything_and_hold_nobody_up() {
    const CLIENTS: usize = 300;
    let system = System::start().await;
    // one that reads nothing, which fills its connection and nothing else
    let asleep = system.request(Method::GET, "/v1/events/stream").header("last-event-id", "0");
    let _asleep = asleep.send().await.unwrap();
    system.post("/v1/experiments", &experiment("e", 20)).await;
    let follow = |_| {
        let request = system.request(Method::GET, "/v1/events/stream?experiment=e");
        tokio::spawn(events(request.header("last-event-id", "0"), "experiment.ended"))
    };
    let clients: Vec<_> = (0..CLIENTS).map(follow).collect();
    for n in 0..20 {
        let trial = json!({"parameters": {"x": f64::from(n) / 10.0, "n": 0}});
        assert_eq!(system.post("/v1/experiments/e/trials", &trial).await.0, reqwest::StatusCode::CREATED);
    }
    system.until("/v1/experiments/e", |e| e["phase"] == "ended").await;
    let page = system.get("/v1/events?experiment=e&limit=1000").await;
    let written = page["events"].as_array().unwrap().clone();
    for client in futures::future::join_all(clients).await {
        assert_eq!(client.unwrap(), written);
    }
}
