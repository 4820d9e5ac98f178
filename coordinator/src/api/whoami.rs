//! `/v1/whoami`

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;

use super::Api;
use super::auth::Person;
use super::extract::Json;
use super::view::Whoami;

pub(super) fn routes() -> ApiRouter<Api> {
    ApiRouter::new().api_route(
        "/v1/whoami",
        get_with(whoami, |op| {
            op.summary("The name that the log has for what is done with this request's token")
        }),
    )
}

async fn whoami(Person(by): Person) -> Json<Whoami> {
    Json(Whoami { by })
}
