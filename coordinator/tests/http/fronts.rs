//! Several objectives on clusters that differ, from the submission to what was confirmed.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::system::{System, experiment};

/// What `here` measures: more of the rate is better, less of the power.
fn traded(parameters: &Value) -> [f64; 2] {
    let of = |name: &str| parameters[name].as_f64().unwrap();
    let (clock, idle) = (of("clock"), of("idle"));
    [300.0 * (1.0 - (-clock).exp()) * (1.0 - 0.02 * idle), 90.0 + 35.0 * clock + 4.0 * idle]
}

#[tokio::test]
async fn a_front_of_clusters_that_differ_is_that_of_equal_ones_and_its_compromise_is_confirmed() {
    let system = System::start().await;
    let mut spec = experiment("traded", 14);
    spec["clusters"] = json!(["here", "fast"]);
    spec["algorithm"] = json!({"name": "gp"});
    spec["parameters"] = json!([
        {"name": "clock", "type": "float", "low": 0.0, "high": 5.0, "default": 2.0},
        {"name": "idle", "type": "int", "low": 0, "high": 9, "default": 4},
    ]);
    // which does not tell of servers: where they land decides nothing here
    spec["bench"] = json!({"backend": "traded"});
    spec["collect"] = json!({"backend": "traded"});
    spec["metrics"] = json!([
        {"name": "rate", "parser": "key-value", "field": "rate"},
        {"name": "power", "parser": "key-value", "field": "power"},
    ]);
    spec["objective"] = json!({"maximize": "rate", "unit": "ops/s"});
    spec["other_objectives"] = json!([{"minimize": "power", "unit": "W"}]);
    spec["confirm"] = json!({"pairs": 3});
    let (status, answer) = system.post("/v1/experiments", &spec).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let ended = system.until("/v1/experiments/traded", |e| e["phase"] == "ended").await;

    // in the terms of `fast`, the first by name
    assert_eq!(ended["factors"], json!({"fast": [1.0, 1.0], "here": [2.0, 1.0]}));
    let trials = system.get("/v1/experiments/traded/trials?limit=100").await;
    let searched = |t: &&Value| t["kind"] == "proposed" || (t["kind"] == "baseline" && t["again"] == false);
    let all: Vec<&Value> = trials["trials"].as_array().unwrap().iter().filter(searched).collect();
    assert_eq!(all.len(), 16);
    let clusters: BTreeSet<&str> = all.iter().map(|t| t["cluster"].as_str().unwrap()).collect();
    assert_eq!(clusters.len(), 2);
    let beaten = |t: &Value| {
        let own = traded(&t["parameters"]);
        let better = |other: &[f64; 2]| other[0] >= own[0] && other[1] <= own[1] && *other != own;
        all.iter().any(|other| better(&traded(&other["parameters"])))
    };
    let unbeaten: BTreeSet<u64> =
        all.iter().filter(|t| !beaten(t)).map(|t| t["number"].as_u64().unwrap()).collect();
    let front = ended["front"].as_array().unwrap();
    let told: BTreeSet<u64> = front.iter().map(|f| f["number"].as_u64().unwrap()).collect();
    assert!(told.len() > 2, "{front:?}");
    assert_eq!(told, unbeaten);
    for trial in front {
        let [rate, power] = traded(&trial["parameters"]);
        let near = |value: &Value, expected: f64| (value.as_f64().unwrap() - expected).abs() < 1e-9;
        assert!(near(&trial["values"][0], 2.0 * rate) && near(&trial["values"][1], power), "{trial}");
    }

    let confirmation = &ended["confirmation"];
    let number = confirmation["number"].as_u64().unwrap();
    assert!(number > 0, "{confirmation}");
    assert_eq!(ended["recommended"]["number"], confirmation["number"]);
    assert_eq!((&confirmation["done"], &confirmation["void"]), (&json!(6), &json!(0)));
    let [found, afresh] = [&json!({"clock": 2.0, "idle": 4}), &confirmation["parameters"]].map(traded);
    let gains = [afresh[0] / found[0] - 1.0, 1.0 - afresh[1] / found[1]];
    let claims = [&confirmation["claim"], &confirmation["other_claims"][0]];
    for (claim, gain) in claims.into_iter().zip(gains) {
        assert!((claim["gain"].as_f64().unwrap() - gain).abs() < 1e-9, "{gain} {claim}");
        assert_eq!((&claim["level"], &claim["clusters"]["fast"]["pairs"]), (&json!(0.975), &json!(3)));
        assert_eq!(claim["verdict"], if gain > 0.0 { "shown" } else { "not_shown" });
    }
    let pair = &ended["sites"]["fast"]["pairs"][0];
    assert_eq!(pair["baseline_others"].as_array().map(Vec::len), Some(1), "{pair}");
    let told = confirmation["told"].as_str().unwrap();
    assert!(told.contains("6 pairs, 95 % intervals that hold together: gain in rate"), "{told}");
    assert!(told.contains("; gain in power "), "{told}");
}
