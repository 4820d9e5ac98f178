//! What happens to every request before and after its handler: time, faults, tokens, errors' forms, headers.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::App;
use super::call::RequestId;
use super::error::{ApiError, Service};
use super::nova::MAX_MINOR;
use crate::contention::noise::generator;
use crate::faults::Fault;

pub(super) async fn answer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let service = Service::of(&path);
    let number = app.request_number();
    let request_id = format!("req-{}", Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_le_bytes()));
    request.extensions_mut().insert(RequestId(request_id.clone()));
    let version = request.headers().get("openstack-api-version").cloned();
    let nova_version = request.headers().get("x-openstack-nova-api-version").cloned();
    let token = request.headers().get("x-auth-token").and_then(|v| v.to_str().ok()).map(str::to_owned);
    tracing::debug!(method = %request.method(), uri = %request.uri(), request_id, "request");
    let refused = before(&app, service, request.method(), &path, token.as_deref(), number);
    let response = match refused {
        Some(error) => error.into_response(),
        None => match unsupported(service, version.as_ref().or(nova_version.as_ref())) {
            Some(error) => error.into_response(),
            None => next.run(request).await,
        },
    };
    after(response, service, &request_id, version)
}

/// Lets time pass and faults strike, and looks at the token.
fn before(
    app: &App,
    service: Service,
    method: &Method,
    path: &str,
    token: Option<&str>,
    number: u64,
) -> Option<ApiError> {
    let mut state = app.lock();
    if service == Service::Control {
        state.catch_up();
        return None;
    }
    state.clock.request();
    state.catch_up();
    let mut rng = generator(state.cloud.config.seed, "request", number);
    if state.cloud.faults.strikes(Fault::Unavailable, &mut rng) {
        return Some(ApiError::new(503, "Service Unavailable (a fault that was asked for)"));
    }
    if state.cloud.faults.strikes(Fault::TooManyRequests, &mut rng) {
        return Some(ApiError::new(429, "Too Many Requests (a fault that was asked for)"));
    }
    if is_open(service, method, path) {
        return None;
    }
    let unauthorized = || Some(ApiError::new(401, "The request you have made requires authentication."));
    let Some(token) = token else { return unauthorized() };
    if state.cloud.faults.strikes(Fault::ExpiredToken, &mut rng) {
        state.tokens.revoke(token);
    }
    if !state.tokens.is_valid(token, state.cloud.wall()) {
        return unauthorized();
    }
    if is_for_administrators(service, path) && state.cloud.faults.strikes(Fault::NotAdmin, &mut rng) {
        return Some(ApiError::new(403, "Policy doesn't allow this request to be performed."));
    }
    None
}

/// Whether the default policies want the role `admin`.
fn is_for_administrators(service: Service, path: &str) -> bool {
    const COMPUTE: [&str; 3] = ["os-aggregates", "os-hypervisors", "os-services"];
    match service {
        Service::Placement => true,
        Service::Compute => path.split('/').any(|part| COMPUTE.contains(&part)),
        _ => false,
    }
}

/// Whether a path needs no token: version documents and logging in.
fn is_open(service: Service, method: &Method, path: &str) -> bool {
    let rest = path.trim_start_matches('/').trim_start_matches(service.prefix()).trim_matches('/');
    let versions = matches!(rest, "" | "v3" | "v2.1" | "v2.0" | "v2");
    versions || (service == Service::Identity && rest == "v3/auth/tokens" && *method == Method::POST)
}

fn unsupported(service: Service, version: Option<&HeaderValue>) -> Option<ApiError> {
    let text = version?.to_str().ok()?;
    let number = text.split_whitespace().last()?;
    let (_, minor) = number.split_once('.')?;
    let minor: u32 = minor.parse().ok()?;
    (service == Service::Compute && minor > MAX_MINOR).then(|| {
        let message = format!(
            "Version {number} is not supported by the API. Minimum is 2.1 and maximum is 2.{MAX_MINOR}."
        );
        ApiError::new(406, message)
    })
}

fn after(
    mut response: Response,
    service: Service,
    request_id: &str,
    version: Option<HeaderValue>,
) -> Response {
    if let Some(error) = response.extensions().get::<ApiError>().cloned() {
        let body = error.body(service, request_id);
        let status = response.status();
        response = (status, axum::Json(body)).into_response();
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            let value = HeaderValue::from_static("Keystone uri=\"/identity\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(request_id) {
        if service == Service::Compute {
            headers.insert("x-compute-request-id", value.clone());
        }
        headers.insert("x-openstack-request-id", value);
    }
    if let Some(version) = version {
        headers.insert("openstack-api-version", version);
        headers.insert(header::VARY, HeaderValue::from_static("OpenStack-API-Version"));
    }
    response
}
