//! The APIs over HTTP, as a client without an SDK sees them.

use std::time::Duration;

use autoopt_simulator::faults::{Fault, Trigger};
use autoopt_simulator::{Config, Simulator};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

struct Api {
    simulator: Simulator,
    http: Client,
    token: String,
}

impl Api {
    async fn start(config: Config) -> Self {
        let simulator = Simulator::start(config).await.unwrap();
        let http = Client::new();
        let body = json!({"auth": {"identity": {"methods": ["password"], "password": {"user":
            {"name": "admin", "domain": {"id": "default"}, "password": "simulator"}}},
            "scope": {"project": {"name": "admin", "domain": {"id": "default"}}}}});
        let answer =
            http.post(format!("{}/auth/tokens", simulator.auth_url())).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let token = answer.headers()["x-subject-token"].to_str().unwrap().to_owned();
        Self { simulator, http, token }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.simulator.url()))
            .header("x-auth-token", &self.token)
            .header("openstack-api-version", "compute 2.79");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, None).await;
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    async fn create(&self, change: Value) -> (StatusCode, Value) {
        let id = |list: &Value, name: &str| {
            list.as_array().unwrap().iter().find(|x| x["name"] == name).unwrap()["id"].clone()
        };
        let flavors = self.get("/compute/v2.1/flavors").await;
        let images = self.get("/image/v2/images").await;
        let networks = self.get("/network/v2.0/networks?name=private").await;
        let mut server = json!({"name": "s", "flavorRef": id(&flavors["flavors"], "app"),
            "imageRef": id(&images["images"], "debian-12"), "networks": [{"uuid": id(&networks["networks"], "private")}]});
        server.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.call(Method::POST, "/compute/v2.1/servers", Some(json!({"server": server}))).await
    }

    /// Creates a server and lets it reach its state.
    async fn settled(&self, change: Value) -> Value {
        let (status, body) = self.create(change).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        self.simulator.advance(Duration::from_secs(60));
        let id = body["server"]["id"].as_str().unwrap();
        self.get(&format!("/compute/v2.1/servers/{id}")).await["server"].clone()
    }

    async fn console(&self, server: &Value) -> String {
        let path = format!("/compute/v2.1/servers/{}/action", server["id"].as_str().unwrap());
        let (status, body) = self.call(Method::POST, &path, Some(json!({"os-getConsoleOutput": {}}))).await;
        assert!(status.is_success(), "{body}");
        body["output"].as_str().unwrap().to_owned()
    }

    async fn set_metadata(&self, values: Value) -> (StatusCode, Value) {
        let body = json!({"set_metadata": {"metadata": values}});
        self.call(Method::POST, "/compute/v2.1/os-aggregates/1/action", Some(body)).await
    }

    async fn restart_scheduler(&self) -> (StatusCode, Value) {
        self.call(Method::POST, "/control/scheduler/restart", None).await
    }
}

fn host(server: &Value) -> &str {
    server["OS-EXT-SRV-ATTR:host"].as_str().unwrap()
}

/// The contents of the console's frames whose length and checksum agree.
fn frames(console: &str) -> Vec<String> {
    let parts = console.split("-----BEGIN AUTOOPT RESULT ").skip(1);
    parts
        .filter_map(|part| {
            let (head, rest) = part.split_once("-----\n")?;
            let (content, _) = rest.split_once("-----END AUTOOPT RESULT-----")?;
            let value =
                |key: &str| head.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
            let sum: String = Sha256::digest(content).iter().map(|b| format!("{b:02x}")).collect();
            let agrees = value("bytes")? == content.len().to_string() && value("sha256")? == sum;
            agrees.then(|| content.to_owned())
        })
        .collect()
}

fn benchmark(kind: &str) -> Value {
    json!({"name": kind, "user_data": STANDARD.encode(format!("#!/bin/sh\nAUTOOPT_BENCHMARK={kind}\n"))})
}

#[tokio::test]
async fn a_benchmark_prints_its_frame_and_leaves_nothing_behind() {
    let api = Api::start(Config::default()).await;
    let server = api.settled(benchmark("rabbitmq")).await;
    assert_eq!(server["status"], "ACTIVE");
    assert_eq!(server["addresses"]["private"][0]["addr"], "10.20.0.2");
    assert!(frames(&api.console(&server).await).is_empty());
    api.simulator.advance(Duration::from_secs(200));
    let found = frames(&api.console(&server).await);
    assert_eq!(found.len(), 2);
    assert!(found[0].contains(" us\n") && found[0].contains("sending rate avg:") && found[0] == found[1]);
    let path = format!("/compute/v2.1/servers/{}", server["id"].as_str().unwrap());
    assert_eq!(api.call(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    api.simulator.advance(Duration::from_secs(10));
    assert_eq!(api.call(Method::GET, &path, None).await.0, StatusCode::NOT_FOUND);
    let left = api.get("/control").await;
    assert_eq!((&left["servers"], &left["ports"], &left["allocations"]), (&json!(0), &json!(0), &json!(0)));
}

#[tokio::test]
async fn aggregate_metadata_works_at_once_and_conf_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.scheduler.config_dir = Some(directory.path().to_owned());
    let api = Api::start(config).await;
    // most memory, threads and disk
    assert_eq!(host(&api.settled(json!({})).await), "compute-0");
    let keys = ["ram_weight_multiplier", "cpu_weight_multiplier", "disk_weight_multiplier"];
    let all = |value: Value| Value::Object(keys.iter().map(|k| ((*k).to_owned(), value.clone())).collect());
    assert!(api.set_metadata(all(json!("-1.0"))).await.0.is_success());
    assert_eq!(host(&api.settled(json!({})).await), "compute-5");
    assert!(api.set_metadata(all(Value::Null)).await.0.is_success());
    assert_eq!(api.set_metadata(json!({"ram_weight_multiplier": 1})).await.0, StatusCode::BAD_REQUEST);

    let snippet = directory.path().join("90-test.conf");
    std::fs::write(&snippet, "[metrics]\nweight_multiplier = 9\nweight_setting = cpu.frequency=1.0\n")
        .unwrap();
    assert_eq!(host(&api.settled(json!({})).await), "compute-0");
    assert!(api.restart_scheduler().await.0.is_success());
    let services = api.get("/compute/v2.1/os-services?binary=nova-scheduler").await;
    assert_eq!(services["services"][0]["state"], "down");
    assert_eq!(host(&api.settled(json!({})).await), "compute-5");
    let services = api.get("/compute/v2.1/os-services?binary=nova-scheduler").await;
    assert_eq!(services["services"][0]["state"], "up");

    std::fs::write(&snippet, "[filter_scheduler]\nram_weight_multiplier = much\n").unwrap();
    let (status, body) = api.restart_scheduler().await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body["error"]["message"].as_str().unwrap().contains("ram_weight_multiplier"), "{body}");
    assert_eq!(api.settled(json!({})).await["status"], "BUILD");
    std::fs::remove_file(&snippet).unwrap();
    assert!(api.restart_scheduler().await.0.is_success());
    api.simulator.advance(Duration::from_secs(60));
    let servers = api.get("/compute/v2.1/servers/detail?limit=1").await;
    assert_eq!(servers["servers"][0]["status"], "ACTIVE");
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_novas_words() {
    let mut config = Config::default();
    config.quota.cores = 5000;
    config.flavors[1].vcpus = 2000;
    let api = Api::start(config).await;
    let flavors = api.get("/compute/v2.1/flavors").await;
    let huge =
        flavors["flavors"].as_array().unwrap().iter().find(|f| f["name"] == "load").unwrap()["id"].clone();
    let server = api.settled(json!({"flavorRef": huge})).await;
    assert_eq!(server["status"], "ERROR");
    assert_eq!(server["fault"]["message"], "No valid host was found. ");
    let (status, body) = api.create(json!({"max_count": 60})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(
        body["forbidden"]["message"].as_str().unwrap().starts_with("Quota exceeded for instances"),
        "{body}"
    );
    let (status, body) = api.create(json!({"imageRef": "nonesuch"})).await;
    assert_eq!((status, body["badRequest"]["code"].as_u64()), (StatusCode::BAD_REQUEST, Some(400)));
    let (status, body) = api.call(Method::GET, "/network/v2.0/ports/nonesuch", None).await;
    assert_eq!(
        (status, body["NeutronError"]["type"].as_str()),
        (StatusCode::NOT_FOUND, Some("PortNotFound"))
    );
}

#[tokio::test]
async fn faults_strike_when_they_are_asked_for() {
    let api = Api::start(Config::default()).await;
    let next = |n| Trigger { share: 0.0, next: n };
    api.simulator.set_fault(Fault::Unavailable, next(1));
    let (status, body) = api.call(Method::GET, "/compute/v2.1/servers", None).await;
    assert_eq!(
        (status, body["serviceUnavailable"]["code"].as_u64()),
        (StatusCode::SERVICE_UNAVAILABLE, Some(503))
    );
    assert_eq!(api.get("/compute/v2.1/servers").await["servers"], json!([]));

    // a failed build goes on at the next alternate, three end in ERROR
    api.simulator.set_fault(Fault::FailedBuild, next(1));
    let server = api.settled(json!({})).await;
    assert_eq!((server["status"].as_str(), host(&server)), (Some("ACTIVE"), "compute-1"));
    api.simulator.set_fault(Fault::FailedBuild, next(3));
    let server = api.settled(json!({})).await;
    assert_eq!(server["status"], "ERROR");
    assert!(server["fault"]["message"].as_str().unwrap().starts_with("Exceeded maximum number of retries."));
    api.simulator.set_fault(Fault::HungBuild, next(1));
    assert_eq!(api.settled(json!({})).await["status"], "BUILD");

    api.simulator.set_fault(Fault::TruncatedConsole, next(1));
    let truncated = api.settled(benchmark("cpu")).await;
    api.simulator.set_fault(Fault::CorruptConsole, next(1));
    let corrupt = api.settled(benchmark("mysql")).await;
    api.simulator.advance(Duration::from_secs(200));
    for server in [&truncated, &corrupt] {
        let console = api.console(server).await;
        assert!(console.contains("BEGIN AUTOOPT RESULT") && frames(&console).is_empty(), "{console}");
    }

    api.simulator.set_fault(Fault::LeakedPort, next(1));
    let path = format!("/compute/v2.1/servers/{}", corrupt["id"].as_str().unwrap());
    api.call(Method::DELETE, &path, None).await;
    api.simulator.advance(Duration::from_secs(10));
    let ports = api.get(&format!("/network/v2.0/ports?device_id={}", corrupt["id"].as_str().unwrap())).await;
    assert_eq!(ports["ports"].as_array().unwrap().len(), 1);

    api.simulator.set_fault(Fault::ExpiredToken, next(1));
    assert_eq!(api.call(Method::GET, "/compute/v2.1/servers", None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(api.call(Method::GET, "/compute/v2.1/servers", None).await.0, StatusCode::UNAUTHORIZED);
}
