//! Keystone v3: tokens, the catalogue, and the one project, user and domain.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::Call;
use super::error::{ApiError, Service};
use super::{App, State as Simulation};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/identity", get(versions))
        .route("/identity/", get(versions))
        .route("/identity/v3", get(version))
        .route("/identity/v3/", get(version))
        .route("/identity/v3/auth/tokens", get(check).post(issue).delete(revoke).head(check))
        .route("/identity/v3/auth/catalog", get(catalog_only))
        .route("/identity/v3/auth/projects", get(projects))
        .route("/identity/v3/projects", get(projects))
        .route("/identity/v3/projects/{id}", get(one_project))
        .route("/identity/v3/users", get(users))
        .route("/identity/v3/domains", get(domains))
        .route("/identity/v3/domains/{id}", get(one_domain))
}

const DOMAIN: &str = "default";

fn version_document(app: &App) -> Value {
    json!({"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": format!("{}/identity/v3/", app.base())}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}]})
}

async fn versions(State(app): State<App>) -> Response {
    let body = json!({"versions": {"values": [version_document(&app)]}});
    (StatusCode::MULTIPLE_CHOICES, Json(body)).into_response()
}

async fn version(State(app): State<App>) -> Json<Value> {
    Json(json!({"version": version_document(&app)}))
}

/// Logging in: by password, by a token, by an application credential whose secret is the password.
async fn issue(State(app): State<App>, call: Call) -> Result<Response, ApiError> {
    let auth = call.body.get("auth").ok_or_else(|| ApiError::bad("Expecting to find auth in request"))?;
    let mut state = app.lock();
    let wall = state.cloud.wall();
    let methods = auth["identity"]["methods"].as_array().cloned().unwrap_or_default();
    let identity = &auth["identity"];
    let secret = state.cloud.config.identity.password.clone();
    let known = methods.iter().any(|method| match method.as_str() {
        Some("password") => {
            let user = &identity["password"]["user"];
            let named =
                user["name"] == state.cloud.config.identity.user || user["id"] == id(&state, Kind::User);
            named && user["password"] == secret
        }
        Some("token") => {
            identity["token"]["id"].as_str().is_some_and(|token| state.tokens.is_valid(token, wall))
        }
        Some("application_credential") => identity["application_credential"]["secret"] == secret,
        _ => false,
    });
    if !known {
        return Err(ApiError::new(401, "The request you have made requires authentication."));
    }
    let application = methods.iter().any(|m| m == "application_credential");
    let project = &auth["scope"]["project"];
    let scoped = application || project.is_object();
    let right = application
        || project["name"] == state.cloud.config.identity.project
        || project["id"] == id(&state, Kind::Project);
    if scoped && !right {
        return Err(ApiError::new(401, "The request you have made requires authentication."));
    }
    let (token, end) = state.tokens.issue(wall);
    let body = token_body(&app, &state, &methods, scoped, wall, end);
    Ok((StatusCode::CREATED, [("x-subject-token", token.simple().to_string())], Json(body)).into_response())
}

fn token_body(
    app: &App,
    state: &Simulation,
    methods: &[Value],
    scoped: bool,
    issued: Timestamp,
    end: Timestamp,
) -> Value {
    let mut token = json!({
        "methods": methods,
        "user": {"id": id(state, Kind::User), "name": state.cloud.config.identity.user,
            "domain": domain(state), "password_expires_at": null},
        "audit_ids": [], "issued_at": micros(issued), "expires_at": micros(end),
    });
    if scoped {
        token["project"] = json!({"id": id(state, Kind::Project), "name": state.cloud.config.identity.project,
            "domain": domain(state)});
        token["is_domain"] = json!(false);
        token["roles"] = json!([{"id": "admin", "name": "admin"}, {"id": "member", "name": "member"}, {"id": "reader", "name": "reader"}]);
        token["catalog"] = catalog(app, state);
    }
    json!({"token": token})
}

fn micros(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string()
}

fn catalog(app: &App, state: &Simulation) -> Value {
    let region = &state.cloud.config.identity.region;
    let entry = |service: Service| {
        let path = match service {
            Service::Identity => "identity/v3",
            Service::Compute => "compute/v2.1",
            other => other.prefix(),
        };
        let endpoint = |interface: &str| {
            json!({"id": format!("{}-{interface}", service.prefix()), "interface": interface, "region": region, "region_id": region,
                "url": format!("{}/{path}", app.base())})
        };
        let name = match service {
            Service::Identity => "keystone",
            Service::Compute => "nova",
            Service::Network => "neutron",
            Service::Image => "glance",
            other => other.prefix(),
        };
        json!({"id": service.prefix(), "type": service.prefix(), "name": name,
            "endpoints": [endpoint("public"), endpoint("internal"), endpoint("admin")]})
    };
    Service::OPENSTACK.into_iter().map(entry).collect()
}

async fn check(State(app): State<App>, call: Call) -> Result<Response, ApiError> {
    let state = app.lock();
    let wall = state.cloud.wall();
    let subject = call.subject.or(call.token).unwrap_or_default();
    if !state.tokens.is_valid(&subject, wall) {
        return Err(ApiError::missing("Token", "given"));
    }
    let body = token_body(&app, &state, &[json!("password")], true, wall, wall);
    Ok(([("x-subject-token", subject)], Json(body)).into_response())
}

async fn revoke(State(app): State<App>, call: Call) -> StatusCode {
    app.lock().tokens.revoke(&call.subject.unwrap_or_default());
    StatusCode::NO_CONTENT
}

async fn catalog_only(State(app): State<App>) -> Json<Value> {
    let state = app.lock();
    Json(json!({"catalog": catalog(&app, &state), "links": {}}))
}

enum Kind {
    User,
    Project,
}

fn id(state: &Simulation, kind: Kind) -> String {
    match kind {
        Kind::User => state.cloud.user.simple().to_string(),
        Kind::Project => state.cloud.project.simple().to_string(),
    }
}

fn domain(state: &Simulation) -> Value {
    json!({"id": DOMAIN, "name": state.cloud.config.identity.domain})
}

fn project(state: &Simulation) -> Value {
    json!({"id": id(state, Kind::Project), "name": state.cloud.config.identity.project, "domain_id": DOMAIN,
        "enabled": true, "is_domain": false, "parent_id": DOMAIN, "description": "", "options": {}, "tags": [], "links": {}})
}

/// The list of one, or none if the query's name is another's.
fn matching(call: &Call, entry: Value) -> Vec<Value> {
    let other = call.get("name").is_some_and(|name| entry["name"] != name);
    if other { Vec::new() } else { vec![entry] }
}

async fn projects(State(app): State<App>, call: Call) -> Json<Value> {
    Json(json!({"projects": matching(&call, project(&app.lock())), "links": {}}))
}

async fn one_project(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    let state = app.lock();
    if key != id(&state, Kind::Project) {
        return Err(ApiError::new(404, format!("Could not find project: {key}.")));
    }
    Ok(Json(json!({"project": project(&state)})))
}

async fn users(State(app): State<App>, call: Call) -> Json<Value> {
    let state = app.lock();
    let user = json!({"id": id(&state, Kind::User), "name": state.cloud.config.identity.user, "domain_id": DOMAIN, "enabled": true});
    Json(json!({"users": matching(&call, user), "links": {}}))
}

fn the_domain(state: &Simulation) -> Value {
    json!({"id": DOMAIN, "name": state.cloud.config.identity.domain, "enabled": true, "description": "", "links": {}})
}

async fn domains(State(app): State<App>, call: Call) -> Json<Value> {
    Json(json!({"domains": matching(&call, the_domain(&app.lock())), "links": {}}))
}

async fn one_domain(State(app): State<App>, Path(key): Path<String>) -> Result<Json<Value>, ApiError> {
    if key != DOMAIN {
        return Err(ApiError::new(404, format!("Could not find domain: {key}.")));
    }
    Ok(Json(json!({"domain": the_domain(&app.lock())})))
}
