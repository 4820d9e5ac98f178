//! `/metrics`, for Prometheus.

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Api;

pub(super) fn route() -> Router<Api> {
    Router::new().route("/metrics", get(show))
}

async fn show(State(api): State<Api>) -> Response {
    let text = match api.engine.get() {
        Some(engine) => engine.metrics().render(),
        // nothing is counted while another coordinator has the store
        None => "# EOF\n".to_owned(),
    };
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
        .into_response()
}
