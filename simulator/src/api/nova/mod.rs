//! Nova: compute v2.1 with microversions.

mod action;
mod aggregates;
mod create;
mod flavors;
mod groups;
mod hypervisors;
mod instance_actions;
mod limits;
mod server;
mod servers;
mod services;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::App;

/// The highest minor version, Zed's.
pub(super) const MAX_MINOR: u32 = 93;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/compute", get(versions))
        .route("/compute/", get(versions))
        .route("/compute/v2.1", get(version))
        .route("/compute/v2.1/", get(version))
        .merge(servers::routes())
        .merge(action::routes())
        .merge(instance_actions::routes())
        .merge(flavors::routes())
        .merge(aggregates::routes())
        .merge(services::routes())
        .merge(hypervisors::routes())
        .merge(groups::routes())
        .merge(limits::routes())
}

fn version_document(app: &App) -> Value {
    json!({"id": "v2.1", "status": "CURRENT", "version": format!("2.{MAX_MINOR}"), "min_version": "2.1",
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": format!("{}/compute/v2.1/", app.base())}]})
}

async fn versions(State(app): State<App>) -> Json<Value> {
    Json(json!({"versions": [version_document(&app)]}))
}

async fn version(State(app): State<App>) -> Json<Value> {
    Json(json!({"version": version_document(&app)}))
}

/// Seconds and `Z`, as in servers.
fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Microseconds and no zone, as in services, aggregates and actions.
fn micros(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string()
}
