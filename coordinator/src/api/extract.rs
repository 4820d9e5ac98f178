//! What a request holds, with refusals in the API's own form.

use aide::OperationIo;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts};
use axum::response::{IntoResponse, Response};

use super::MAX_REQUEST;
use super::error::ApiError;

/// A body in JSON, either way.
#[derive(FromRequest, OperationIo)]
#[from_request(via(axum::Json), rejection(ApiError))]
#[aide(input_with = "axum::Json<T>", output_with = "axum::Json<T>", json_schema)]
pub(super) struct Json<T>(pub(super) T);

/// What follows the `?`.
#[derive(FromRequestParts, OperationIo)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
#[aide(input_with = "axum::extract::Query<T>", json_schema)]
pub(super) struct Query<T>(pub(super) T);

/// The variable parts of the path.
#[derive(FromRequestParts, OperationIo)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
#[aide(input_with = "axum::extract::Path<T>", json_schema)]
pub(super) struct Path<T>(pub(super) T);

impl<T: serde::Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            return Self::too_large(MAX_REQUEST);
        }
        match rejection {
            JsonRejection::MissingJsonContentType(_) => {
                Self::malformed("the body has to be JSON, with the header `content-type: application/json`")
            }
            JsonRejection::JsonDataError(error) => Self::invalid(error.body_text(), Vec::new()),
            other => Self::malformed(other.body_text()),
        }
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::malformed(rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::malformed(rejection.body_text())
    }
}
