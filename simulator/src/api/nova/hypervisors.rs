//! `os-hypervisors`.

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::api::App;
use crate::api::call::Call;
use crate::api::error::ApiError;
use crate::cloud::{Cloud, Status};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/compute/v2.1/os-hypervisors", get(list))
        .route("/compute/v2.1/os-hypervisors/detail", get(list_detailed))
        .route("/compute/v2.1/os-hypervisors/statistics", get(statistics))
        .route("/compute/v2.1/os-hypervisors/{id}", get(show))
}

fn brief(cloud: &Cloud, i: usize, minor: u32) -> Value {
    let host = &cloud.hosts[i];
    let id = if minor >= 53 { json!(host.id.to_string()) } else { json!(i + 1) };
    json!({"id": id, "hypervisor_hostname": host.config.name, "state": if host.forced_down { "down" } else { "up" },
        "status": if host.enabled { "enabled" } else { "disabled" }})
}

/// vCPUs, MB and GB are in it until 2.87.
fn detailed(cloud: &Cloud, i: usize, call: &Call) -> Value {
    let minor = call.minor;
    let host = &cloud.hosts[i];
    let c = &host.config;
    let mut view = brief(cloud, i, minor);
    let service = if minor >= 53 { json!(host.service_id.to_string()) } else { json!(i + 3) };
    view["service"] = json!({"id": service, "host": c.name, "disabled_reason": host.disabled_reason});
    view["hypervisor_type"] = json!("QEMU");
    view["hypervisor_version"] = json!(c.hypervisor_version);
    view["host_ip"] = json!(format!("10.0.0.{}", i + 11));
    if minor < 88 {
        let [vcpu, memory, disk] = totals(cloud, i);
        view["vcpus"] = json!(c.vcpus);
        view["vcpus_used"] = json!(vcpu);
        view["memory_mb"] = json!(c.memory_mb);
        view["memory_mb_used"] = json!(memory + c.reserved_memory_mb);
        view["free_ram_mb"] = json!(c.memory_mb - c.reserved_memory_mb - memory);
        view["local_gb"] = json!(c.disk_gb);
        view["local_gb_used"] = json!(disk);
        view["free_disk_gb"] = json!(c.disk_gb - disk);
        view["disk_available_least"] = json!(c.disk_gb - disk);
        view["running_vms"] = json!(cloud.usage(i).3);
        view["current_workload"] = json!(building(cloud, i));
        view["cpu_info"] = json!({"vendor": "simulated", "model": format!("{} MHz", c.frequency_mhz)});
    } else {
        view["uptime"] = Value::Null;
    }
    if minor >= 53 && call.is_on("with_servers") && call.get("with_servers").is_some() {
        let on_host = cloud.servers.values().filter(|s| s.host == Some(i));
        view["servers"] = on_host.map(|s| json!({"uuid": s.id.to_string(), "name": s.name})).collect();
    }
    view
}

fn totals(cloud: &Cloud, i: usize) -> [i64; 3] {
    let (vcpus, memory, disk, _) = cloud.usage(i);
    [vcpus, memory, disk]
}

fn building(cloud: &Cloud, i: usize) -> usize {
    cloud.servers.values().filter(|s| s.host == Some(i) && s.status == Status::Build).count()
}

/// The hosts whose name has the query's pattern in it.
fn chosen(cloud: &Cloud, call: &Call) -> Vec<usize> {
    let pattern = call.get("hypervisor_hostname_pattern").unwrap_or_default();
    (0..cloud.hosts.len()).filter(|i| cloud.hosts[*i].config.name.contains(pattern)).collect()
}

async fn list(State(app): State<App>, call: Call) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let rows = chosen(&state.cloud, &call).into_iter().map(|i| brief(&state.cloud, i, call.minor)).collect();
    Ok(Json(json!({"hypervisors": call.page(rows)?})))
}

async fn list_detailed(State(app): State<App>, call: Call) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let rows = chosen(&state.cloud, &call).into_iter().map(|i| detailed(&state.cloud, i, &call)).collect();
    Ok(Json(json!({"hypervisors": call.page(rows)?})))
}

async fn show(State(app): State<App>, Path(key): Path<String>, call: Call) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let cloud = &state.cloud;
    let found =
        (0..cloud.hosts.len()).find(|i| cloud.hosts[*i].id.to_string() == key || (i + 1).to_string() == key);
    let i =
        found.ok_or_else(|| ApiError::new(404, format!("Hypervisor with ID '{key}' could not be found.")))?;
    Ok(Json(json!({"hypervisor": detailed(cloud, i, &call)})))
}

async fn statistics(State(app): State<App>) -> Json<Value> {
    let state = app.lock();
    let cloud = &state.cloud;
    let sum = |part: &dyn Fn(usize) -> i64| (0..cloud.hosts.len()).map(part).sum::<i64>();
    let (vcpus, memory, disk) = (
        sum(&|i| cloud.hosts[i].config.vcpus),
        sum(&|i| cloud.hosts[i].config.memory_mb),
        sum(&|i| cloud.hosts[i].config.disk_gb),
    );
    let used = [0, 1, 2].map(|k| sum(&|i| totals(cloud, i)[k]));
    Json(json!({"hypervisor_statistics": {"count": cloud.hosts.len(), "vcpus": vcpus, "vcpus_used": used[0],
        "memory_mb": memory, "memory_mb_used": used[1], "free_ram_mb": memory - used[1], "local_gb": disk, "local_gb_used": used[2],
        "free_disk_gb": disk - used[2], "disk_available_least": disk - used[2], "running_vms": sum(&|i| cloud.usage(i).3),
        "current_workload": sum(&|i| building(cloud, i) as i64)}}))
}
