//! `POST servers/ID/action`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::servers::find;
use crate::api::App;
use crate::api::call::Call;
use crate::api::error::ApiError;
use crate::cloud::Status;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/compute/v2.1/servers/{id}/action", post(act))
}

async fn act(State(app): State<App>, Path(key): Path<String>, call: Call) -> Result<Response, ApiError> {
    let mut state = app.lock();
    let server = find(&state.cloud, &key)?;
    let (id, status) = (server.id, server.status);
    let Some((name, argument)) = call.body.as_object().and_then(|body| body.iter().next()) else {
        return Err(ApiError::bad("There is no such action: the body is empty"));
    };
    let conflict = |verb: &str| {
        let message = format!("Cannot '{verb}' instance {id} while it is in vm_state {}", status.vm_state());
        Err(ApiError::new(409, message))
    };
    match name.as_str() {
        "os-getConsoleOutput" => {
            if server.host.is_none() || status == Status::Build {
                return Err(ApiError::new(409, format!("Instance {id} is not ready")));
            }
            let lines = lines(&argument["length"])?;
            return Ok(Json(json!({"output": state.cloud.console(server, lines)})).into_response());
        }
        "os-stop" if status == Status::Active => state.cloud.stop_server(id),
        "os-stop" => return conflict("stop"),
        "os-start" if status == Status::Shutoff => state.cloud.start_server(id),
        "os-start" => return conflict("start"),
        "reboot" if status == Status::Active => state.cloud.start_server(id),
        "reboot" => return conflict("reboot"),
        "forceDelete" => {
            state.cloud.delete_server(id, &call.request_id);
        }
        other => return Err(ApiError::bad(format!("There is no such action: {other}"))),
    }
    Ok(StatusCode::ACCEPTED.into_response())
}

/// −1 and nothing are all lines.
fn lines(length: &Value) -> Result<Option<usize>, ApiError> {
    let number = match length {
        Value::Null => return Ok(None),
        Value::String(text) => text.parse::<i64>().ok(),
        other => other.as_i64(),
    };
    match number {
        Some(n) if n >= 0 => Ok(Some(n as usize)),
        Some(-1) => Ok(None),
        _ => {
            Err(ApiError::bad("Invalid input for field/attribute length. It must be an integer, -1 or more"))
        }
    }
}
