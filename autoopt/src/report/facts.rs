//! What a report tells, from what the API shows.

use std::collections::BTreeMap;

use autoopt_coordinator::api::view::{EpochDetail, ExperimentDetail, TrialDetail, TrialView};
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::message::{Stage, TrialKind};
use serde::Serialize;
use serde_json::Value as Json;

/// One trial and the best until then.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Progress {
    pub(crate) number: u32,
    /// Absent if it was not measured, or broke a constraint.
    pub(crate) objective: Option<f64>,
    pub(crate) best: Option<f64>,
}

/// The host of one server of the application.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Placement {
    pub(crate) server: String,
    pub(crate) baseline: Option<String>,
    pub(crate) recommended: Option<String>,
}

/// In the order of acceptance; the baseline is where it begins.
pub(crate) fn progress(experiment: &ExperimentDetail, trials: &[TrialView]) -> Vec<Progress> {
    let sign = experiment.summary.goal.sign();
    let mut best: Option<f64> = None;
    let mut all: Vec<&TrialView> = trials.iter().filter(|t| searched(t)).collect();
    all.sort_by_key(|t| t.number);
    let step = |t: &TrialView| {
        let objective = t.objective.filter(|_| t.outcome == Some(Outcome::Measured));
        if let Some(value) = objective {
            best = Some(best.map_or(value, |b| if sign * value > sign * b { value } else { b }));
        }
        Progress { number: t.number, objective, best }
    };
    all.into_iter().map(step).collect()
}

/// Whether a trial belongs to the search: the first baselines do.
fn searched(t: &TrialView) -> bool {
    !t.again && t.kind != TrialKind::Closing
}

/// Where the servers of the last measured epoch of each landed.
pub(crate) fn placements(before: &[TrialDetail], after: Option<&TrialDetail>) -> Vec<Placement> {
    let cluster = after.and_then(measured).map(|epoch| &epoch.epoch.cluster);
    let there = before.iter().find(|t| measured(t).map(|epoch| &epoch.epoch.cluster) == cluster);
    let (before, after) = (hosts(there.or_else(|| before.first())), hosts(after));
    let mut servers: Vec<&String> = before.keys().chain(after.keys()).collect();
    servers.sort();
    servers.dedup();
    let placement = |server: &String| Placement {
        server: server.clone(),
        baseline: before.get(server).cloned(),
        recommended: after.get(server).cloned(),
    };
    servers.into_iter().map(placement).collect()
}

fn hosts(trial: Option<&TrialDetail>) -> BTreeMap<String, String> {
    let placement =
        trial.and_then(measured).and_then(|e| e.outputs.get(&Stage::Bench)?.get("placement")?.as_object());
    let named = |(server, host): (&String, &Json)| Some((server.clone(), host.as_str()?.to_owned()));
    placement.into_iter().flatten().filter_map(named).collect()
}

/// By cluster and stage, what it gave out when the baseline was measured.
pub(crate) fn captured(before: &[TrialDetail]) -> BTreeMap<String, Json> {
    let told = |epoch: &EpochDetail| (epoch.epoch.cluster.clone(), serde_json::json!(epoch.outputs));
    before.iter().filter_map(measured).map(told).collect()
}

/// The last epoch that was measured.
fn measured(trial: &TrialDetail) -> Option<&EpochDetail> {
    trial.epochs.iter().rfind(|epoch| epoch.measurement.is_some())
}
