//! `flavors`.

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::api::App;
use crate::api::call::Call;
use crate::api::error::ApiError;
use crate::cloud::Flavor;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/compute/v2.1/flavors", get(list))
        .route("/compute/v2.1/flavors/detail", get(list_detailed))
        .route("/compute/v2.1/flavors/{id}", get(show))
        .route("/compute/v2.1/flavors/{id}/os-extra_specs", get(extra_specs))
}

fn view(app: &App, flavor: &Flavor, minor: u32) -> Value {
    let c = &flavor.config;
    let mut view = json!({"id": flavor.id.to_string(), "name": c.name, "vcpus": c.vcpus, "ram": c.memory_mb, "disk": c.disk_gb,
        "OS-FLV-EXT-DATA:ephemeral": c.ephemeral_gb, "OS-FLV-DISABLED:disabled": false, "os-flavor-access:is_public": true,
        "rxtx_factor": 1.0, "links": [{"rel": "self", "href": format!("{}/compute/v2.1/flavors/{}", app.base(), flavor.id)}]});
    // no swap was an empty string until 2.75
    view["swap"] = if c.swap_mb == 0 && minor < 75 { json!("") } else { json!(c.swap_mb) };
    if minor >= 55 {
        view["description"] = Value::Null;
    }
    if minor >= 61 {
        view["extra_specs"] = json!(c.extra_specs);
    }
    view
}

async fn list(State(app): State<App>, call: Call) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let brief = |f: &std::sync::Arc<Flavor>| {
        let full = view(&app, f, call.minor);
        json!({"id": full["id"], "name": full["name"], "links": full["links"]})
    };
    let flavors = call.page(state.cloud.flavors.iter().map(brief).collect())?;
    Ok(Json(json!({"flavors": flavors})))
}

async fn list_detailed(State(app): State<App>, call: Call) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let flavors = call.page(state.cloud.flavors.iter().map(|f| view(&app, f, call.minor)).collect())?;
    Ok(Json(json!({"flavors": flavors})))
}

async fn show(State(app): State<App>, Path(key): Path<String>, call: Call) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let found = state.cloud.flavors.iter().find(|f| f.id.to_string() == key);
    let flavor = found.ok_or_else(|| ApiError::missing("Flavor", &key))?;
    Ok(Json(json!({"flavor": view(&app, flavor, call.minor)})))
}

async fn extra_specs(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let found = state.cloud.flavors.iter().find(|f| f.id.to_string() == key);
    let flavor = found.ok_or_else(|| ApiError::missing("Flavor", &key))?;
    Ok(Json(json!({"extra_specs": flavor.config.extra_specs})))
}
