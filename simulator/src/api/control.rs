//! The simulator's own API, under `/control`, without a token: the clock, faults, nova-scheduler's restart, and why a host won.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::App;
use super::call::Call;
use super::error::ApiError;
use crate::cloud::{Cloud, Decision};
use crate::faults::{Fault, Faults, Trigger};
use crate::scheduler::weighers::Part;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/control", get(overview))
        .route("/control/scheduler", get(scheduler))
        .route("/control/scheduler/restart", post(restart))
        .route("/control/clock", post(clock))
        .route("/control/faults", get(faults).put(set_faults).delete(clear_faults))
        .route("/control/faults/{kind}", put(set_fault))
        .route("/control/tokens/expire", post(expire_tokens))
        .route("/control/decisions", get(decisions))
        .route("/control/hosts", get(hosts))
}

async fn overview(State(app): State<App>) -> Json<Value> {
    let state = app.lock();
    let cloud = &state.cloud;
    Json(json!({"version": env!("CARGO_PKG_VERSION"), "virtual_seconds": cloud.seconds(),
        "next_event_in": cloud.next_event().map(|at| at.saturating_sub(cloud.now()) as f64 / 1000.0),
        "hosts": cloud.hosts.len(), "servers": cloud.servers.len(), "ports": cloud.ports.len(), "allocations": cloud.allocations.len()}))
}

fn scheduler_view(cloud: &Cloud) -> Value {
    let s = &cloud.scheduler;
    json!({"up": s.is_up(cloud.now()), "failure": s.failure, "files": s.files,
        "ready_in": s.ready.saturating_sub(cloud.now()) as f64 / 1000.0,
        "weight_setting": s.settings.weight_setting.iter().map(|(name, ratio)| format!("{name}={ratio}")).collect::<Vec<_>>(),
        "multipliers": s.settings.weighers.iter()
            .map(|w| (w.facts().option.to_owned(), json!(s.settings.multiplier(*w))))
            .collect::<serde_json::Map<_, _>>()})
}

async fn scheduler(State(app): State<App>) -> Json<Value> {
    Json(scheduler_view(&app.lock().cloud))
}

/// Answers 500 with nova's reason if the scheduler does not start with what it reads.
async fn restart(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    let mut state = app.lock();
    state.cloud.restart_scheduler();
    match &state.cloud.scheduler.failure {
        Some(reason) => Err(ApiError::new(500, format!("nova-scheduler does not start: {reason}"))),
        None => Ok(Json(scheduler_view(&state.cloud))),
    }
}

/// `{"advance": SECONDS}` jumps ahead; `{"mode": "scaled", "speed": 1000}` or `{"mode": "step", "step": 2}` changes the clock.
async fn clock(State(app): State<App>, call: Call) -> Result<Json<Value>, ApiError> {
    let mut state = app.lock();
    if let Some(seconds) = call.body.get("advance") {
        let seconds = seconds.as_f64().and_then(|s| Duration::try_from_secs_f64(s).ok());
        state
            .clock
            .advance(seconds.ok_or_else(|| ApiError::bad("`advance` is a number of seconds, 0 or more"))?);
    } else {
        let mode = serde_json::from_value(call.body).map_err(|e| ApiError::bad(format!("no clock: {e}")))?;
        let wall = state.cloud.wall();
        state.clock.set_mode(mode, wall);
    }
    state.catch_up();
    Ok(Json(json!({"virtual_seconds": state.cloud.seconds()})))
}

async fn faults(State(app): State<App>) -> Json<Faults> {
    Json(app.lock().cloud.faults.clone())
}

async fn set_faults(State(app): State<App>, call: Call) -> Result<Json<Faults>, ApiError> {
    let faults: Faults = serde_json::from_value(call.body).map_err(ApiError::bad)?;
    app.lock().cloud.faults = faults.clone();
    Ok(Json(faults))
}

async fn clear_faults(State(app): State<App>) -> Json<Faults> {
    app.lock().cloud.faults = Faults::default();
    Json(Faults::default())
}

async fn set_fault(
    State(app): State<App>,
    Path(kind): Path<String>,
    call: Call,
) -> Result<Json<Faults>, ApiError> {
    let kind: Fault = serde_json::from_value(Value::String(kind)).map_err(|e| ApiError::new(404, e))?;
    let trigger: Trigger = serde_json::from_value(call.body).map_err(ApiError::bad)?;
    let mut state = app.lock();
    state.cloud.faults.set(kind, trigger);
    Ok(Json(state.cloud.faults.clone()))
}

async fn expire_tokens(State(app): State<App>) -> Json<Value> {
    app.lock().tokens.revoke_all();
    Json(json!({}))
}

/// The latest decisions, newest last, with every weigher's part in every host's score.
async fn decisions(State(app): State<App>) -> Json<Value> {
    let state = app.lock();
    Json(json!({"decisions": state.cloud.decisions.iter().map(decision).collect::<Vec<_>>()}))
}

fn decision(decision: &Decision) -> Value {
    let part = |part: &Part| json!({"weigher": part.weigher.facts().class, "raw": part.raw, "normalised": part.normalised, "multiplier": part.multiplier});
    let servers: Vec<Value> =
        decision.servers.iter().map(|(id, name)| json!({"id": id.to_string(), "name": name})).collect();
    let at = decision.at as f64 / 1000.0;
    match &decision.result {
        Err(reason) => json!({"at": at, "servers": servers, "refused": reason}),
        Ok(choices) => json!({"at": at, "servers": servers, "choices": choices.iter().map(|choice| {
            let score = |score: &crate::scheduler::weighers::Score| json!({"host": score.name, "total": score.total,
                "parts": score.parts.iter().map(part).collect::<Vec<_>>()});
            json!({"host": choice.host, "scores": choice.scores.iter().map(score).collect::<Vec<_>>()})
        }).collect::<Vec<_>>()}),
    }
}

/// Each host's load as it is and its metrics as nova has them.
async fn hosts(State(app): State<App>) -> Json<Value> {
    let state = app.lock();
    let row = |host: &crate::cloud::Host| {
        let load = host.load;
        json!({"name": host.config.name, "load": {"cpu": load.cpu, "disk": load.disk, "network": load.network, "memory": load.memory},
            "metrics": host.metrics, "failed_builds": host.failed_builds})
    };
    Json(json!({"hosts": state.cloud.hosts.iter().map(row).collect::<Vec<_>>()}))
}
