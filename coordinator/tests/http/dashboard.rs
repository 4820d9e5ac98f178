//! The dashboard as it is served, and in a browser.

use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::system::{ADA, Role, SCRIPT, System, experiment};

const TOKEN: &str = "0123456789abcdef-dashboard";

#[tokio::test]
async fn the_page_needs_no_token_and_lets_nothing_else_in() {
    let system = System::with(Role::Leads, Some(TOKEN)).await;
    for (path, kind) in [("/", "text/html"), ("/app.js", "text/javascript"), ("/app.css", "text/css")] {
        let answer = reqwest::get(format!("{}{path}", system.url())).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-type").starts_with(kind), "{path}");
        assert!(
            header("content-security-policy").contains("default-src 'none'; script-src 'self'"),
            "{path}"
        );
        let again = system.request(Method::GET, path).header("if-none-match", header("etag"));
        assert_eq!(again.send().await.unwrap().status(), StatusCode::NOT_MODIFIED, "{path}");
        let packed =
            system.request(Method::GET, path).header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!(packed.headers()["content-encoding"], "gzip", "{path}");
    }
    for path in [
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/..%2fCargo.toml",
        "/app.js/../../Cargo.toml",
        "/dist/app.js",
    ] {
        let (status, _) = system.answer(system.request(Method::GET, path)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn columns_say_what_the_trials_say_and_then_only_what_changed() {
    let system = System::start().await;
    system.post("/v1/experiments", &experiment("columns", 5)).await;
    let trial = |x: f64| json!({"parameters": {"x": x, "n": 1}, "note": SCRIPT});
    system.post("/v1/experiments/columns/trials", &trial(0.5)).await;
    let path = "/v1/experiments/columns/columns";
    let all = |n: usize| {
        move |c: &serde_json::Value| {
            c["outcome"].as_array().is_some_and(|o| o.len() == n && o.iter().all(|o| o == "measured"))
        }
    };
    system.until(path, all(2)).await;
    // the position of an answer is from before its trials
    let columns = system.get(path).await;
    assert_eq!(columns["number"], json!([0, 1]));
    assert_eq!(columns["parameters"]["x"], json!([2.0, 0.5]));
    assert_eq!(columns["note"], json!({"1": SCRIPT}));
    assert_eq!(columns["cluster"], json!(["here", "here"]));
    let position = columns["position"].as_i64().unwrap();
    system.post("/v1/experiments/columns/trials", &trial(1.5)).await;
    system.until(path, all(3)).await;
    let changed = system.get(&format!("{path}?changed_after={position}")).await;
    assert_eq!(changed["parameters"]["x"], json!([1.5]), "{changed}");
    assert_eq!(changed["total"], 3);
    system.post("/v1/experiments/columns/trials", &trial(1.0 / 3.0)).await;
    system.until(path, all(4)).await;
    let brief = system.get(&format!("{path}?digits=4&without=metrics,started")).await;
    assert_eq!((&brief["parameters"]["x"][3], &brief["metrics"]), (&json!(0.3333), &json!({})), "{brief}");
    assert_eq!((&brief["started"], brief["ended"].as_array().map(Vec::len)), (&json!([]), Some(4)));
    let (status, refused) =
        system.answer(system.request(Method::GET, &format!("{path}?without=trail"))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
    assert_eq!(brief["objective"][3], json!(-1.111));
    let (whole, outline) = (system.get(path).await, system.get(&format!("{path}?outline=true")).await);
    for list in ["trial", "number", "kind", "state", "outcome", "submitted", "ended", "objective"] {
        assert_eq!(outline[list], whole[list], "{list}");
    }
    assert_eq!(outline["parameters"]["x"], json!([]));

    let timeline = system.get("/v1/timeline").await;
    let spans = timeline["spans"].as_array().unwrap();
    assert!(
        spans.iter().any(|s| s["stage"] == "bench" && s["state"] == "done" && s["number"] == 2),
        "{timeline}"
    );
    for pair in spans.windows(2) {
        assert!(pair[0]["began"].as_str() <= pair[1]["began"].as_str(), "{timeline}");
    }
    let workers = system.get("/v1/workers").await;
    let collects = |w: &&serde_json::Value| w["stage"] == "collect";
    let worker = workers["workers"].as_array().unwrap().iter().find(collects).expect("it has reported");
    assert_eq!(worker["version"], env!("CARGO_PKG_VERSION"), "{workers}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs node and a browser; `cargo xtask dashboard` runs it"]
async fn every_page_works_in_a_browser() {
    let system = System::with(Role::Leads, Some(TOKEN)).await;
    let mut spec = experiment("browsed", 60);
    spec["description"] = json!(SCRIPT);
    spec["objective"]["unit"] = json!("<b>ops</b>/s");
    spec["parameters"][0]["unit"] = json!(SCRIPT);
    let (status, answer) = system.post("/v1/experiments", &spec).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    for i in 0..12 {
        let x = f64::from(i) * 0.7 - 4.0;
        let trial = json!({"parameters": {"x": x, "n": i % 9}, "note": SCRIPT});
        system.post("/v1/experiments/browsed/trials", &trial).await;
    }
    system.until("/v1/experiments/browsed", |e| e["outcomes"]["measured"] == 12).await;
    let (status, answer) = system.post("/v1/experiments", &tuned()).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let enough = |e: &serde_json::Value| e["outcomes"]["measured"].as_u64() >= Some(40);
    system.until("/v1/experiments/scheduler-weights", enough).await;
    system.post("/v1/experiments/scheduler-weights/pause", &json!({})).await;
    unusable(&system).await;
    broken(&system).await;
    at_odds(&system).await;
    hostile(&system).await;
    let dashboard = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboard");
    let status = tokio::process::Command::new("npm")
        .args(["run", "--silent", "browser"])
        .current_dir(dashboard)
        .env("AUTOOPT_URL", system.url())
        .env("AUTOOPT_TOKEN", TOKEN)
        .env("AUTOOPT_ADA", ADA)
        .env("AUTOOPT_EXPERIMENT", "browsed")
        .status()
        .await
        .unwrap();
    assert!(status.success());
}

/// One that the optimizer searches, with noise and baselines in between, and still open.
fn tuned() -> serde_json::Value {
    let weight = |name: &str, default: f64| json!({"name": name, "type": "float", "low": -1.0, "high": 1.0, "default": default});
    let mut spec = experiment("scheduler-weights", 80);
    spec["description"] = json!("weights of a scheduler; the rate of an application under them");
    spec["clusters"] = json!(["lab-1", "lab-2"]);
    spec["algorithm"] = json!({"name": "gp"});
    spec["baseline"] = json!({"every": 5});
    spec["parameters"] = json!([
        weight("ram_weight", 0.5),
        weight("cpu_weight", 0.8),
        weight("disk_weight", -0.6),
        weight("io_weight", 0.7),
    ]);
    let rate = "420 / (1 + 1.6 * (cpu_weight + 0.3) ^ 2 + 0.9 * (ram_weight - 0.2) ^ 2 + 0.5 * io_weight ^ 2 + 0.1 * disk_weight ^ 2)";
    spec["collect"] = json!({"backend": "noisy", "settings": {"objective": rate}});
    spec["metrics"] = json!([{"name": "rate", "parser": "key-value", "field": "rate", "unit": "ops/s"}]);
    spec["objective"] = json!({"maximize": "rate", "unit": "ops/s"});
    spec
}

/// One whose cluster cannot be used, and is paused for that.
async fn broken(system: &System) {
    let mut spec = experiment("nowhere", 5);
    spec["clusters"] = json!(["dark"]);
    spec["bench"] = json!({"backend": "absent"});
    let (status, answer) = system.post("/v1/experiments", &spec).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let paused = |all: &serde_json::Value| {
        let clusters = all["clusters"].as_array().unwrap();
        clusters.iter().any(|c| c["name"] == "dark" && c["health"] == "paused")
    };
    system.until("/v1/clusters", paused).await;
}

/// One with two objectives, which no trial is best in.
async fn at_odds(system: &System) {
    let mut spec = experiment("rate-and-power", 60);
    spec["parameters"] = json!([
        {"name": "clock", "type": "float", "low": 0.0, "high": 5.0, "default": 2.0, "unit": "GHz"},
        {"name": "idle", "type": "int", "low": 0, "high": 9, "default": 4},
    ]);
    spec["collect"] = json!({"backend": "traded"});
    spec["metrics"] = json!([
        {"name": "rate", "parser": "key-value", "field": "rate", "unit": "ops/s"},
        {"name": "power", "parser": "key-value", "field": "power", "unit": "W"},
    ]);
    spec["objective"] = json!({"maximize": "rate", "unit": "ops/s"});
    spec["other_objectives"] = json!([{"minimize": "power", "unit": "W"}]);
    let (status, answer) = system.post("/v1/experiments", &spec).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    for i in 0..28 {
        let parameters = json!({"clock": 0.25 + f64::from(i % 14) * 0.3, "idle": i * 5 % 9});
        system.post("/v1/experiments/rate-and-power/trials", &json!({"parameters": parameters})).await;
    }
    system.until("/v1/experiments/rate-and-power", |e| e["outcomes"]["measured"] == 28).await;
}

/// One with a script in every text that its file, its trials and its stages can have.
async fn hostile(system: &System) {
    let mut spec = experiment("hostile", 20);
    spec["description"] = json!(SCRIPT);
    spec["parameters"][0]["description"] = json!(SCRIPT);
    spec["parameters"][0]["unit"] = json!(SCRIPT);
    spec["parameters"][0]["default"] = json!(-1.0);
    let choices = json!([SCRIPT, "plain"]);
    let mode = json!({"name": "mode", "type": "categorical", "choices": choices, "default": SCRIPT});
    spec["parameters"].as_array_mut().unwrap().push(mode);
    spec["bench"] = json!({"backend": "hostile"});
    spec["metrics"][0]["unit"] = json!(SCRIPT);
    spec["objective"]["unit"] = json!(SCRIPT);
    let (status, answer) = system.post("/v1/experiments", &spec).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    for x in [-2.0, 2.0] {
        let parameters = json!({"x": x, "n": 1, "mode": SCRIPT});
        system
            .post("/v1/experiments/hostile/trials", &json!({"parameters": parameters, "note": SCRIPT}))
            .await;
    }
    let ended = |e: &serde_json::Value| e["outcomes"] == json!({"infeasible": 1, "measured": 1});
    system.until("/v1/experiments/hostile", ended).await;
}

/// A trial that nobody can use, with somebody's script in it.
async fn unusable(system: &System) {
    let body = json!({"experiment": "browsed", "parameters": {"x": SCRIPT, "n": 1}, "note": SCRIPT});
    let message = autoopt_epoch::bus::Outgoing {
        routing_key: autoopt_epoch::bus::topology::TRIAL_KEY.into(),
        id: autoopt_epoch::id::MessageId::fresh(),
        kind: String::new(),
        body: body.to_string().into_bytes(),
        mandatory: true,
        headers: Default::default(),
    };
    system.bus.publish(message).await.unwrap().await.unwrap();
    system.until("/v1/dead-letters", |l| l["letters"][0].is_object()).await;
}
