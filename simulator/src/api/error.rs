//! Errors, each service in its own form.

use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A service, by the beginning of its paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Identity,
    Compute,
    Network,
    Image,
    Placement,
    /// The simulator's own.
    Control,
}

impl Service {
    pub const OPENSTACK: [Self; 5] =
        [Self::Identity, Self::Compute, Self::Network, Self::Image, Self::Placement];

    pub fn of(path: &str) -> Self {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        Self::OPENSTACK.into_iter().find(|s| s.prefix() == first).unwrap_or(Self::Control)
    }

    /// The first segment of its paths; for OpenStack's services, its type in the catalogue.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Compute => "compute",
            Self::Network => "network",
            Self::Image => "image",
            Self::Placement => "placement",
            Self::Control => "control",
        }
    }
}

/// An answer that is an error; the service's form is given to it on the way out.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    pub(super) status: u16,
    /// neutron's exception, where a client looks at it.
    pub(super) kind: Option<&'static str>,
    pub(super) message: String,
}

impl ApiError {
    pub(super) fn new(status: u16, message: impl ToString) -> Self {
        Self { status, kind: None, message: message.to_string() }
    }

    pub(super) fn bad(message: impl ToString) -> Self {
        Self::new(400, message)
    }

    pub(super) fn missing(what: &str, key: &str) -> Self {
        Self::new(404, format!("{what} {key} could not be found."))
    }

    pub(super) fn body(&self, service: Service, request_id: &str) -> Value {
        let Self { status, kind, message } = self;
        let title = title(*status);
        // keystonemiddleware answers before the service does
        let unauthorized = *status == 401;
        match service {
            Service::Identity => json!({"error": {"code": status, "message": message, "title": title}}),
            _ if unauthorized => json!({"error": {"code": 401, "message": message, "title": title}}),
            Service::Compute => json!({nova_name(*status): {"code": status, "message": message}}),
            Service::Network => {
                let kind = kind.unwrap_or(if *status == 404 { "HTTPNotFound" } else { "HTTPBadRequest" });
                json!({"NeutronError": {"type": kind, "message": message, "detail": ""}})
            }
            Service::Image => {
                json!({"code": format!("{status} {title}"), "title": title, "message": message})
            }
            Service::Placement => json!({"errors": [
                {"status": status, "title": title, "detail": message, "request_id": request_id}
            ]}),
            Service::Control => json!({"error": {"code": status, "message": message}}),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        *response.status_mut() = axum::http::StatusCode::from_u16(self.status)
            .unwrap_or(axum::http::StatusCode::INTERNAL_SERVER_ERROR);
        response.extensions_mut().insert(self);
        response
    }
}

fn title(status: u16) -> &'static str {
    axum::http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Error")
}

/// `nova.api.openstack.wsgi.Fault`'s names.
fn nova_name(status: u16) -> &'static str {
    match status {
        400 => "badRequest",
        403 => "forbidden",
        404 => "itemNotFound",
        405 => "badMethod",
        409 => "conflictingRequest",
        429 => "overLimit",
        503 => "serviceUnavailable",
        _ => "computeFault",
    }
}
