//! Glance v2: images can be listed and shown; they have no bytes.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::App;
use super::call::Call;
use super::error::ApiError;
use crate::cloud::{Cloud, Image};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/image", get(versions))
        .route("/image/", get(versions))
        .route("/image/versions", get(versions))
        .route("/image/v2/images", get(list))
        .route("/image/v2/images/{id}", get(show))
        .route("/image/v2/schemas/image", get(async || Json(json!({"name": "image", "properties": {}}))))
}

async fn versions(State(app): State<App>) -> Response {
    let row = |id: &str, status: &str| {
        json!({"id": id, "status": status,
        "links": [{"rel": "self", "href": format!("{}/image/v2/", app.base())}]})
    };
    let body = json!({"versions": [row("v2.15", "CURRENT"), row("v2.0", "SUPPORTED")]});
    (StatusCode::MULTIPLE_CHOICES, Json(body)).into_response()
}

fn view(cloud: &Cloud, image: &Image) -> Value {
    let mut view = json!({"id": image.id.to_string(), "name": image.config.name, "status": "active", "visibility": "public",
        "container_format": "bare", "disk_format": "qcow2", "min_disk": 0, "min_ram": 0, "protected": false, "os_hidden": false,
        "size": 0, "checksum": "d41d8cd98f00b204e9800998ecf8427e", "owner": cloud.project.simple().to_string(), "tags": [],
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        "file": format!("/v2/images/{}/file", image.id), "self": format!("/v2/images/{}", image.id), "schema": "/v2/schemas/image"});
    for (key, value) in &image.config.properties {
        view[key] = json!(value);
    }
    view
}

async fn list(State(app): State<App>, call: Call) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let wanted = |image: &Image| {
        call.get("name")
            .is_none_or(|name| name.trim_start_matches("in:").trim_matches('"') == image.config.name)
            && call.get("status").is_none_or(|status| status == "active")
            && call.get("id").is_none_or(|id| id.trim_start_matches("in:") == image.id.to_string())
    };
    let rows = state.cloud.images.iter().filter(|i| wanted(i)).map(|i| view(&state.cloud, i)).collect();
    Ok(Json(json!({"images": call.page(rows)?, "first": "/v2/images", "schema": "/v2/schemas/images"})))
}

async fn show(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    let image = state.cloud.image(&key);
    let image = image.ok_or_else(|| ApiError::new(404, format!("No image found with ID {key}")))?;
    Ok(Json(view(&state.cloud, image)))
}
