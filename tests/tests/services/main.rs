//! What an operator has of the six services, as separate processes over the real broker.

mod logs;
mod second;
mod tls;
mod traces;

use std::path::Path;
use std::time::Duration;

use autoopt_tests::sandbox::Sandbox;
use autoopt_tests::vhost::Vhost;
use serde_json::{Value, json};

/// For what takes a second or two on a quiet machine.
const SOON: Duration = Duration::from_secs(60);

/// The services, with benchmarks of 300 ms, on a vhost of their own.
async fn services(home: &Path) -> (Sandbox, Vhost) {
    services_with(home, &[]).await
}

/// The same with variables in their environment.
async fn services_with(home: &Path, environment: &[(&str, &str)]) -> (Sandbox, Vhost) {
    let vhost = Vhost::create().expect("a vhost");
    let store = format!("sqlite://{}?mode=rwc", home.join("store.sqlite").display());
    let mut services = Sandbox::new(home, &vhost.url(), &store).expect("configuration");
    services.set("MQ_BODY_MS_BENCH", "300");
    environment.iter().for_each(|(name, value)| services.set(name, *value));
    services.start_all().await.expect("the services start");
    (services, vhost)
}

/// An experiment without a target, submitted and followed to its end.
async fn experiment(services: &Sandbox, name: &str, trials: u32) {
    let stage = json!({"backend": "noop"});
    let spec = json!({
        "name": name, "clusters": ["here"], "budget": {"trials": trials},
        "parameters": [{"name": "x", "type": "float", "low": -5.0, "high": 10.0, "default": 4.0}],
        "metrics": [{"name": "value", "parser": "key-value", "field": "value"}],
        "apply": stage, "load": stage, "bench": stage, "collect": stage, "objective": {"maximize": "value"},
    });
    services.submit(&spec).await.expect("it is accepted");
    let path = format!("/v1/experiments/{name}");
    let ended = services.until("the experiment ends", SOON, async |services| {
        Ok(services.get(&path).await?["phase"] == "ended")
    });
    ended.await.expect("it ends");
}

/// The JSON objects of a text, one a line.
fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect()
}
