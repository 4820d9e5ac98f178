//! `limits`, `os-quota-sets`, and the lists that are empty here.

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::api::App;
use crate::api::call::Call;
use crate::api::error::ApiError;
use crate::cloud::Cloud;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/compute/v2.1/limits", get(limits))
        .route("/compute/v2.1/os-quota-sets/{project}", get(quota).put(set_quota))
        .route("/compute/v2.1/os-quota-sets/{project}/detail", get(quota_in_detail))
        .route("/compute/v2.1/os-quota-sets/{project}/defaults", get(quota))
        .route("/compute/v2.1/os-migrations", get(async || Json(json!({"migrations": []}))))
        .route("/compute/v2.1/os-keypairs", get(async || Json(json!({"keypairs": []}))))
        .route("/compute/v2.1/extensions", get(async || Json(json!({"extensions": []}))))
}

/// Servers, cores and MB in use.
fn used(cloud: &Cloud) -> (i64, i64, i64) {
    cloud
        .servers
        .values()
        .fold((0, 0, 0), |(n, v, m), s| (n + 1, v + s.flavor.config.vcpus, m + s.flavor.config.memory_mb))
}

async fn limits(State(app): State<App>) -> Json<Value> {
    let state = app.lock();
    let (instances, cores, memory) = used(&state.cloud);
    let q = &state.cloud.config.quota;
    Json(json!({"limits": {"rate": [], "absolute": {
        "maxTotalInstances": q.instances, "maxTotalCores": q.cores, "maxTotalRAMSize": q.memory_mb,
        "totalInstancesUsed": instances, "totalCoresUsed": cores, "totalRAMUsed": memory,
        "maxServerGroups": q.server_groups, "totalServerGroupsUsed": state.cloud.groups.len(),
        "maxServerGroupMembers": -1, "maxServerMeta": 128, "maxTotalKeypairs": 100}}}))
}

/// Quotas that the simulator does not hold anybody to are unlimited.
const UNLIMITED: [&str; 4] = ["key_pairs", "metadata_items", "server_group_members", "injected_files"];

async fn quota(State(app): State<App>, Path(project): Path<String>) -> Json<Value> {
    let state = app.lock();
    let q = &state.cloud.config.quota;
    let mut set = json!({"id": project, "instances": q.instances, "cores": q.cores, "ram": q.memory_mb,
        "server_groups": q.server_groups});
    for name in UNLIMITED {
        set[name] = json!(-1);
    }
    Json(json!({"quota_set": set}))
}

async fn quota_in_detail(State(app): State<App>, Path(project): Path<String>) -> Json<Value> {
    let state = app.lock();
    let (instances, cores, memory) = used(&state.cloud);
    let q = &state.cloud.config.quota;
    let of = |limit: i64, in_use: i64| json!({"limit": limit, "in_use": in_use, "reserved": 0});
    let mut set = json!({"id": project, "instances": of(q.instances, instances), "cores": of(q.cores, cores),
        "ram": of(q.memory_mb, memory), "server_groups": of(q.server_groups, state.cloud.groups.len() as i64)});
    for name in UNLIMITED {
        set[name] = of(-1, 0);
    }
    Json(json!({"quota_set": set}))
}

async fn set_quota(
    State(app): State<App>,
    Path(project): Path<String>,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let wanted: Value = call.read("quota_set")?;
    {
        let mut state = app.lock();
        let quota = &mut state.cloud.config.quota;
        let fields = [
            ("instances", &mut quota.instances),
            ("cores", &mut quota.cores),
            ("ram", &mut quota.memory_mb),
            ("server_groups", &mut quota.server_groups),
        ];
        for (name, field) in fields {
            if let Some(value) = wanted[name].as_i64() {
                *field = value;
            }
        }
    }
    Ok(quota(State(app), Path(project)).await)
}
