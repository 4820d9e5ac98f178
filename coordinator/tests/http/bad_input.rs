//! What is refused, and with which words.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::system::{System, experiment};

/// The error's code, message and problems, all checked to be there as documented.
fn error(body: &Value) -> (String, String, Vec<String>) {
    let error = &body["error"];
    let problems = error["problems"].as_array().cloned().unwrap_or_default();
    let paths = problems.iter().map(|p| p["path"].as_str().unwrap().to_owned()).collect();
    (error["code"].as_str().unwrap().into(), error["message"].as_str().unwrap().into(), paths)
}

#[tokio::test]
async fn an_experiment_with_mistakes_is_refused_with_each_of_them() {
    let system = System::start().await;
    let mut wrong = experiment("wrong", 3);
    wrong["parameters"][0]["low"] = json!(7.0);
    wrong["objective"] = json!({"maximize": "valeu"});
    let (status, body) = system.post("/v1/experiments", &wrong).await;
    let (code, _, paths) = error(&body);
    assert_eq!((status, code.as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid"));
    assert!(paths.iter().any(|p| p.starts_with("parameters[0]")), "{body}");
    assert!(paths.iter().any(|p| p.starts_with("objective")), "{body}");

    let mut twice = experiment("wrong", 3);
    twice["clusters"] = json!(["here", "there", "here"]);
    let (status, body) = system.post("/v1/experiments", &twice).await;
    assert_eq!((status, error(&body).2), (StatusCode::UNPROCESSABLE_ENTITY, vec!["clusters[2]".to_owned()]));

    let mut unknown = experiment("wrong", 3);
    unknown["budgett"] = json!(1);
    let (status, body) = system.post("/v1/experiments", &unknown).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(body.to_string().contains("budget"), "{body}");
    assert_eq!(system.get("/v1/experiments").await["experiments"], json!([]));
}

#[tokio::test]
async fn a_trial_outside_the_space_is_refused_by_name() {
    let system = System::start().await;
    system.post("/v1/experiments", &experiment("e", 1)).await;
    let new = async |parameters: Value| {
        system.post("/v1/experiments/e/trials", &json!({"parameters": parameters})).await
    };
    for (parameters, named) in [
        (json!({"x": 99.0, "n": 1}), "x"),
        (json!({"x": 1.0}), "n"),
        (json!({"x": 1.0, "n": 1, "y": 1}), "y"),
        (json!({"x": "NaN", "n": 1}), "x"),
        (json!({"x": 1.0, "n": 1.5}), "n"),
    ] {
        let (status, body) = new(parameters.clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{parameters}: {body}");
        assert!(error(&body).2.iter().any(|p| p.contains(named)), "{parameters}: {body}");
    }
    assert_eq!(new(json!({"x": 1.0, "n": 1})).await.0, StatusCode::CREATED);
    // the budget is one trial
    let (status, body) = new(json!({"x": 2.0, "n": 1})).await;
    assert_eq!((status, error(&body).0.as_str()), (StatusCode::CONFLICT, "conflict"));
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_the_same_form() {
    let system = System::start().await;
    system.post("/v1/experiments", &experiment("taken", 5)).await;
    let post = |body: &str| {
        let request = system.request(Method::POST, "/v1/experiments").body(body.to_owned());
        request.header("content-type", "application/json")
    };
    let get = |path: &str| system.request(Method::GET, path);
    let id = "00000000-0000-0000-0000-000000000000";
    for (request, status, code) in [
        (post("{"), 400, "invalid"),
        (post("[]"), 422, "invalid"),
        (post(&experiment("taken", 5).to_string()), 409, "conflict"),
        (post(&format!("\"{}\"", "x".repeat(3_000_000))), 413, "too_large"),
        (system.request(Method::POST, "/v1/experiments").body("{}"), 400, "invalid"),
        (system.request(Method::DELETE, "/v1/experiments"), 405, "not_found"),
        (get("/v1/experiments/nobody"), 404, "not_found"),
        (get("/v1/experiments/..%2f..%2fetc%2fpasswd"), 404, "not_found"),
        (get(&format!("/v1/trials/{id}")), 404, "not_found"),
        (get("/v1/trials/17"), 400, "invalid"),
        (get(&format!("/v1/epochs/{id}")), 404, "not_found"),
        (get(&format!("/v1/epochs/{id}/artifacts/0/1/..%2fstdout")), 404, "not_found"),
        (get("/v1/events?limit=many"), 400, "invalid"),
        (get("/v1/events?since=3"), 400, "invalid"),
        (get("/v1/events/stream").header("last-event-id", "x"), 400, "invalid"),
        (system.request(Method::POST, "/v1/clusters/nowhere/resume"), 404, "not_found"),
        (get("/nothing"), 404, "not_found"),
    ] {
        let (given, body) = system.answer(request).await;
        assert_eq!((given.as_u16(), error(&body).0.as_str()), (status, code), "{body}");
        assert!(!error(&body).1.is_empty());
    }
}

#[tokio::test]
async fn an_artifact_is_found_by_its_name_alone_and_no_path_leads_anywhere_else() {
    let system = System::start().await;
    system.post("/v1/experiments", &experiment("e", 5)).await;
    system.until("/v1/experiments/e", |e| e["baseline"]["here"].is_number()).await;
    let baseline = &system.get("/v1/experiments/e/trials").await["trials"][0];
    let trial = system.get(&format!("/v1/trials/{}", baseline["id"].as_str().unwrap())).await;
    let epoch = trial["epochs"][0]["id"].as_str().unwrap();
    let status =
        async |path: String| system.request(Method::GET, &path).send().await.unwrap().status().as_u16();
    let base = format!("/v1/epochs/{epoch}/artifacts/2/1");
    assert_eq!(status(format!("{base}/stdout")).await, 200);
    for name in [
        "..%2fstdout",
        "%2e%2e%2f%2e%2e%2fstdout",
        "%2fetc%2fpasswd",
        "..%5c..%5cstdout",
        "stdout%00",
        "stdout%2f..",
        "%c0%ae%c0%ae",
        "' or '1'='1",
    ] {
        let given = status(format!("{base}/{name}")).await;
        assert!(matches!(given, 400 | 404), "{name}: {given}");
    }
    assert_eq!(status(format!("/v1/epochs/{epoch}/artifacts/-1/1/stdout")).await, 400);
    assert_eq!(status(format!("/v1/epochs/{epoch}/artifacts/99999999999/1/stdout")).await, 400);
}
