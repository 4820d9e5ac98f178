//! `/v1/trials` and `/v1/experiments/X/trials`

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use autoopt_epoch::id::{MessageId, TrialId};
use autoopt_epoch::message;
use autoopt_epoch::space::Space;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::auth::Person;
use super::error::ApiError;
use super::experiments::{ExperimentPath, find};
use super::extract::{Json, Path, Query};
use super::view::{NewTrial, TrialDetail, TrialList, TrialView};
use super::{Api, epochs, render};
use crate::machine::{Input, Trial};

/// Trials in one answer, unless the request says otherwise, and at most.
const PAGE: u64 = 100;
const MAX_PAGE: u64 = 1000;

pub(super) fn routes() -> ApiRouter<Api> {
    ApiRouter::new()
        .api_route(
            "/v1/experiments/{experiment}/trials",
            get_with(list, |op| op.summary("Its trials: baselines, then the others by number"))
                .post_with(submit, |op| op.summary("A trial by hand").response::<201, Json<TrialView>>()),
        )
        .api_route("/v1/trials/{trial}", get_with(show, |op| op.summary("One trial, with its epochs")))
        .api_route("/v1/trials/{trial}/cancel", post_with(cancel, |op| op.summary("Give one trial up")))
}

#[derive(Deserialize, JsonSchema)]
struct TrialPath {
    trial: TrialId,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TrialPage {
    /// Only those after this trial: the last one of the page before.
    after: Option<TrialId>,
    /// How many at most: 100 unless given, 1,000 at most.
    #[serde(default = "page")]
    limit: u64,
}

const fn page() -> u64 {
    PAGE
}

async fn list(
    State(api): State<Api>,
    Path(path): Path<ExperimentPath>,
    Query(page): Query<TrialPage>,
) -> Result<Json<TrialList>, ApiError> {
    let experiment = find(&api, &path.experiment).await?;
    let trials = api.store.trials(experiment.id, page.after, page.limit.min(MAX_PAGE)).await?;
    let total = api.store.trial_count(experiment.id).await?;
    let shown = trials.iter().map(|t| render::trial(t, &experiment.spec.name)).collect();
    Ok(Json(TrialList { trials: shown, total }))
}

async fn submit(
    State(api): State<Api>,
    person: Person,
    Path(path): Path<ExperimentPath>,
    Json(new): Json<NewTrial>,
) -> Result<(StatusCode, Json<TrialView>), ApiError> {
    let experiment = find(&api, &path.experiment).await?;
    let spec = &experiment.spec;
    // every problem with its name; what the engine refuses is one sentence
    Space::new(spec.parameters.clone(), &spec.constraints)
        .and_then(|space| space.conform(&new.parameters))
        .map_err(|problems| ApiError::invalid("this is no trial of the experiment's space", problems))?;
    let id = new.trial.unwrap_or_else(TrialId::fresh);
    let trial = message::Trial {
        experiment: experiment.id.to_string(),
        parameters: new.parameters,
        trial: Some(id),
        ask: None,
        cluster: new.cluster,
        note: new.note,
        outlook: None,
        compromise: None,
    };
    api.act(Input::Trial { message: MessageId::fresh(), trial }, person).await?;
    let accepted = known(&api, id).await?;
    Ok((StatusCode::CREATED, Json(render::trial(&accepted, &spec.name))))
}

async fn show(State(api): State<Api>, Path(path): Path<TrialPath>) -> Result<Json<TrialDetail>, ApiError> {
    Ok(Json(detail(&api, path.trial).await?))
}

async fn cancel(
    State(api): State<Api>,
    person: Person,
    Path(path): Path<TrialPath>,
) -> Result<Json<TrialDetail>, ApiError> {
    known(&api, path.trial).await?;
    api.act(Input::CancelTrial { trial: path.trial }, person).await?;
    Ok(Json(detail(&api, path.trial).await?))
}

async fn known(api: &Api, id: TrialId) -> Result<Trial, ApiError> {
    let found = api.store.trial(id).await?;
    found.ok_or_else(|| ApiError::not_found(format!("no trial has the id {id}")))
}

async fn detail(api: &Api, id: TrialId) -> Result<TrialDetail, ApiError> {
    let trial = known(api, id).await?;
    let experiment = find(api, &trial.experiment.to_string()).await?;
    let mut all = Vec::new();
    for epoch in api.store.epochs(id).await? {
        all.push(epochs::detail(api, &epoch).await?);
    }
    Ok(TrialDetail { trial: render::trial(&trial, &experiment.spec.name), epochs: all })
}
