//! `/v1/experiments/X/columns`: all trials of an experiment, by column.

use std::collections::HashMap;

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use autoopt_epoch::experiment::ExperimentSpec;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ApiError;
use super::experiments::{ExperimentPath, find};
use super::extract::{Json, Path, Query};
use super::view::TrialColumns;
use super::{Api, render};
use crate::machine::Trial;
use crate::store::EpochEntry;

/// Trials that are read at once, so that not all of them are in memory as records.
const PAGE: u64 = 1000;

pub(super) fn routes() -> ApiRouter<Api> {
    ApiRouter::new().api_route(
        "/v1/experiments/{experiment}/columns",
        get_with(show, |op| op.summary("Its trials as columns, all of them or those that changed")),
    )
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Since {
    /// Only trials that the event log says something of after this position: the `position` of an earlier answer.
    changed_after: Option<i64>,
}

async fn show(
    State(api): State<Api>,
    Path(path): Path<ExperimentPath>,
    Query(since): Query<Since>,
) -> Result<Json<TrialColumns>, ApiError> {
    let experiment = find(&api, &path.experiment).await?;
    // before the trials are read: what changes meanwhile is told again, and does not get lost
    let position = api.store.last_event().await?;
    let total = api.store.trial_count(experiment.id).await?;
    let places = places(api.store.epoch_entries(experiment.id).await?);
    let mut columns = Columns::new(&experiment.spec, &places, position, total);
    let mut last: Option<Trial> = None;
    loop {
        let page = match since.changed_after {
            None => api.store.trials(experiment.id, last.as_ref().map(|t| t.id), PAGE).await?,
            Some(after) => {
                let last = last.as_ref().map(|t| (t.number, t.id));
                api.store.changed_trials(experiment.id, after, last, PAGE).await?
            }
        };
        page.iter().for_each(|trial| columns.add(trial));
        let whole = page.len() as u64 == PAGE;
        last = page.into_iter().next_back();
        if !whole {
            return Ok(Json(columns.finish()));
        }
    }
}

/// When a trial first began, and where it was last.
struct Place {
    started: i64,
    cluster: String,
}

/// By trial; `epochs` are in the order in which they began.
fn places(epochs: Vec<EpochEntry>) -> HashMap<String, Place> {
    let mut places: HashMap<String, Place> = HashMap::new();
    for EpochEntry { trial, cluster, started } in epochs {
        let place = places.entry(trial).or_insert_with(|| Place { started, cluster: String::new() });
        place.cluster = cluster;
    }
    places
}

/// The columns while they grow.
struct Columns<'a> {
    places: &'a HashMap<String, Place>,
    made: TrialColumns,
}

impl<'a> Columns<'a> {
    fn new(spec: &ExperimentSpec, places: &'a HashMap<String, Place>, position: i64, total: u64) -> Self {
        let parameters = spec.parameters.iter().map(|p| (p.name.clone(), Vec::new())).collect();
        let metrics = spec.metrics.iter().map(|m| (m.name.clone(), Vec::new())).collect();
        Self {
            places,
            made: TrialColumns { position, total, parameters, metrics, ..TrialColumns::default() },
        }
    }

    fn add(&mut self, trial: &Trial) {
        let place = self.places.get(&trial.id.to_string());
        // the name of the experiment is not among the columns
        let view = render::trial(trial, "");
        let made = &mut self.made;
        let index = made.trial.len();
        made.trial.push(view.id);
        made.number.push(view.number);
        made.kind.push(view.kind);
        made.state.push(view.state);
        made.outcome.push(view.outcome);
        made.cluster.push(place.map(|p| p.cluster.clone()).or(view.cluster));
        made.submitted.push(view.submitted.as_millis());
        made.started.push(place.map(|p| p.started));
        made.ended.push(view.ended.map(|at| at.as_millis()));
        made.objective.push(view.objective);
        made.error.push(standard_error(trial));
        made.repeats.push(view.repeats);
        made.reason.extend(view.reason.map(|reason| (index, reason)));
        made.note.extend(view.note.map(|note| (index, note)));
        for (name, values) in &mut made.parameters {
            values.push(view.parameters.get(name).cloned());
        }
        for (name, values) in &mut made.metrics {
            values.push(view.metrics.get(name).copied());
        }
    }

    fn finish(self) -> TrialColumns {
        self.made
    }
}

/// Of the mean objective: the sample's standard deviation over the root of its size.
fn standard_error(trial: &Trial) -> Option<f64> {
    let n = trial.measurements.len() as f64;
    if n < 2.0 {
        return None;
    }
    let mean = trial.measurements.iter().map(|m| m.objective).sum::<f64>() / n;
    let squares = trial.measurements.iter().map(|m| (m.objective - mean).powi(2)).sum::<f64>();
    Some((squares / (n - 1.0) / n).sqrt())
}
