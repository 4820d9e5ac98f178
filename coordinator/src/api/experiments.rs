//! `/v1/experiments`

use std::collections::BTreeMap;
use std::sync::Arc;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use autoopt_epoch::experiment::{ExperimentSpec, parse_json};
use autoopt_epoch::id::ExperimentId;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::auth::Person;
use super::error::ApiError;
use super::extract::{Json, Path};
use super::view::{ExperimentDetail, ExperimentList, ExperimentSummary};
use super::{Api, render};
use crate::machine::{Change, Control, Experiment, Input, Phase, Site};

pub(super) fn routes() -> ApiRouter<Api> {
    let control = |path: &str, summary: &'static str, control: Control| {
        let handler = move |State(api): State<Api>, person: Person, Path(path): Path<ExperimentPath>| async move {
            wish(&api, &path.experiment, control, person).await
        };
        ApiRouter::new().api_route(path, post_with(handler, move |op| op.summary(summary)))
    };
    ApiRouter::new()
        .api_route(
            "/v1/experiments",
            get_with(list, |op| op.summary("Every experiment, the newest first")).post_with(submit, |op| {
                op.summary("Begin an experiment").input::<axum::Json<ExperimentSpec>>()
            }),
        )
        .api_route("/v1/experiments/{experiment}", get_with(show, |op| op.summary("One experiment")))
        .api_route(
            "/v1/experiments/{experiment}/change",
            post_with(change, |op| op.summary("Another budget, or other clusters, while its search goes on")),
        )
        .merge(control("/v1/experiments/{experiment}/pause", "Begin no new epoch", Control::Pause))
        .merge(control("/v1/experiments/{experiment}/resume", "Go on after a pause", Control::Resume))
        .merge(control(
            "/v1/experiments/{experiment}/stop",
            "Begin no new trial, let running ones end, then leave the clusters as the experiment says",
            Control::Stop,
        ))
        .merge(control(
            "/v1/experiments/{experiment}/cancel",
            "Abandon everything at once, then leave the clusters as the experiment says",
            Control::Cancel,
        ))
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct ExperimentPath {
    /// Its name (the newest of that name) or its id.
    pub(super) experiment: String,
}

/// The experiment that is meant.
pub(super) async fn find(api: &Api, named: &str) -> Result<Experiment, ApiError> {
    let by_id = match named.parse() {
        Ok(id) => api.store.experiment(id).await?,
        Err(_) => None,
    };
    let found = match by_id {
        Some(found) => Some(found),
        None => api.store.experiment_named(named).await?,
    };
    found.ok_or_else(|| {
        ApiError::not_found(format!("no experiment is called `{named}`, and none has this id"))
    })
}

async fn list(State(api): State<Api>) -> Result<Json<ExperimentList>, ApiError> {
    let baselines = api.store.baselines(None).await?;
    let sites = api.store.all_sites().await?;
    let mut experiments = Vec::new();
    for e in api.store.experiments().await?.iter().rev() {
        let own = baselines.get(&e.id).map(Vec::as_slice).unwrap_or_default();
        let baseline_runs = sites.get(&e.id).map(render::spreads).unwrap_or_default();
        experiments.push(ExperimentSummary { baseline_runs, ..render::experiment(e, own) });
    }
    Ok(Json(ExperimentList { experiments }))
}

async fn show(
    State(api): State<Api>,
    Path(path): Path<ExperimentPath>,
) -> Result<Json<ExperimentDetail>, ApiError> {
    let found = find(&api, &path.experiment).await?;
    Ok(Json(detail(&api, &found).await?))
}

async fn submit(
    State(api): State<Api>,
    person: Person,
    Json(body): Json<serde_json::Value>,
) -> Result<(StatusCode, Json<ExperimentDetail>), ApiError> {
    let spec = parse_json(&body)
        .map_err(|problems| ApiError::invalid("this is no experiment that can be run", problems))?;
    let id = ExperimentId::fresh();
    api.act(Input::Submit { id, spec: Arc::new(spec) }, person).await?;
    let found = find(&api, &id.to_string()).await?;
    Ok((StatusCode::CREATED, Json(detail(&api, &found).await?)))
}

async fn wish(
    api: &Api,
    named: &str,
    control: Control,
    person: Person,
) -> Result<Json<ExperimentDetail>, ApiError> {
    let id = find(api, named).await?.id;
    api.act(Input::Control { experiment: id, control }, person).await?;
    let found = find(api, &id.to_string()).await?;
    Ok(Json(detail(api, &found).await?))
}

async fn change(
    State(api): State<Api>,
    person: Person,
    Path(path): Path<ExperimentPath>,
    Json(change): Json<Change>,
) -> Result<Json<ExperimentDetail>, ApiError> {
    let id = find(&api, &path.experiment).await?.id;
    api.act(Input::Change { experiment: id, change }, person).await?;
    let found = find(&api, &id.to_string()).await?;
    Ok(Json(detail(&api, &found).await?))
}

async fn detail(api: &Api, e: &Experiment) -> Result<ExperimentDetail, ApiError> {
    let mut baselines = api.store.baselines(Some(e.id)).await?;
    let baselines = baselines.remove(&e.id).unwrap_or_default();
    let running = api.store.open_epochs(e.id).await?;
    let sites = api.store.sites(e.id).await?;
    let waits_for = waits_for(api, e, &sites).await?;
    let found = |cluster: &str| baselines.iter().find(|t| t.cluster.as_deref() == Some(cluster));
    let site = |(cluster, site): (String, Site)| {
        let view = render::site(&site, found(&cluster).map(|t| &t.parameters), &e.spec);
        (cluster, view)
    };
    Ok(ExperimentDetail {
        summary: ExperimentSummary {
            baseline_runs: render::spreads(&sites),
            ..render::experiment(e, &baselines)
        },
        sites: sites.into_iter().map(site).collect(),
        running: running.iter().map(render::epoch).collect(),
        waits_for,
        spec: ExperimentSpec::clone(&e.spec),
    })
}

/// Which of an experiment's clusters another one has at present, and which.
async fn waits_for(
    api: &Api,
    e: &Experiment,
    sites: &BTreeMap<String, Site>,
) -> Result<BTreeMap<String, String>, ApiError> {
    let mut waits_for = BTreeMap::new();
    let waits = |cluster: &String| {
        sites.get(cluster).is_some_and(|site| !site.occupied() && site.out_of_use.is_none())
    };
    if matches!(e.phase, Phase::Closing | Phase::Ended) || !sites.keys().any(waits) {
        return Ok(waits_for);
    }
    for other in api.store.experiments().await?.iter().filter(|o| o.ended.is_none() && o.id != e.id) {
        let theirs = api.store.sites(other.id).await?.into_iter();
        let held = theirs.filter(|(cluster, site)| site.occupied() && waits(cluster));
        waits_for.extend(held.map(|(cluster, _)| (cluster, other.spec.name.clone())));
    }
    Ok(waits_for)
}
