//! `/v1/epochs`

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use autoopt_epoch::id::EpochId;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ApiError;
use super::extract::{Json, Path};
use super::view::EpochDetail;
use super::{Api, render};
use crate::machine::Epoch;

/// The most of an artifact that is unpacked, in bytes.
const MAX_ARTIFACT: u64 = 64 * 1024 * 1024;

pub(super) fn routes() -> ApiRouter<Api> {
    ApiRouter::new()
        .api_route("/v1/epochs/{epoch}", get_with(show, |op| op.summary("One epoch, with every attempt")))
        .api_route(
            "/v1/epochs/{epoch}/artifacts/{step}/{attempt}/{name}",
            get_with(artifact, |op| op.summary("Raw output, as it was kept").response::<200, String>()),
        )
}

#[derive(Deserialize, JsonSchema)]
struct EpochPath {
    epoch: EpochId,
}

#[derive(Deserialize, JsonSchema)]
struct ArtifactPath {
    epoch: EpochId,
    step: u32,
    attempt: u32,
    name: String,
}

pub(super) async fn detail(api: &Api, epoch: &Epoch) -> Result<EpochDetail, ApiError> {
    let attempts = api.store.attempts(epoch.id).await?;
    let artifacts = api.store.artifact_list(epoch.id).await?;
    Ok(render::epoch_detail(epoch, &attempts, &artifacts))
}

async fn show(State(api): State<Api>, Path(path): Path<EpochPath>) -> Result<Json<EpochDetail>, ApiError> {
    let found = api.store.epoch(path.epoch).await?;
    let found = found.ok_or_else(|| ApiError::not_found(format!("no epoch has the id {}", path.epoch)))?;
    Ok(Json(detail(&api, &found).await?))
}

async fn artifact(State(api): State<Api>, Path(path): Path<ArtifactPath>) -> Result<Response, ApiError> {
    let found = api.store.artifact(path.epoch, path.step, path.attempt, &path.name).await?;
    let found = found.ok_or_else(|| {
        ApiError::not_found(format!(
            "attempt {} of step {} of epoch {} kept no `{}`",
            path.attempt, path.step, path.epoch, path.name
        ))
    })?;
    let content = found.content(MAX_ARTIFACT).map_err(|error| {
        tracing::error!(%error, epoch = %path.epoch, name = path.name, "an artifact cannot be unpacked");
        ApiError::not_found(format!("`{}` is damaged: {error}", path.name))
    })?;
    // a program printed it: no browser may take it for a page
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "sandbox"),
    ];
    Ok((headers, content).into_response())
}
