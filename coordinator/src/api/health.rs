//! `/health`

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use super::Api;
use super::extract::Json;
use super::view::{Health, HealthStatus, Part};
use crate::engine::{self, Handle};

/// A store that has not answered by then is down.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn route() -> Router<Api> {
    Router::new().route("/health", get(health))
}

async fn health(State(api): State<Api>) -> (StatusCode, Json<Health>) {
    let (mut store, open_experiments) = store(&api).await;
    let bus = if api.bus.is_connected() {
        Part::ok()
    } else {
        Part::not_ok(
            HealthStatus::Down,
            "no connection to the broker; see bus.url, and whether RabbitMQ runs",
        )
    };
    let engine = api.engine.get().map(Handle::health).unwrap_or_default();
    if let Some(failing) = engine.store_failing.as_ref().filter(|_| store.status == HealthStatus::Ok) {
        let reason = format!("it takes nothing since {}: {}", failing.since, failing.reason);
        store = Part::not_ok(HealthStatus::Down, reason);
    }
    let (relay, backlog) = (relay(&engine), engine.relay_backlog as u64);
    let status = [&bus, &store, &relay].map(|part| part.status).into_iter().max().unwrap_or(HealthStatus::Ok);
    let code = if status == HealthStatus::Down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let standby = api.engine.get().is_none();
    (code, Json(Health { status, version, bus, store, relay, backlog, standby, open_experiments }))
}

/// What waits to be published, and why.
fn relay(engine: &engine::Health) -> Part {
    if let Some((key, since)) = engine.unroutable.first_key_value() {
        let others = match engine.unroutable.len() {
            1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        return Part::not_ok(
            HealthStatus::Degraded,
            format!("no queue takes `{key}`{others} since {since}; start the service it is for"),
        );
    }
    match &engine.publishing_failing {
        Some(failing) => Part::not_ok(
            HealthStatus::Degraded,
            format!("publishing fails since {}: {}", failing.since, failing.reason),
        ),
        None => Part::ok(),
    }
}

async fn store(api: &Api) -> (Part, u64) {
    match tokio::time::timeout(PATIENCE, api.store.open_experiments()).await {
        Ok(Ok(open)) => (Part::ok(), open),
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the store cannot be read");
            (Part::not_ok(HealthStatus::Down, "it cannot be read; see the coordinator's log"), 0)
        }
        Err(_) => {
            let reason = format!("it has not answered within {} s", PATIENCE.as_secs());
            (Part::not_ok(HealthStatus::Down, reason), 0)
        }
    }
}
