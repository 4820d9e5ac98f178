//! Placement: a resource provider for each host, its inventories and usages, and the servers' allocations.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::App;
use super::call::Call;
use super::error::ApiError;
use crate::cloud::{Allocation, Cloud};
use crate::scheduler::Inventory;

const BASE: &str = "/placement/resource_providers/{id}";
const CLASSES: [&str; 3] = ["VCPU", "MEMORY_MB", "DISK_GB"];

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/placement", get(versions))
        .route("/placement/", get(versions))
        .route("/placement/resource_providers", get(list))
        .route(BASE, get(show))
        .route(&format!("{BASE}/inventories"), get(inventories))
        .route(&format!("{BASE}/inventories/{{class}}"), get(inventory).put(set_inventory))
        .route(&format!("{BASE}/usages"), get(usages))
        .route(&format!("{BASE}/allocations"), get(allocations_on))
        .route(&format!("{BASE}/aggregates"), get(aggregates))
        .route(&format!("{BASE}/traits"), get(traits))
        .route("/placement/allocations/{consumer}", get(allocations_of).delete(delete_allocations))
        .route("/placement/resource_classes", get(classes))
        .route("/placement/usages", get(total_usages))
}

async fn versions() -> Json<Value> {
    Json(json!({"versions": [{"id": "v1.0", "status": "CURRENT", "min_version": "1.0", "max_version": "1.39",
        "links": [{"rel": "self", "href": ""}]}]}))
}

fn provider(cloud: &Cloud, i: usize) -> Value {
    let host = &cloud.hosts[i];
    let base = format!("/placement/resource_providers/{}", host.id);
    let link = |rel: &str| json!({"rel": rel, "href": format!("{base}/{rel}")});
    json!({"uuid": host.id.to_string(), "name": host.config.name, "generation": host.generation,
        "parent_provider_uuid": null, "root_provider_uuid": host.id.to_string(),
        "links": [{"rel": "self", "href": base}, link("inventories"), link("usages"), link("aggregates"), link("traits"), link("allocations")]})
}

fn find(cloud: &Cloud, key: &str) -> Result<usize, ApiError> {
    let found = cloud.hosts.iter().position(|h| h.id.to_string() == key);
    found.ok_or_else(|| ApiError::new(404, format!("No resource provider with uuid {key} found")))
}

async fn list(State(app): State<App>, call: Call) -> Json<Value> {
    let state = app.lock();
    let wanted = |i: &usize| {
        let host = &state.cloud.hosts[*i];
        call.get("name").is_none_or(|n| n == host.config.name)
            && call.get("uuid").is_none_or(|u| u == host.id.to_string())
    };
    let rows: Vec<Value> =
        (0..state.cloud.hosts.len()).filter(wanted).map(|i| provider(&state.cloud, i)).collect();
    Json(json!({"resource_providers": rows}))
}

async fn show(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    Ok(Json(provider(&state.cloud, find(&state.cloud, &key)?)))
}

fn inventory_view(inventory: &Inventory) -> Value {
    json!({"total": inventory.total, "reserved": inventory.reserved, "allocation_ratio": inventory.allocation_ratio,
        "min_unit": 1, "max_unit": inventory.total, "step_size": 1})
}

async fn inventories(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let i = find(&state.cloud, &key)?;
    let all: Map<String, Value> = CLASSES
        .iter()
        .zip(state.cloud.inventories(i))
        .map(|(class, inv)| ((*class).to_owned(), inventory_view(&inv)))
        .collect();
    Ok(Json(json!({"inventories": all, "resource_provider_generation": state.cloud.hosts[i].generation})))
}

fn class_index(class: &str) -> Result<usize, ApiError> {
    let found = CLASSES.iter().position(|c| *c == class);
    found.ok_or_else(|| ApiError::new(404, format!("No inventory of class {class} found")))
}

fn one_inventory(cloud: &Cloud, i: usize, class: usize) -> Json<Value> {
    let mut view = inventory_view(&cloud.inventories(i)[class]);
    view["resource_provider_generation"] = json!(cloud.hosts[i].generation);
    Json(view)
}

async fn inventory(
    State(app): State<App>,
    Path((key, class)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    Ok(one_inventory(&state.cloud, find(&state.cloud, &key)?, class_index(&class)?))
}

/// Allocation ratio and (of memory) the reserved amount can be changed; the total is the host's.
async fn set_inventory(
    State(app): State<App>,
    Path((key, class)): Path<(String, String)>,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let mut state = app.lock();
    let (i, class) = (find(&state.cloud, &key)?, class_index(&class)?);
    let host = &mut state.cloud.hosts[i];
    if call.body["resource_provider_generation"].as_u64() != Some(host.generation) {
        return Err(ApiError::new(409, "resource provider generation conflict"));
    }
    if let Some(ratio) = call.body["allocation_ratio"].as_f64() {
        if !(ratio.is_finite() && ratio > 0.0) {
            return Err(ApiError::bad("allocation_ratio must be greater than 0"));
        }
        let c = &mut host.config;
        *[&mut c.cpu_allocation_ratio, &mut c.ram_allocation_ratio, &mut c.disk_allocation_ratio][class] =
            ratio;
    }
    if let Some(reserved) = call.body["reserved"].as_i64().filter(|_| CLASSES[class] == "MEMORY_MB") {
        host.config.reserved_memory_mb = reserved;
    }
    host.generation += 1;
    Ok(one_inventory(&state.cloud, i, class))
}

async fn usages(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let i = find(&state.cloud, &key)?;
    let used: Map<String, Value> = CLASSES
        .iter()
        .zip(state.cloud.inventories(i))
        .map(|(class, inv)| ((*class).to_owned(), json!(inv.used)))
        .collect();
    Ok(Json(json!({"usages": used, "resource_provider_generation": state.cloud.hosts[i].generation})))
}

async fn total_usages(State(app): State<App>) -> Json<Value> {
    let state = app.lock();
    let all = (0..state.cloud.hosts.len()).map(|i| state.cloud.inventories(i));
    let sum = all.fold([0; 3], |sum, inv| [sum[0] + inv[0].used, sum[1] + inv[1].used, sum[2] + inv[2].used]);
    Json(json!({"usages": {CLASSES[0]: sum[0], CLASSES[1]: sum[1], CLASSES[2]: sum[2]}}))
}

fn resources(allocation: &Allocation) -> Value {
    let mut view = json!({CLASSES[0]: allocation.vcpus, CLASSES[1]: allocation.memory_mb});
    if allocation.disk_gb > 0 {
        view[CLASSES[2]] = json!(allocation.disk_gb);
    }
    view
}

async fn allocations_on(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let i = find(&state.cloud, &key)?;
    let here = state.cloud.allocations.iter().filter(|(_, a)| a.host == i);
    let all: Map<String, Value> =
        here.map(|(id, a)| (id.to_string(), json!({"resources": resources(a)}))).collect();
    Ok(Json(json!({"allocations": all, "resource_provider_generation": state.cloud.hosts[i].generation})))
}

async fn allocations_of(State(app): State<App>, Path(consumer): Path<String>) -> Json<Value> {
    let state = app.lock();
    let cloud = &state.cloud;
    let found = consumer.parse::<Uuid>().ok().and_then(|id| cloud.allocations.get(&id));
    let Some(allocation) = found else { return Json(json!({"allocations": {}})) };
    let host = &cloud.hosts[allocation.host];
    Json(
        json!({"allocations": {host.id.to_string(): {"generation": host.generation, "resources": resources(allocation)}},
        "consumer_generation": 1, "consumer_type": "INSTANCE",
        "project_id": cloud.project.simple().to_string(), "user_id": cloud.user.simple().to_string()}),
    )
}

async fn delete_allocations(
    State(app): State<App>,
    Path(consumer): Path<String>,
) -> Result<StatusCode, ApiError> {
    let missing = || ApiError::new(404, format!("No allocations for consumer '{consumer}'"));
    let id: Uuid = consumer.parse().map_err(|_| missing())?;
    app.lock().cloud.allocations.remove(&id).ok_or_else(missing)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn aggregates(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let i = find(&state.cloud, &key)?;
    let here = state.cloud.aggregates.values().filter(|a| a.hosts.contains(&i));
    let ids: Vec<String> = here.map(|a| a.uuid.to_string()).collect();
    Ok(Json(json!({"aggregates": ids, "resource_provider_generation": state.cloud.hosts[i].generation})))
}

async fn traits(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let i = find(&state.cloud, &key)?;
    let host = &state.cloud.hosts[i];
    let names: &[&str] =
        if host.enabled { &["OWNER_NOVA"] } else { &["OWNER_NOVA", "COMPUTE_STATUS_DISABLED"] };
    Ok(Json(json!({"traits": names, "resource_provider_generation": host.generation})))
}

async fn classes() -> Json<Value> {
    Json(json!({"resource_classes": CLASSES.map(|name| json!({"name": name, "links": []}))}))
}
