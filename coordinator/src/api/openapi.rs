//! The document that describes the API.

use std::sync::Arc;

use aide::openapi::{Info, OpenApi, SecurityScheme};
use aide::transform::TransformOpenApi;
use axum::Router;
use axum::routing::get;

use super::view::ErrorBody;
use super::{Api, documented};

/// The name of the way to prove who asks, within the document.
const TOKEN: &str = "token";

/// The OpenAPI document.
pub fn document() -> OpenApi {
    let mut document = about();
    // the routes are only looked at
    let _: Router<Api> = documented().finish_api_with(&mut document, common);
    document
}

pub(super) fn about() -> OpenApi {
    aide::generate::extract_schemas(true);
    let info = Info {
        title: "AutoOptCloud coordinator".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..Info::default()
    };
    OpenApi { info, ..OpenApi::default() }
}

/// What holds for every operation.
pub(super) fn common(api: TransformOpenApi<'_>) -> TransformOpenApi<'_> {
    let scheme = SecurityScheme::Http {
        scheme: "bearer".into(),
        bearer_format: None,
        description: Some("The word in the file that `api.token_file` names; not needed without one.".into()),
        extensions: Default::default(),
    };
    api.security_scheme(TOKEN, scheme)
        .security_requirement(TOKEN)
        .default_response_with::<axum::Json<ErrorBody>, _>(|answer| answer.description("It was not done."))
}

pub(super) fn route(document: OpenApi) -> Router<Api> {
    let document = Arc::new(document);
    Router::new().route("/openapi.json", get(move || async move { axum::Json(document) }))
}
