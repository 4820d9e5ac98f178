//! What the optimizer's model thinks, and where servers landed.

use serde_json::json;

use crate::system::{System, experiment};

#[tokio::test]
async fn effects_come_from_the_optimizer_and_nobody_waits_for_them() {
    let system = System::start().await;
    let mut spec = experiment("told", 30);
    spec["objective"]["unit"] = json!("ops/s");
    system.post("/v1/experiments", &spec).await;
    let path = "/v1/experiments/told/effects";
    system.until("/v1/experiments/told", |e| e["baseline"]["here"].is_number()).await;
    // one result, the baseline's: the model says that it is too few
    let few = system.until(path, |e| e["state"] == "current").await;
    assert!(few["explanation"]["problem"].as_str().unwrap().contains("needs at least"), "{few}");
    for i in 0..14 {
        let trial = json!({"parameters": {"x": f64::from(i) * 0.7 - 4.9, "n": (7 * i) % 10}});
        system.post("/v1/experiments/told/trials", &trial).await;
    }
    system.until("/v1/experiments/told", |e| e["outcomes"]["measured"] == 14).await;
    let now = system.get(path).await;
    assert_eq!(now["results"], 15);
    let told = system.until(path, |e| e["state"] == "current").await;
    let effects = told["explanation"]["effects"].as_array().unwrap();
    assert_eq!((told["explanation"]["results"].as_u64(), effects.len()), (Some(15), 2), "{told}");
    for effect in effects {
        let share = |of: &str, at: &str| effect[of][at].as_f64().unwrap();
        assert!(share("total", "low") <= share("total", "mean"), "{effect}");
        assert!(share("first_order", "mean") <= share("total", "high") + 0.1, "{effect}");
        assert!(effect["levels"].as_array().unwrap().len() > 3, "{effect}");
    }
    // minus the sum of squares: n from 0 to 9 does far more than x from -5 to 5
    assert_eq!(effects[0]["parameter"], "n");
}

#[tokio::test]
async fn placements_are_those_of_the_baseline_and_then_of_the_newest_trials() {
    let system = System::start().await;
    system.post("/v1/experiments", &experiment("placed", 9)).await;
    for x in [0.5, 3.5] {
        system.post("/v1/experiments/placed/trials", &json!({"parameters": {"x": x, "n": 0}})).await;
    }
    let e = system.until("/v1/experiments/placed", |e| e["outcomes"]["measured"] == 2).await;
    let runs = &e["baseline_runs"]["here"];
    assert_eq!((&runs["n"], &runs["mean"]), (&json!(1), &e["baseline"]["here"]));
    let all = system.get("/v1/experiments/placed/placements").await;
    assert_eq!(all["servers"], json!(["cache", "database", "queue", "web"]));
    let rows = all["rows"].as_array().unwrap();
    let of: Vec<_> = rows.iter().map(|row| (row["kind"].as_str().unwrap(), row["number"].as_u64())).collect();
    assert_eq!(of, [("baseline", Some(0)), ("manual", Some(2)), ("manual", Some(1))]);
    // x = 0.5: 1 + 3 i modulo 5
    assert_eq!(rows[2]["hosts"], json!(["compute-1", "compute-4", "compute-2", "compute-0"]));
    let one = system.get("/v1/experiments/placed/placements?limit=1").await;
    assert_eq!(one["rows"].as_array().unwrap().len(), 2, "the baseline is always there: {one}");
}

#[tokio::test]
async fn a_cluster_says_how_many_trials_wait_for_it() {
    let system = System::start().await;
    system.post("/v1/experiments", &experiment("queued", 9)).await;
    system.until("/v1/experiments/queued", |e| e["baseline"]["here"].is_number()).await;
    system.post("/v1/experiments/queued/pause", &json!({})).await;
    for x in [1.0, 2.0, 3.0] {
        system.post("/v1/experiments/queued/trials", &json!({"parameters": {"x": x, "n": 0}})).await;
    }
    let clusters = system.get("/v1/clusters").await;
    assert_eq!(clusters["clusters"][0]["waiting"], 3, "{clusters}");
}
