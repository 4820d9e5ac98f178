//! `/v1/clusters`

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ApiError;
use super::extract::{Json, Path};
use super::view::ClusterList;
use super::{Api, render};
use crate::machine::Input;

pub(super) fn routes() -> ApiRouter<Api> {
    ApiRouter::new()
        .api_route("/v1/clusters", get_with(list, |op| op.summary("Every cluster that was ever named")))
        .api_route(
            "/v1/clusters/{cluster}/resume",
            post_with(resume, |op| op.summary("Declare a paused cluster healthy")),
        )
}

#[derive(Deserialize, JsonSchema)]
struct ClusterPath {
    cluster: String,
}

async fn list(State(api): State<Api>) -> Result<Json<ClusterList>, ApiError> {
    Ok(Json(all(&api).await?))
}

async fn resume(
    State(api): State<Api>,
    Path(path): Path<ClusterPath>,
) -> Result<Json<ClusterList>, ApiError> {
    let before = all(&api).await?;
    if !before.clusters.iter().any(|c| c.name == path.cluster) {
        return Err(ApiError::not_found(format!("no cluster is called `{}`", path.cluster)));
    }
    api.engine().await?.input(Input::ResumeCluster { cluster: path.cluster }).await?;
    Ok(Json(all(&api).await?))
}

async fn all(api: &Api) -> Result<ClusterList, ApiError> {
    Ok(ClusterList { clusters: api.store.clusters().await?.iter().map(render::cluster).collect() })
}
