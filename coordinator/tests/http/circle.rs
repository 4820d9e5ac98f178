//! An experiment from the API to its end.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::system::{PRINTED, System, experiment};

#[tokio::test]
async fn a_trial_by_hand_goes_round_the_circle_and_can_be_seen() {
    let system = System::start().await;
    let (status, made) = system.post("/v1/experiments", &experiment("hand", 2)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!((&made["name"], &made["phase"]), (&json!("hand"), &json!("running")));

    let trials = "/v1/experiments/hand/trials";
    let new = json!({"parameters": {"x": 1.0, "n": 0}, "note": "closer"});
    let (status, first) = system.post(trials, &new).await;
    assert_eq!(status, StatusCode::CREATED, "{first}");
    assert_eq!((&first["number"], &first["kind"]), (&json!(1), &json!("manual")));
    // said again with the same id, it is the same trial
    let again = json!({"parameters": {"x": 1.0, "n": 0}, "trial": first["id"]});
    assert_eq!(system.post(trials, &again).await.1["number"], 1);
    let worse = json!({"parameters": {"x": 4.0, "n": 0}, "cluster": "here"});
    assert_eq!(system.post(trials, &worse).await.1["number"], 2);

    let ended = system.until("/v1/experiments/hand", |e| e["phase"] == "ended").await;
    assert_eq!(ended["outcomes"], json!({"measured": 2}));
    // minus the sum of squares: −(4 + 1) for the defaults, −1 for the first trial
    assert_eq!(ended["baseline"], json!({"here": -5.0}));
    assert_eq!((&ended["best"]["number"], &ended["best"]["objective"]), (&json!(1), &json!(-1.0)));
    assert_eq!(ended["gain"], 0.8);
    assert_eq!(ended["running"], json!([]));
    let listed = system.get("/v1/experiments").await;
    assert_eq!(listed["experiments"][0]["id"], ended["id"]);

    let trial = system.get(&format!("/v1/trials/{}", first["id"].as_str().unwrap())).await;
    assert_eq!((&trial["outcome"], &trial["note"]), (&json!("measured"), &json!("closer")));
    assert_eq!((&trial["objective"], &trial["repeats"]), (&json!(-1.0), &json!(1)));
    let epoch = &trial["epochs"][0];
    let stages: Vec<&str> =
        epoch["attempts"].as_array().unwrap().iter().map(|a| a["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["apply", "load", "bench", "collect"]);
    assert_eq!(system.get(&format!("/v1/epochs/{}", epoch["id"].as_str().unwrap())).await, *epoch);

    let bench = &epoch["attempts"][2];
    assert_eq!(bench["artifacts"][0], json!({"name": "stdout", "bytes": PRINTED.len(), "truncated": false}));
    let path = format!("/v1/epochs/{}/artifacts/2/1/stdout", epoch["id"].as_str().unwrap());
    let response = system.request(Method::GET, &path).send().await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert!(header("content-type").starts_with("text/plain"));
    assert_eq!(
        (header("x-content-type-options"), header("content-security-policy")),
        ("nosniff".into(), "sandbox".into())
    );
    assert_eq!(response.text().await.unwrap(), PRINTED);
}

#[tokio::test]
async fn trials_come_in_pages() {
    let system = System::start().await;
    system.post("/v1/experiments", &experiment("many", 7)).await;
    for i in 0..7 {
        let new = json!({"parameters": {"x": f64::from(i) / 2.0, "n": i}});
        assert_eq!(system.post("/v1/experiments/many/trials", &new).await.0, StatusCode::CREATED);
    }
    let (mut numbers, mut after) = (Vec::new(), String::new());
    loop {
        let page = system.get(&format!("/v1/experiments/many/trials?limit=3{after}")).await;
        // the baseline, and seven by hand
        assert!(page["total"].as_u64().unwrap() >= 8);
        let page = page["trials"].as_array().unwrap().clone();
        numbers.extend(page.iter().map(|t| t["number"].as_u64().unwrap()));
        let Some(last) = page.last().filter(|_| page.len() == 3) else { break };
        after = format!("&after={}", last["id"].as_str().unwrap());
    }
    numbers.dedup();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn an_experiment_is_paused_resumed_and_cancelled() {
    let system = System::start().await;
    system.post("/v1/experiments", &experiment("held", 5)).await;
    let wish = async |verb: &str| {
        system.answer(system.request(Method::POST, &format!("/v1/experiments/held/{verb}"))).await
    };
    assert_eq!(wish("pause").await.1["phase"], "paused");
    let (_, trial) =
        system.post("/v1/experiments/held/trials", &json!({"parameters": {"x": 1.0, "n": 0}})).await;
    assert_eq!(trial["state"], "waiting");
    let cancel = format!("/v1/trials/{}/cancel", trial["id"].as_str().unwrap());
    let (status, given_up) = system.answer(system.request(Method::POST, &cancel)).await;
    assert_eq!((status, &given_up["outcome"]), (StatusCode::OK, &json!("abandoned")));
    assert_eq!(wish("resume").await.1["phase"], "running");
    let (status, changed) = system
        .post("/v1/experiments/held/change", &json!({"trials": 7, "wall_time": "5h", "join": ["there"]}))
        .await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    assert_eq!(changed["spec"]["budget"], json!({"trials": 7, "wall_time": "5h"}));
    assert_eq!(changed["spec"]["clusters"], json!(["here", "there"]));
    for (change, status) in [
        (json!({"trails": 9}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"leave": ["nowhere"]}), StatusCode::CONFLICT),
        (json!({"leave": ["here", "there"]}), StatusCode::CONFLICT),
    ] {
        assert_eq!(system.post("/v1/experiments/held/change", &change).await.0, status, "{change}");
    }
    let (_, left) = system.post("/v1/experiments/held/change", &json!({"leave": ["there"]})).await;
    assert_eq!(left["sites"]["there"]["out_of_use"], "it left the experiment");
    assert_eq!(wish("cancel").await.0, StatusCode::OK);
    let ended = system.until("/v1/experiments/held", |e| e["phase"] == "ended").await;
    assert!(ended["reason"].as_str().unwrap().contains("cancelled"), "{ended}");
    assert_eq!(wish("pause").await.0, StatusCode::CONFLICT);

    let clusters = system.get("/v1/clusters").await;
    assert_eq!(
        clusters["clusters"][0],
        json!({"name": "here", "health": "healthy", "failures": 0, "waiting": 0})
    );
    let (status, _) = system.answer(system.request(Method::POST, "/v1/clusters/here/resume")).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn an_experiment_says_which_other_one_it_waits_for() {
    let system = System::start().await;
    system.post("/v1/experiments", &experiment("first", 5)).await;
    system.until("/v1/experiments/first", |e| e["baseline"]["here"].is_number()).await;
    let (_, second) = system.post("/v1/experiments", &experiment("second", 5)).await;
    assert_eq!(second["waits_for"], json!({"here": "first"}));
    system.answer(system.request(Method::POST, "/v1/experiments/first/cancel")).await;
    let begun = system.until("/v1/experiments/second", |e| e["baseline"]["here"].is_number()).await;
    assert!(begun["waits_for"].is_null(), "{begun}");
}
