//! Neutron v2.0: networks, subnets, ports, quotas; one security group that lets everything through.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::App;
use super::call::Call;
use super::error::ApiError;
use crate::cloud::{Cloud, Network, NetworkError, Port};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/network", get(versions))
        .route("/network/", get(versions))
        .route("/network/v2.0", get(resources))
        .route("/network/v2.0/", get(resources))
        .route("/network/v2.0/extensions", get(extensions))
        .route("/network/v2.0/networks", get(networks))
        .route("/network/v2.0/networks/{id}", get(network))
        .route("/network/v2.0/subnets", get(subnets))
        .route("/network/v2.0/subnets/{id}", get(subnet))
        .route("/network/v2.0/ports", get(ports).post(create_port))
        .route("/network/v2.0/ports/{id}", get(port).put(update_port).delete(delete_port))
        .route("/network/v2.0/security-groups", get(security_groups))
        .route("/network/v2.0/security-groups/{id}", get(security_group))
        .route("/network/v2.0/floatingips", get(async || Json(json!({"floatingips": []}))))
        .route("/network/v2.0/routers", get(async || Json(json!({"routers": []}))))
        .route("/network/v2.0/quotas/project", get(own_project))
        .route("/network/v2.0/quotas/{project}", get(quota))
        .route("/network/v2.0/quotas/{project}/details.json", get(quota_in_detail))
}

impl From<NetworkError> for ApiError {
    fn from(error: NetworkError) -> Self {
        let (status, kind) = match &error {
            NetworkError::NoNetwork(_) => (404, "NetworkNotFound"),
            NetworkError::NoPort(_) => (404, "PortNotFound"),
            NetworkError::PortInUse(_) => (409, "PortInUse"),
            NetworkError::NoAddress(_) => (409, "IpAddressGenerationFailure"),
            NetworkError::Quota => (409, "OverQuota"),
            NetworkError::BadAddress(_) => (400, "InvalidIpForSubnet"),
        };
        Self { kind: Some(kind), ..Self::new(status, error) }
    }
}

async fn versions(State(app): State<App>) -> Json<Value> {
    Json(json!({"versions": [{"id": "v2.0", "status": "CURRENT",
        "links": [{"rel": "self", "href": format!("{}/network/v2.0/", app.base())}]}]}))
}

async fn resources(State(app): State<App>) -> Json<Value> {
    let row = |name: &str| {
        json!({"name": name, "collection": format!("{name}s"),
        "links": [{"rel": "self", "href": format!("{}/network/v2.0/{name}s", app.base())}]})
    };
    Json(json!({"resources": [row("network"), row("subnet"), row("port")]}))
}

async fn extensions() -> Json<Value> {
    let row = |alias: &str| json!({"alias": alias, "name": alias, "description": "", "updated": "2016-01-01T00:00:00-00:00", "links": []});
    let aliases = ["security-group", "quotas", "quota_details", "pagination", "external-net"];
    Json(json!({"extensions": aliases.map(row)}))
}

/// Those whose members equal the query's values (any of them, where a key is given more than once), on the page asked for.
fn listed(call: &Call, rows: impl Iterator<Item = Value>) -> Result<Vec<Value>, ApiError> {
    const NOT_FILTERS: [&str; 6] = ["limit", "marker", "fields", "sort_key", "sort_dir", "page_reverse"];
    let fits = |row: &Value| {
        let has = |key: &str, wanted: &str| match &row[key] {
            Value::String(text) => text == wanted,
            Value::Bool(on) => matches!(wanted.to_ascii_lowercase().as_str(), "true" | "1") == *on,
            Value::Number(number) => wanted.parse::<i64>().ok() == number.as_i64(),
            _ => true,
        };
        call.query
            .iter()
            .filter(|(key, _)| !NOT_FILTERS.contains(&key.as_str()))
            .all(|(key, _)| call.query.iter().any(|(other, wanted)| other == key && has(key, wanted)))
    };
    call.page(rows.filter(fits).collect())
}

fn network_view(cloud: &Cloud, network: &Network) -> Value {
    let project = cloud.project.simple().to_string();
    json!({"id": network.id.to_string(), "name": network.name, "subnets": [network.subnet_id.to_string()], "status": "ACTIVE",
        "admin_state_up": true, "shared": network.external, "router:external": network.external, "mtu": 1500,
        "port_security_enabled": true, "availability_zones": [], "availability_zone_hints": [], "description": "", "tags": [],
        "tenant_id": project, "project_id": project})
}

async fn networks(State(app): State<App>, call: Call) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let rows = listed(&call, state.cloud.networks.iter().map(|n| network_view(&state.cloud, n)))?;
    Ok(Json(json!({"networks": rows})))
}

async fn network(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let found = state.cloud.network(&key).ok_or(NetworkError::NoNetwork(key))?;
    Ok(Json(json!({"network": network_view(&state.cloud, found)})))
}

fn subnet_view(cloud: &Cloud, network: &Network) -> Value {
    let (subnet, project) = (network.subnet, cloud.project.simple().to_string());
    json!({"id": network.subnet_id.to_string(), "name": format!("{}-subnet", network.name), "network_id": network.id.to_string(),
        "cidr": network.cidr, "ip_version": 4, "gateway_ip": subnet.gateway().to_string(), "enable_dhcp": true,
        "allocation_pools": [{"start": subnet.first().to_string(), "end": subnet.last().to_string()}],
        "dns_nameservers": [], "host_routes": [], "description": "", "tags": [], "tenant_id": project, "project_id": project})
}

async fn subnets(State(app): State<App>, call: Call) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let rows = listed(&call, state.cloud.networks.iter().map(|n| subnet_view(&state.cloud, n)))?;
    Ok(Json(json!({"subnets": rows})))
}

async fn subnet(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let found = state.cloud.networks.iter().find(|n| n.subnet_id.to_string() == key);
    let found = found
        .ok_or_else(|| ApiError { kind: Some("SubnetNotFound"), ..ApiError::missing("Subnet", &key) })?;
    Ok(Json(json!({"subnet": subnet_view(&state.cloud, found)})))
}

fn port_view(cloud: &Cloud, port: &Port) -> Value {
    let project = cloud.project.simple().to_string();
    let subnet = cloud.networks.iter().find(|n| n.id == port.network).map(|n| n.subnet_id.to_string());
    let host =
        port.device.and_then(|id| cloud.servers.get(&id)?.host).map(|i| cloud.hosts[i].config.name.as_str());
    json!({"id": port.id.to_string(), "name": port.name, "network_id": port.network.to_string(), "mac_address": port.mac,
        "fixed_ips": [{"subnet_id": subnet, "ip_address": port.address.to_string()}],
        "device_id": port.device.map(|id| id.to_string()).unwrap_or_default(),
        "device_owner": if port.device.is_some() { "compute:nova" } else { "" },
        "status": if port.device.is_some() { "ACTIVE" } else { "DOWN" }, "admin_state_up": true, "security_groups": [],
        "binding:host_id": host.unwrap_or_default(), "binding:vnic_type": "normal", "binding:vif_type": "ovs",
        "created_at": port.created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "description": "", "tags": [],
        "allowed_address_pairs": [], "port_security_enabled": true, "tenant_id": project, "project_id": project})
}

async fn ports(State(app): State<App>, call: Call) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let rows = listed(&call, state.cloud.ports.values().map(|p| port_view(&state.cloud, p)))?;
    Ok(Json(json!({"ports": rows})))
}

fn find(cloud: &Cloud, key: &str) -> Result<Uuid, ApiError> {
    let id: Option<Uuid> = key.parse().ok();
    Ok(id.filter(|id| cloud.ports.contains_key(id)).ok_or_else(|| NetworkError::NoPort(key.to_owned()))?)
}

async fn port(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let id = find(&state.cloud, &key)?;
    Ok(Json(json!({"port": port_view(&state.cloud, &state.cloud.ports[&id])})))
}

async fn create_port(State(app): State<App>, call: Call) -> Result<Response, ApiError> {
    let wish: Map<String, Value> = call.read("port")?;
    let text = |key: &str| wish.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut state = app.lock();
    let network = state.cloud.network(text("network_id")).map(|n| n.id);
    let network = network.ok_or_else(|| NetworkError::NoNetwork(text("network_id").to_owned()))?;
    let address = wish.get("fixed_ips").and_then(|ips| ips[0]["ip_address"].as_str());
    let id = state.cloud.create_port(network, text("name"), address, None, false)?;
    let body = json!({"port": port_view(&state.cloud, &state.cloud.ports[&id])});
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

async fn update_port(
    State(app): State<App>,
    Path(key): Path<String>,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    let change: Map<String, Value> = call.read("port")?;
    let mut state = app.lock();
    let id = find(&state.cloud, &key)?;
    if let (Some(name), Some(port)) =
        (change.get("name").and_then(Value::as_str), state.cloud.ports.get_mut(&id))
    {
        port.name = name.to_owned();
    }
    Ok(Json(json!({"port": port_view(&state.cloud, &state.cloud.ports[&id])})))
}

async fn delete_port(State(app): State<App>, Path(key): Path<String>) -> Result<StatusCode, ApiError> {
    let mut state = app.lock();
    let id = find(&state.cloud, &key)?;
    state.cloud.delete_port(id)?;
    Ok(StatusCode::NO_CONTENT)
}

fn the_group(cloud: &Cloud) -> Value {
    let project = cloud.project.simple().to_string();
    json!({"id": Uuid::new_v5(&cloud.project, b"security-group").to_string(), "name": "default", "description": "Lets everything through",
        "security_group_rules": [], "stateful": true, "tags": [], "tenant_id": project, "project_id": project})
}

async fn security_groups(State(app): State<App>, call: Call) -> Result<Json<Value>, ApiError> {
    let rows = listed(&call, std::iter::once(the_group(&app.lock().cloud)))?;
    Ok(Json(json!({"security_groups": rows})))
}

async fn security_group(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let group = the_group(&app.lock().cloud);
    if group["id"] != key {
        return Err(ApiError {
            kind: Some("SecurityGroupNotFound"),
            ..ApiError::missing("Security group", &key)
        });
    }
    Ok(Json(json!({"security_group": group})))
}

const UNLIMITED: [&str; 5] = ["network", "subnet", "router", "security_group", "floatingip"];

async fn own_project(State(app): State<App>) -> Json<Value> {
    Json(json!({"project": {"project_id": app.lock().cloud.project.simple().to_string()}}))
}

async fn quota(State(app): State<App>) -> Json<Value> {
    let mut quota = json!({"port": app.lock().cloud.config.quota.ports});
    for name in UNLIMITED {
        quota[name] = json!(-1);
    }
    Json(json!({"quota": quota}))
}

async fn quota_in_detail(State(app): State<App>) -> Json<Value> {
    let state = app.lock();
    let mut quota = json!({"port": {"limit": state.cloud.config.quota.ports, "used": state.cloud.ports.len(), "reserved": 0}});
    for name in UNLIMITED {
        quota[name] = json!({"limit": -1, "used": 0, "reserved": 0});
    }
    Json(json!({"quota": quota}))
}
