//! `/metrics`, for Prometheus.

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::error::ApiError;
use super::{Api, gauges};

pub(super) fn route() -> Router<Api> {
    Router::new().route("/metrics", get(show))
}

async fn show(State(api): State<Api>) -> Result<Response, ApiError> {
    // nothing is counted while another coordinator has the store
    let counted = api.engine.get().map(|engine| engine.metrics().render()).unwrap_or_default();
    // one end for both
    let text = counted.trim_end_matches("# EOF\n").to_owned() + &gauges::render(&api).await?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
        .into_response())
}
