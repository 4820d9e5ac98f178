//! `/v1/experiments/X/placements`: which host each server landed on, trial by trial.

use std::collections::{BTreeMap, BTreeSet};

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use autoopt_epoch::message::Stage;
use autoopt_epoch::time::Timestamp;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::error::ApiError;
use super::experiments::{ExperimentPath, find};
use super::extract::{Json, Path, Query};
use super::view::{PlacementRow, Placements};
use crate::machine::Epoch;

/// Epochs in one answer, unless the request says otherwise, and at most.
const PAGE: u64 = 60;
const MAX_PAGE: u64 = 500;

pub(super) fn routes() -> ApiRouter<Api> {
    ApiRouter::new().api_route(
        "/v1/experiments/{experiment}/placements",
        get_with(show, |op| {
            op.summary(
                "Which host each server landed on: the baseline on each cluster, then the newest epochs",
            )
        }),
    )
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlacementPage {
    /// How many epochs at most: 60 unless given, 500 at most.
    #[serde(default = "page")]
    limit: u64,
}

const fn page() -> u64 {
    PAGE
}

async fn show(
    State(api): State<Api>,
    Path(path): Path<ExperimentPath>,
    Query(page): Query<PlacementPage>,
) -> Result<Json<Placements>, ApiError> {
    let experiment = find(&api, &path.experiment).await?;
    let mut baselines = Vec::new();
    for trial in api.store.baselines(Some(experiment.id)).await?.remove(&experiment.id).unwrap_or_default() {
        // of one that was measured several times, the last
        baselines.extend(api.store.epochs(trial.id).await?.iter().rev().find_map(placed));
    }
    let start = Timestamp::from_millis(0);
    let epochs = api.store.recent_epochs(experiment.id, start, page.limit.min(MAX_PAGE)).await?;
    let rows: Vec<Row> = baselines.into_iter().chain(epochs.iter().filter_map(placed)).collect();
    let servers: BTreeSet<&String> = rows.iter().flat_map(|row| row.hosts.keys()).collect();
    let servers: Vec<String> = servers.into_iter().cloned().collect();
    let mut seen = BTreeSet::new();
    let view = |row: &Row| PlacementRow {
        hosts: servers.iter().map(|server| row.hosts.get(server).cloned()).collect(),
        ..row.view.clone()
    };
    let rows = rows.iter().filter(|row| seen.insert(row.view.epoch)).map(view).collect();
    Ok(Json(Placements { servers, rows }))
}

struct Row {
    /// Without its hosts.
    view: PlacementRow,
    /// By server.
    hosts: BTreeMap<String, String>,
}

/// Where an epoch's servers landed, if its bench stage said so.
fn placed(epoch: &Epoch) -> Option<Row> {
    let told = epoch.outputs.get(&Stage::Bench)?.get("placement")?.as_object()?;
    let hosts: BTreeMap<String, String> =
        told.iter().filter_map(|(server, host)| Some((server.clone(), host.as_str()?.to_owned()))).collect();
    let view = PlacementRow {
        trial: epoch.trial,
        epoch: epoch.id,
        number: epoch.number,
        kind: epoch.kind,
        cluster: epoch.cluster.clone(),
        objective: epoch.measurement.as_ref().map(|m| m.objective),
        hosts: Vec::new(),
    };
    (!hosts.is_empty()).then_some(Row { view, hosts })
}
