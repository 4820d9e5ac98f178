//! `/v1/experiments/X/columns`: all trials of an experiment, by column.

use std::collections::HashMap;

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::space::Value;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::experiments::{ExperimentPath, find};
use super::extract::{Json, Path, Query};
use super::view::{TrialColumns, TrialPhase};
use super::{Api, render};
use crate::machine::Trial;
use crate::store::{EpochEntry, StoreError, TrialEntry};

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
struct Wanted {
    /// Only trials that the event log says something of after this position: the `position` of an earlier answer.
    changed_after: Option<i64>,
    /// Numbers that are measured or proposed with so many significant digits, 1 to 17; all of them unless given. Many trials take
    /// half the room with 9.
    digits: Option<i32>,
    /// Only what is known without reading the records, for whoever cannot wait: no values of parameters and of objectives beside the
    /// first, no clusters, reasons, notes, errors and metrics; every trial that has not ended counts as waiting.
    #[serde(default)]
    outline: bool,
    /// What is not wanted, with commas in between, such as `submitted,metrics`: these lists come empty.
    #[serde(default)]
    without: String,
}

impl Wanted {
    /// The names of the lists that are not wanted.
    fn left_out(&self) -> impl Iterator<Item = &str> {
        self.without.split(',').map(str::trim).filter(|name| !name.is_empty())
    }

    fn check(&self) -> Result<(), ApiError> {
        match self.left_out().find(|name| !leave_out(&mut TrialColumns::default(), name)) {
            None => Ok(()),
            Some(name) => Err(ApiError::malformed(format!("`without`: no list is called `{name}`"))),
        }
    }
}

/// Empties the list of this name; `false` if there is none.
fn leave_out(columns: &mut TrialColumns, name: &str) -> bool {
    match name {
        "trial" => columns.trial.clear(),
        "number" => columns.number.clear(),
        "kind" => columns.kind.clear(),
        "state" => columns.state.clear(),
        "outcome" => columns.outcome.clear(),
        "cluster" => columns.cluster.clear(),
        "submitted" => columns.submitted.clear(),
        "started" => columns.started.clear(),
        "ended" => columns.ended.clear(),
        "objective" => columns.objective.clear(),
        "others" => columns.others.clear(),
        "error" => columns.error.clear(),
        "repeats" => columns.repeats.clear(),
        "reason" => columns.reason.clear(),
        "note" => columns.note.clear(),
        "parameters" => columns.parameters.clear(),
        "metrics" => columns.metrics.clear(),
        _ => return false,
    }
    true
}

async fn show(
    State(api): State<Api>,
    Path(path): Path<ExperimentPath>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<TrialColumns>, ApiError> {
    wanted.check()?;
    let experiment = find(&api, &path.experiment).await?;
    // before the trials are read: what changes meanwhile is told again, and does not get lost
    let position = api.store.last_event().await?;
    let total = api.store.trial_count(experiment.id).await?;
    let mut columns = Columns::new(&experiment.spec, position, total);
    if wanted.outline {
        for entry in api.store.trial_entries(experiment.id).await? {
            columns.sketch(&entry)?;
        }
        return Ok(Json(columns.finish(&wanted)));
    }
    if wanted.changed_after.is_none() {
        columns.places = places(api.store.epoch_entries(experiment.id).await?);
    }
    let mut last: Option<Trial> = None;
    loop {
        let page = match wanted.changed_after {
            None => api.store.trials(experiment.id, last.as_ref().map(|t| t.id), PAGE).await?,
            Some(after) => {
                let last = last.as_ref().map(|t| (t.number, t.id));
                api.store.changed_trials(experiment.id, after, last, PAGE).await?
            }
        };
        if wanted.changed_after.is_some() {
            columns.places = places(api.store.epoch_entries_of(&page).await?);
        }
        page.iter().for_each(|trial| columns.add(trial));
        let whole = page.len() as u64 == PAGE;
        last = page.into_iter().next_back();
        if !whole {
            return Ok(Json(columns.finish(&wanted)));
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
struct Columns {
    /// Of the trials that are added next.
    places: HashMap<String, Place>,
    made: TrialColumns,
}

impl Columns {
    fn new(spec: &ExperimentSpec, position: i64, total: u64) -> Self {
        let parameters = spec.parameters.iter().map(|p| (p.name.clone(), Vec::new())).collect();
        let metrics = spec.metrics.iter().map(|m| (m.name.clone(), Vec::new())).collect();
        let others = vec![Vec::new(); spec.other_objectives.len()];
        let made = TrialColumns { position, total, others, parameters, metrics, ..TrialColumns::default() };
        Self { places: HashMap::new(), made }
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
        for (i, values) in made.others.iter_mut().enumerate() {
            values.push(view.others.get(i).copied());
        }
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

    /// What the entry says, and nothing for the rest.
    fn sketch(&mut self, entry: &TrialEntry) -> Result<(), StoreError> {
        let made = &mut self.made;
        made.trial.push(word("id", &entry.id)?);
        made.number.push(entry.number.try_into().unwrap_or(u32::MAX));
        made.kind.push(word("kind", &entry.kind)?);
        made.state.push(if entry.ended.is_some() { TrialPhase::Ended } else { TrialPhase::Waiting });
        made.outcome.push(entry.outcome.as_deref().map(|outcome| word("outcome", outcome)).transpose()?);
        made.submitted.push(entry.submitted);
        made.ended.push(entry.ended);
        made.objective.push(entry.objective);
        made.cluster.push(None);
        made.started.push(None);
        made.error.push(None);
        made.repeats.push(0);
        Ok(())
    }

    fn finish(mut self, wanted: &Wanted) -> TrialColumns {
        for name in wanted.left_out() {
            leave_out(&mut self.made, name);
        }
        if let Some(digits) = wanted.digits {
            let digits = digits.clamp(1, 17);
            let made = &mut self.made;
            let numbers = made.objective.iter_mut().chain(&mut made.error);
            let numbers = numbers.chain(made.others.iter_mut().flatten());
            let numbers = numbers.chain(made.metrics.values_mut().flatten());
            numbers.flatten().for_each(|x| *x = rounded(*x, digits));
            for value in made.parameters.values_mut().flatten().flatten() {
                if let Value::Float(x) = value {
                    *x = rounded(*x, digits);
                }
            }
        }
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

/// A column's word as the type it stands for.
fn word<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_value(text.into()).map_err(|error| StoreError::Unreadable {
        table: "trial",
        key: format!("{column} `{text}`"),
        reason: error.to_string(),
    })
}

/// With so many significant digits, as far as a number of this size can have them.
fn rounded(x: f64, digits: i32) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let place = digits - 1 - x.abs().log10().floor() as i32;
    // powers of ten are exact up to this one; what is smaller or larger stays as it is
    if !(0..=22).contains(&place) {
        return x;
    }
    let power = 10_f64.powi(place);
    let whole = (x * power).round();
    if whole.is_finite() { whole / power } else { x }
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn a_rounded_number_is_the_nearest_with_so_many_digits() {
        for (x, digits, expected) in [
            (0.123_456_789_012, 9, 0.123_456_789),
            (-0.000_123_456_789_06, 8, -0.000_123_456_79),
            (416.754_999_999_6, 9, 416.755),
            (0.1 + 0.2, 9, 0.3),
            (5.0, 9, 5.0),
            (0.0, 9, 0.0),
            (2.5, 1, 3.0),
            (603_242_123_456_789.0, 9, 603_242_123_456_789.0),
            (1e-300, 9, 1e-300),
            (f64::MAX, 17, f64::MAX),
        ] {
            assert_eq!(rounded(x, digits).to_string(), f64::to_string(&expected), "{x} {digits}");
        }
        assert!(rounded(f64::NAN, 9).is_nan() && rounded(f64::INFINITY, 9).is_infinite());
    }
}
