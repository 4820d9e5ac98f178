//! `/v1/clusters`

use std::collections::BTreeMap;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::auth::Person;
use super::error::ApiError;
use super::extract::{Json, Path, Query};
use super::view::ClusterList;
use super::{Api, render};
use crate::machine::{Cluster, Input, TrialState};

/// Trials of one experiment that are counted, at most: more is a long queue all the same.
const MOST_WAITING: u64 = 1000;

pub(super) fn routes() -> ApiRouter<Api> {
    ApiRouter::new()
        .api_route("/v1/clusters", get_with(list, |op| op.summary("Every cluster that was ever named")))
        .api_route(
            "/v1/clusters/{cluster}/resume",
            post_with(resume, |op| {
                op.summary(
                    "Declare a paused cluster healthy, and what was left behind on it as there to stay",
                )
            }),
        )
}

#[derive(Deserialize, JsonSchema)]
struct ClusterPath {
    cluster: String,
}

#[derive(Deserialize, JsonSchema)]
struct ResumeQuery {
    /// What an epoch left behind there is to stay: it is not looked for any more.
    #[serde(default)]
    keep_leaks: bool,
}

async fn list(State(api): State<Api>) -> Result<Json<ClusterList>, ApiError> {
    Ok(Json(all(&api).await?))
}

async fn resume(
    State(api): State<Api>,
    person: Person,
    Path(path): Path<ClusterPath>,
    Query(query): Query<ResumeQuery>,
) -> Result<Json<ClusterList>, ApiError> {
    let before = all(&api).await?;
    if !before.clusters.iter().any(|c| c.name == path.cluster) {
        return Err(ApiError::not_found(format!("no cluster is called `{}`", path.cluster)));
    }
    api.act(Input::ResumeCluster { cluster: path.cluster, keep_leaks: query.keep_leaks }, person).await?;
    Ok(Json(all(&api).await?))
}

async fn all(api: &Api) -> Result<ClusterList, ApiError> {
    let mut waiting: BTreeMap<String, u32> = BTreeMap::new();
    for experiment in api.store.experiments().await?.iter().filter(|e| e.ended.is_none()) {
        for trial in api.store.open_trials(experiment.id, MOST_WAITING).await? {
            if !matches!(trial.state, TrialState::Waiting { .. }) {
                continue;
            }
            let bound =
                trial.cluster.as_ref().map_or(experiment.spec.clusters.as_slice(), std::slice::from_ref);
            bound.iter().for_each(|cluster| *waiting.entry(cluster.clone()).or_default() += 1);
        }
    }
    let view = |cluster: &Cluster| render::cluster(cluster, waiting.get(&cluster.name).copied().unwrap_or(0));
    Ok(ClusterList { clusters: api.store.clusters().await?.iter().map(view).collect() })
}
