//! Answers that are no success.

use aide::OperationIo;
use autoopt_epoch::problem::Problem;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::view::{ErrorBody, ErrorView};
use crate::engine::Refusal;
use crate::store::StoreError;

/// An answer that is no success: a status, and what a person and a program can do with it.
#[derive(Debug, OperationIo)]
#[aide(output_with = "axum::Json<ErrorBody>")]
pub(super) struct ApiError {
    status: StatusCode,
    view: ErrorView,
}

impl ApiError {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let view = ErrorView { code: code.into(), message: message.into(), problems: Vec::new() };
        Self { status, view }
    }

    /// 400: the request cannot be read.
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    /// 422: it can be read, and what it says is not right.
    pub(super) fn invalid(message: impl Into<String>, problems: Vec<Problem>) -> Self {
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message);
        error.view.problems = problems;
        error
    }

    /// 401
    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// 403
    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 404
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 405
    pub(super) fn no_such_method() -> Self {
        let message = "this address does not take this method; `/openapi.json` lists what it takes";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "not_found", message)
    }

    /// 413
    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("the request is larger than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// 503
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(ErrorBody { error: self.view })).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = axum::http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Refused(reason) => Self::new(StatusCode::CONFLICT, "conflict", reason),
            Refusal::Unavailable(_) | Refusal::Closed => Self::unavailable(refusal.to_string()),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        // what it says may name hosts and files: for the log, not for whoever asks
        tracing::error!(error = &error as &dyn std::error::Error, "a request failed");
        match error {
            StoreError::Database(_) | StoreError::Open { .. } => {
                Self::unavailable("the store does not answer now; try again, and see the coordinator's log")
            }
            _ => {
                let message = "the store holds what cannot be read; see the coordinator's log";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
            }
        }
    }
}
