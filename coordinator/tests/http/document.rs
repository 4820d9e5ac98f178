//! The document that describes the API.

use std::path::Path;

use autoopt_coordinator::api;

use crate::system::{System, experiment};

#[test]
fn the_kept_document_is_the_one_of_the_types() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let made = format!("{}\n", serde_json::to_string_pretty(&api::document()).unwrap());
    let kept = std::fs::read_to_string(kept).unwrap_or_default();
    assert!(
        kept == made,
        "write it anew: cargo run -p autoopt-coordinator -- openapi > coordinator/openapi.json"
    );
}

#[tokio::test]
async fn it_is_served_with_counts_of_what_happened() {
    let system = System::start().await;
    let document = system.get("/openapi.json").await;
    for path in ["/v1/experiments", "/v1/experiments/{experiment}/trials", "/v1/events/stream"] {
        assert!(document["paths"][path]["get"].is_object(), "{path}");
    }
    assert!(document["components"]["schemas"]["ExperimentDetail"].is_object());

    system.post("/v1/experiments", &experiment("counted", 3)).await;
    system.until("/v1/experiments/counted", |e| e["baseline"]["here"].is_number()).await;
    let metrics =
        system.request(reqwest::Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    for line in [
        "autoopt_experiments_open 1",
        "autoopt_events_total{kind=\"experiment.submitted\"} 1",
        "autoopt_attempts_total{stage=\"bench\",action=\"run\",ending=\"done\"} 1",
        "autoopt_stage_duration_seconds_count{stage=\"bench\"} 1",
        "autoopt_experiment_budget_trials{experiment=\"counted\"} 3.0",
        "autoopt_cluster_paused{cluster=\"here\"} 0.0",
        "# EOF",
    ] {
        let there = metrics.lines().filter(|l| *l == line).count();
        assert_eq!(there, 1, "{line} in\n{metrics}");
    }
    assert!(
        metrics.lines().any(|l| l.starts_with("autoopt_worker_steps_ended_total{worker=\"")),
        "{metrics}"
    );
}
