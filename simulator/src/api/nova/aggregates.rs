//! `os-aggregates` and `os-availability-zone`.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::micros;
use crate::api::App;
use crate::api::call::Call;
use crate::api::error::ApiError;
use crate::cloud::aggregate::AggregateError;
use crate::cloud::{Cloud, CloudAggregate};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/compute/v2.1/os-aggregates", get(list).post(create))
        .route("/compute/v2.1/os-aggregates/{id}", get(show).put(update).delete(delete))
        .route("/compute/v2.1/os-aggregates/{id}/action", post(act))
        .route("/compute/v2.1/os-availability-zone", get(zones))
        .route("/compute/v2.1/os-availability-zone/detail", get(zones_detailed))
}

impl From<AggregateError> for ApiError {
    fn from(error: AggregateError) -> Self {
        let status = match &error {
            AggregateError::NotFound(_) | AggregateError::NoHost(_) | AggregateError::HostMissing(..) => 404,
            AggregateError::NameExists(_) | AggregateError::HostExists(..) | AggregateError::Zone { .. } => {
                409
            }
            AggregateError::NotEmpty(_) => 400,
        };
        Self::new(status, error)
    }
}

fn view(cloud: &Cloud, aggregate: &CloudAggregate, minor: u32) -> Value {
    let hosts: Vec<&str> = aggregate.hosts.iter().map(|i| cloud.hosts[*i].config.name.as_str()).collect();
    let mut view = json!({"id": aggregate.id, "name": aggregate.name, "hosts": hosts, "metadata": aggregate.metadata,
        "availability_zone": aggregate.zone(), "deleted": false, "deleted_at": null,
        "created_at": micros(aggregate.created), "updated_at": aggregate.updated.map(micros)});
    if minor >= 41 {
        view["uuid"] = json!(aggregate.uuid.to_string());
    }
    view
}

fn shown(cloud: &Cloud, id: i64, minor: u32) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({"aggregate": view(cloud, cloud.aggregate(id)?, minor)})))
}

async fn list(State(app): State<App>, call: Call) -> Json<Value> {
    let state = app.lock();
    let all: Vec<Value> =
        state.cloud.aggregates.values().map(|a| view(&state.cloud, a, call.minor)).collect();
    Json(json!({"aggregates": all}))
}

async fn show(State(app): State<App>, Path(id): Path<i64>, call: Call) -> Result<Json<Value>, ApiError> {
    shown(&app.lock().cloud, id, call.minor)
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    availability_zone: Option<String>,
}

async fn create(State(app): State<App>, call: Call) -> Result<Json<Value>, ApiError> {
    let body: Body = call.read("aggregate")?;
    let name = body.name.filter(|n| !n.trim().is_empty());
    let name = name.ok_or_else(|| ApiError::bad("Invalid input: 'name' is a required property"))?;
    let mut state = app.lock();
    let id = state.cloud.create_aggregate(&name, body.availability_zone.as_deref())?;
    shown(&state.cloud, id, call.minor)
}

async fn update(State(app): State<App>, Path(id): Path<i64>, call: Call) -> Result<Json<Value>, ApiError> {
    let body: Body = call.read("aggregate")?;
    let mut state = app.lock();
    state.cloud.update_aggregate(id, body.name, body.availability_zone)?;
    shown(&state.cloud, id, call.minor)
}

async fn delete(State(app): State<App>, Path(id): Path<i64>) -> Result<StatusCode, ApiError> {
    app.lock().cloud.delete_aggregate(id)?;
    Ok(StatusCode::OK)
}

#[derive(Deserialize)]
struct HostBody {
    host: String,
}

#[derive(Deserialize)]
struct MetadataBody {
    metadata: BTreeMap<String, Value>,
}

/// Values are strings of at most 255 characters; `null` removes a key.
fn metadata(call: &Call) -> Result<BTreeMap<String, Option<String>>, ApiError> {
    let body: MetadataBody = call.read("set_metadata")?;
    let read = |(key, value): (String, Value)| match value {
        Value::Null => Ok((key, None)),
        Value::String(text) if text.chars().count() <= 255 => Ok((key, Some(text))),
        other => {
            let message = format!(
                "Invalid input for field/attribute {key}. Value: {other}. It must be a string of at most 255 characters, or null"
            );
            Err(ApiError::bad(message))
        }
    };
    body.metadata.into_iter().map(read).collect()
}

async fn act(State(app): State<App>, Path(id): Path<i64>, call: Call) -> Result<Json<Value>, ApiError> {
    let name = call.body.as_object().and_then(|body| body.keys().next()).cloned().unwrap_or_default();
    let mut state = app.lock();
    match name.as_str() {
        "set_metadata" => state.cloud.set_metadata(id, &metadata(&call)?)?,
        "add_host" => state.cloud.add_host(id, &call.read::<HostBody>("add_host")?.host)?,
        "remove_host" => state.cloud.remove_host(id, &call.read::<HostBody>("remove_host")?.host)?,
        other => return Err(ApiError::bad(format!("There is no such action: {other}"))),
    }
    shown(&state.cloud, id, call.minor)
}

fn zone_names(cloud: &Cloud) -> Vec<String> {
    let mut names: Vec<String> = (0..cloud.hosts.len()).map(|i| cloud.zone_of(i).to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

async fn zones(State(app): State<App>) -> Json<Value> {
    let state = app.lock();
    let row = |name: String| json!({"zoneName": name, "zoneState": {"available": true}, "hosts": null});
    Json(json!({"availabilityZoneInfo": zone_names(&state.cloud).into_iter().map(row).collect::<Vec<_>>()}))
}

async fn zones_detailed(State(app): State<App>) -> Json<Value> {
    let state = app.lock();
    let cloud = &state.cloud;
    let row = |name: String| {
        let service = |i: usize| {
            let host = &cloud.hosts[i];
            let entry = json!({"nova-compute": {"available": host.enabled, "active": !host.forced_down, "updated_at": micros(cloud.wall())}});
            (host.config.name.clone(), entry)
        };
        let hosts: serde_json::Map<String, Value> =
            (0..cloud.hosts.len()).filter(|i| cloud.zone_of(*i) == name).map(service).collect();
        json!({"zoneName": name, "zoneState": {"available": true}, "hosts": hosts})
    };
    Json(json!({"availabilityZoneInfo": zone_names(cloud).into_iter().map(row).collect::<Vec<_>>()}))
}
