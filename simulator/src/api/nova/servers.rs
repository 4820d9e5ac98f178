//! `servers`: list, show, update, delete, metadata, interfaces.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use regex::Regex;
use serde_json::{Value, json};
use uuid::Uuid;

use super::create::create;
use super::server::{brief, detailed};
use crate::api::App;
use crate::api::call::Call;
use crate::api::error::ApiError;
use crate::cloud::{Cloud, Server};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/compute/v2.1/servers", get(list).post(create))
        .route("/compute/v2.1/servers/detail", get(list_detailed))
        .route("/compute/v2.1/servers/{id}", get(show).put(update).delete(delete))
        .route("/compute/v2.1/servers/{id}/metadata", get(metadata).post(set_metadata))
        .route("/compute/v2.1/servers/{id}/ips", get(ips))
        .route("/compute/v2.1/servers/{id}/os-interface", get(interfaces))
        .route("/compute/v2.1/servers/{id}/os-volume_attachments", get(volumes))
        .route("/compute/v2.1/servers/{id}/os-security-groups", get(security_groups))
        .route("/compute/v2.1/servers/{id}/tags", get(tags))
}

/// The server of a path.
pub(super) fn find<'a>(cloud: &'a Cloud, key: &str) -> Result<&'a Server, ApiError> {
    let missing = || ApiError::missing("Instance", key);
    cloud.servers.get(&key.parse::<Uuid>().map_err(|_| missing())?).ok_or_else(missing)
}

async fn list(State(app): State<App>, call: Call) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let chosen = chosen(&state.cloud, &call)?;
    let servers = call.page(chosen.into_iter().map(|s| brief(&app, s)).collect())?;
    Ok(Json(json!({"servers": servers})))
}

async fn list_detailed(State(app): State<App>, call: Call) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let chosen = chosen(&state.cloud, &call)?;
    let minor = call.minor;
    let servers = call.page(chosen.into_iter().map(|s| detailed(&app, &state.cloud, s, minor)).collect())?;
    Ok(Json(json!({"servers": servers})))
}

/// Those that the query's filters leave, newest first.
fn chosen<'a>(cloud: &'a Cloud, call: &Call) -> Result<Vec<&'a Server>, ApiError> {
    if call.is_on("deleted") {
        return Ok(Vec::new());
    }
    let name = call
        .get("name")
        .map(Regex::new)
        .transpose()
        .map_err(|e| ApiError::bad(format!("Invalid name: {e}")))?;
    let is = |key: &str, value: &dyn Fn() -> String| call.get(key).is_none_or(|wanted| wanted == value());
    let mut found: Vec<&Server> = cloud
        .servers
        .values()
        .filter(|s| name.as_ref().is_none_or(|n| n.is_match(&s.name)))
        .filter(|s| call.get("status").is_none_or(|w| w.eq_ignore_ascii_case(s.status.name())))
        .filter(|s| call.get("host").is_none_or(|w| s.host.is_some_and(|i| cloud.hosts[i].config.name == w)))
        .filter(|s| is("uuid", &|| s.id.to_string()) && is("flavor", &|| s.flavor.id.to_string()))
        .filter(|s| is("image", &|| s.image.as_ref().map(|i| i.id.to_string()).unwrap_or_default()))
        .filter(|s| {
            let wanted = call.get("tags").unwrap_or_default();
            wanted.split(',').filter(|t| !t.is_empty()).all(|tag| s.tags.iter().any(|t| t == tag))
        })
        .collect();
    found.sort_by_key(|s| std::cmp::Reverse(s.number));
    Ok(found)
}

async fn show(State(app): State<App>, Path(key): Path<String>, call: Call) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let server = find(&state.cloud, &key)?;
    Ok(Json(json!({"server": detailed(&app, &state.cloud, server, call.minor)})))
}

async fn update(
    State(app): State<App>,
    Path(key): Path<String>,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let mut state = app.lock();
    let id = find(&state.cloud, &key)?.id;
    let change: Value = call.read("server")?;
    let wall = state.cloud.wall();
    if let (Some(name), Some(server)) = (change["name"].as_str(), state.cloud.servers.get_mut(&id)) {
        server.name = name.to_owned();
        server.updated = wall;
    }
    let server = find(&state.cloud, &key)?;
    Ok(Json(json!({"server": detailed(&app, &state.cloud, server, call.minor)})))
}

async fn delete(State(app): State<App>, Path(key): Path<String>, call: Call) -> Result<StatusCode, ApiError> {
    let mut state = app.lock();
    let id = find(&state.cloud, &key)?.id;
    state.cloud.delete_server(id, &call.request_id);
    Ok(StatusCode::NO_CONTENT)
}

async fn metadata(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({"metadata": find(&app.lock().cloud, &key)?.metadata})))
}

async fn set_metadata(
    State(app): State<App>,
    Path(key): Path<String>,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let mut state = app.lock();
    let id = find(&state.cloud, &key)?.id;
    let values: BTreeMap<String, String> = call.read("metadata")?;
    if let Some(server) = state.cloud.servers.get_mut(&id) {
        server.metadata.extend(values);
    }
    Ok(Json(json!({"metadata": find(&state.cloud, &key)?.metadata})))
}

async fn ips(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let server = find(&state.cloud, &key)?;
    Ok(Json(json!({"addresses": detailed(&app, &state.cloud, server, 1)["addresses"]})))
}

async fn interfaces(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let server = find(&state.cloud, &key)?;
    let rows: Vec<Value> = state
        .cloud
        .addresses(server)
        .into_iter()
        .map(|(network, port)| {
            json!({"port_id": port.id.to_string(), "net_id": network.id.to_string(), "port_state": "ACTIVE", "mac_addr": port.mac,
                "fixed_ips": [{"subnet_id": network.subnet_id.to_string(), "ip_address": port.address.to_string()}]})
        })
        .collect();
    Ok(Json(json!({"interfaceAttachments": rows})))
}

async fn volumes(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    find(&app.lock().cloud, &key)?;
    Ok(Json(json!({"volumeAttachments": []})))
}

async fn security_groups(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    find(&app.lock().cloud, &key)?;
    Ok(Json(
        json!({"security_groups": [{"id": "default", "name": "default", "rules": [], "description": ""}]}),
    ))
}

async fn tags(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({"tags": find(&app.lock().cloud, &key)?.tags})))
}
