//! `os-services`: nova-scheduler, nova-conductor, and a nova-compute for each host.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::micros;
use crate::api::App;
use crate::api::call::Call;
use crate::api::error::ApiError;
use crate::cloud::{Cloud, Host};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/compute/v2.1/os-services", get(list))
        .route("/compute/v2.1/os-services/{id}", put(update))
        .route("/compute/v2.1/os-services/disable-log-reason", put(disable_old))
        .route("/compute/v2.1/os-services/disable", put(disable_old))
        .route("/compute/v2.1/os-services/enable", put(enable_old))
}

const CONTROLLER: &str = "controller";

struct Service<'a> {
    number: usize,
    id: Uuid,
    binary: &'static str,
    host: &'a str,
    zone: &'a str,
    up: bool,
    updated: Timestamp,
    compute: Option<&'a Host>,
}

fn services(cloud: &Cloud) -> Vec<Service<'_>> {
    let wall = cloud.wall();
    let scheduler_up = cloud.scheduler.is_up(cloud.now());
    let controller = |number: usize, binary: &'static str, up: bool| Service {
        number,
        id: Uuid::new_v5(&cloud.project, binary.as_bytes()),
        binary,
        host: CONTROLLER,
        zone: "internal",
        up,
        // a service that is down has written its record before it went
        updated: if up { wall } else { cloud.scheduler.started },
        compute: None,
    };
    let mut all = vec![controller(1, "nova-scheduler", scheduler_up), controller(2, "nova-conductor", true)];
    all.extend(cloud.hosts.iter().enumerate().map(|(i, host)| Service {
        number: i + 3,
        id: host.service_id,
        binary: "nova-compute",
        host: &host.config.name,
        zone: cloud.zone_of(i),
        up: !host.forced_down,
        updated: wall,
        compute: Some(host),
    }));
    all
}

fn view(service: &Service<'_>, minor: u32) -> Value {
    let enabled = service.compute.is_none_or(|host| host.enabled);
    let mut view = json!({"binary": service.binary, "host": service.host, "zone": service.zone,
        "status": if enabled { "enabled" } else { "disabled" }, "state": if service.up { "up" } else { "down" },
        "updated_at": micros(service.updated), "disabled_reason": service.compute.and_then(|h| h.disabled_reason.clone())});
    view["id"] = if minor >= 53 { json!(service.id.to_string()) } else { json!(service.number) };
    if minor >= 11 {
        view["forced_down"] = json!(service.compute.is_some_and(|h| h.forced_down));
    }
    view
}

async fn list(State(app): State<App>, call: Call) -> Json<Value> {
    let state = app.lock();
    let wanted = |s: &Service<'_>| {
        call.get("binary").is_none_or(|b| b == s.binary) && call.get("host").is_none_or(|h| h == s.host)
    };
    let rows: Vec<Value> =
        services(&state.cloud).iter().filter(|s| wanted(s)).map(|s| view(s, call.minor)).collect();
    Json(json!({"services": rows}))
}

/// From 2.53 on.
async fn update(State(app): State<App>, Path(id): Path<String>, call: Call) -> Result<Json<Value>, ApiError> {
    let mut state = app.lock();
    let found = state.cloud.hosts.iter_mut().find(|h| h.service_id.to_string() == id);
    change(found.ok_or_else(|| ApiError::missing("Service", &id))?, &call.body)?;
    let all = services(&state.cloud);
    let service =
        all.iter().find(|s| s.id.to_string() == id).ok_or_else(|| ApiError::missing("Service", &id))?;
    Ok(Json(json!({"service": view(service, call.minor)})))
}

fn change(host: &mut Host, body: &Value) -> Result<(), ApiError> {
    match body["status"].as_str() {
        Some("enabled") => {
            host.enabled = true;
            host.disabled_reason = None;
        }
        Some("disabled") => {
            host.enabled = false;
            host.disabled_reason = body["disabled_reason"].as_str().map(str::to_owned);
        }
        Some(other) => {
            return Err(ApiError::bad(format!("Invalid input for field/attribute status. Value: {other}")));
        }
        None => {}
    }
    if let Some(down) = body["forced_down"].as_bool() {
        host.forced_down = down;
    }
    Ok(())
}

/// Until 2.52.
async fn disable_old(State(app): State<App>, call: Call) -> Result<Response, ApiError> {
    switch_old(&app, &call, "disabled")
}

async fn enable_old(State(app): State<App>, call: Call) -> Result<Response, ApiError> {
    switch_old(&app, &call, "enabled")
}

fn switch_old(app: &App, call: &Call, status: &str) -> Result<Response, ApiError> {
    let mut state = app.lock();
    let name = call.body["host"].as_str().unwrap_or_default();
    let i = state.cloud.host_index(name).ok_or_else(|| ApiError::missing("Host", name))?;
    let body = json!({"status": status, "disabled_reason": call.body["disabled_reason"]});
    change(&mut state.cloud.hosts[i], &body)?;
    Ok((StatusCode::OK, Json(json!({"service": {"binary": "nova-compute", "host": name, "status": status}})))
        .into_response())
}
