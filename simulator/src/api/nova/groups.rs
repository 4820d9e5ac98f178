//! `os-server-groups`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::App;
use crate::api::call::Call;
use crate::api::error::ApiError;
use crate::cloud::{Cloud, ServerGroup};
use crate::scheduler::Policy;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/compute/v2.1/os-server-groups", get(list).post(create))
        .route("/compute/v2.1/os-server-groups/{id}", get(show).delete(delete))
}

/// `policies` and `metadata` until 2.63, `policy` and `rules` from 2.64 on.
fn view(cloud: &Cloud, group: &ServerGroup, minor: u32) -> Value {
    let members: Vec<String> = group.members.iter().map(Uuid::to_string).collect();
    let mut view = json!({"id": group.id.to_string(), "name": group.name, "members": members,
        "project_id": cloud.project.simple().to_string(), "user_id": cloud.user.simple().to_string()});
    if minor >= 64 {
        view["policy"] = json!(group.policy.name());
        let limited = group.max_server_per_host > 1;
        view["rules"] =
            if limited { json!({"max_server_per_host": group.max_server_per_host}) } else { json!({}) };
    } else {
        view["policies"] = json!([group.policy.name()]);
        view["metadata"] = json!({});
    }
    view
}

async fn list(State(app): State<App>, call: Call) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let rows = state.cloud.groups.values().map(|g| view(&state.cloud, g, call.minor)).collect();
    Ok(Json(json!({"server_groups": call.page(rows)?})))
}

fn find<'a>(cloud: &'a Cloud, key: &str) -> Result<&'a ServerGroup, ApiError> {
    let missing = || ApiError::new(404, format!("Instance group {key} could not be found."));
    cloud.groups.get(&key.parse::<Uuid>().map_err(|_| missing())?).ok_or_else(missing)
}

async fn show(State(app): State<App>, Path(key): Path<String>, call: Call) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    Ok(Json(json!({"server_group": view(&state.cloud, find(&state.cloud, &key)?, call.minor)})))
}

#[derive(Deserialize)]
struct Body {
    name: String,
    #[serde(default)]
    policy: Option<String>,
    #[serde(default)]
    policies: Vec<String>,
    #[serde(default)]
    rules: Option<Rules>,
}

#[derive(Deserialize)]
struct Rules {
    #[serde(default)]
    max_server_per_host: Option<Value>,
}

async fn create(State(app): State<App>, call: Call) -> Result<Json<Value>, ApiError> {
    let body: Body = call.read("server_group")?;
    let wanted = body.policy.or_else(|| body.policies.first().cloned()).unwrap_or_default();
    let policy = Policy::ALL.into_iter().find(|p| p.name() == wanted);
    let policy = policy
        .ok_or_else(|| ApiError::bad(format!("Invalid input for field/attribute policy. Value: {wanted}")))?;
    let rule = body.rules.and_then(|r| r.max_server_per_host);
    let number = rule.as_ref().map(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok()));
    let max_server_per_host = match number {
        None => 1,
        Some(Some(n)) if n >= 1 && policy == Policy::AntiAffinity => n as usize,
        Some(_) => {
            return Err(ApiError::bad(
                "Invalid input for field/attribute rules. max_server_per_host is a positive number, for anti-affinity only",
            ));
        }
    };
    let mut state = app.lock();
    let limit = state.cloud.config.quota.server_groups;
    if limit >= 0 && state.cloud.groups.len() as i64 >= limit {
        return Err(ApiError::new(403, "Quota exceeded, too many server groups."));
    }
    let id = state.cloud.fresh_id("group");
    state
        .cloud
        .groups
        .insert(id, ServerGroup { id, name: body.name, policy, max_server_per_host, members: Vec::new() });
    Ok(Json(json!({"server_group": view(&state.cloud, find(&state.cloud, &id.to_string())?, call.minor)})))
}

async fn delete(State(app): State<App>, Path(key): Path<String>) -> Result<StatusCode, ApiError> {
    let mut state = app.lock();
    let id = find(&state.cloud, &key)?.id;
    state.cloud.groups.remove(&id);
    Ok(StatusCode::NO_CONTENT)
}
