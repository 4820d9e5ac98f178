//! Two experiments on one cluster, from outside.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::system::{System, experiment};

async fn change(system: &System, experiment: &str, priority: i32) -> Value {
    let path = format!("/v1/experiments/{experiment}/change");
    let (status, changed) = system.post(&path, &json!({"priority": priority})).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    changed
}

#[tokio::test]
async fn a_cluster_goes_to_the_higher_priority_and_back() {
    let system = System::start().await;
    system.post("/v1/experiments", &experiment("first", 5)).await;
    system.until("/v1/experiments/first", |e| e["baseline"]["here"].is_number()).await;
    let mut urgent = experiment("urgent", 5);
    urgent["priority"] = json!(1);
    system.post("/v1/experiments", &urgent).await;
    system.until("/v1/experiments/urgent", |e| e["baseline"]["here"].is_number()).await;
    let first = system.get("/v1/experiments/first").await;
    assert_eq!(first["waits_for"], json!({"here": "urgent"}));

    // a trial waits with its experiment, and runs once that has the cluster again
    let trial = json!({"parameters": {"x": 1.0, "n": 1}});
    assert_eq!(system.post("/v1/experiments/first/trials", &trial).await.0, StatusCode::CREATED);
    assert_eq!(change(&system, "first", 2).await["spec"]["priority"], 2);
    system.until("/v1/experiments/first", |e| e["outcomes"]["measured"] == 1).await;
    let urgent = system.get("/v1/experiments/urgent").await;
    assert_eq!(urgent["waits_for"], json!({"here": "first"}));

    let page = system.get("/v1/events?limit=1000").await;
    let events = page["events"].as_array().unwrap();
    let handed: Vec<&Value> =
        events.iter().filter(|e| e["kind"] == "cluster.handed_over").map(|e| &e["detail"]["to"]).collect();
    assert_eq!(handed, ["urgent", "first"]);
    for name in ["first", "urgent"] {
        system.answer(system.request(Method::POST, &format!("/v1/experiments/{name}/cancel"))).await;
        system.until(&format!("/v1/experiments/{name}"), |e| e["phase"] == "ended").await;
    }
}
