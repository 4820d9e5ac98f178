//! `servers/ID/os-instance-actions`.

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::micros;
use super::servers::find;
use crate::api::App;
use crate::api::error::ApiError;
use crate::cloud::server::Action;
use crate::cloud::{Cloud, Server};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/compute/v2.1/servers/{id}/os-instance-actions", get(list))
        .route("/compute/v2.1/servers/{id}/os-instance-actions/{request}", get(show))
}

fn view(cloud: &Cloud, server: &Server, action: &Action) -> Value {
    json!({"action": action.name, "instance_uuid": server.id.to_string(), "request_id": action.request_id,
        "user_id": cloud.user.simple().to_string(), "project_id": cloud.project.simple().to_string(),
        "start_time": micros(action.start), "updated_at": micros(action.finish.unwrap_or(action.start)),
        "message": action.error.as_ref().map(|_| "Error")})
}

async fn list(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let server = find(&state.cloud, &key)?;
    let actions: Vec<Value> = server.actions.iter().rev().map(|a| view(&state.cloud, server, a)).collect();
    Ok(Json(json!({"instanceActions": actions})))
}

async fn show(
    State(app): State<App>,
    Path((key, request)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let server = find(&state.cloud, &key)?;
    let found = server.actions.iter().find(|a| a.request_id == request);
    let action = found.ok_or_else(|| ApiError::missing("Action for request_id", &request))?;
    let mut shown = view(&state.cloud, server, action);
    let result = action.finish.map(|_| if action.error.is_some() { "Error" } else { "Success" });
    shown["events"] = json!([{"event": action.event, "start_time": micros(action.start),
        "finish_time": action.finish.map(micros), "result": result, "traceback": null, "details": action.error,
        "host": server.host.map(|i| &state.cloud.hosts[i].config.name)}]);
    Ok(Json(json!({"instanceAction": shown})))
}
