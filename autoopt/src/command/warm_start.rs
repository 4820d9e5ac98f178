//! The results of earlier experiments, read from what `autoopt export` wrote.

use std::path::Path;

use autoopt_coordinator::api::view::{ExperimentDetail, TrialView};
use autoopt_epoch::experiment::{Earlier, WarmStart};
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::message::{Observation, TrialKind};
use serde::Deserialize;

use crate::fault::{Fault, Kind};

/// What `autoopt export --format json` writes.
#[derive(Deserialize)]
struct Exported {
    experiment: ExperimentDetail,
    trials: Vec<TrialView>,
}

/// Puts results in the place of files, whose names are seen from the folder of `experiment`.
pub(super) fn read(warm_start: &mut [WarmStart], experiment: &Path) -> Result<(), Fault> {
    for given in warm_start {
        if let WarmStart::File(name) = given {
            *given = WarmStart::Earlier(earlier(&experiment.with_file_name(&*name))?);
        }
    }
    Ok(())
}

fn earlier(file: &Path) -> Result<Earlier, Fault> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|e| Fault::new(Kind::Input, format!("cannot read `{name}`, a `warm_start`")).because(e))?;
    let exported: Exported = serde_json::from_str(&text).map_err(|e| {
        Fault::new(Kind::Input, format!("`{name}` is no exported experiment"))
            .because(e)
            .next("`autoopt export NAME --format json` writes one")
    })?;
    let summary = exported.experiment.summary;
    let results = exported.trials.into_iter().filter_map(observation);
    // metrics of another experiment are of no use to this one
    let results = results.map(|r| Observation { metrics: std::collections::BTreeMap::new(), ..r }).collect();
    let other_goals = exported.experiment.spec.goals().split_off(1);
    Ok(Earlier { name: summary.name, goal: summary.goal, other_goals, results })
}

/// What a trial teaches, if it does.
pub(crate) fn observation(trial: TrialView) -> Option<Observation> {
    let outcome = trial.outcome.filter(|_| trial.kind != TrialKind::Closing)?;
    matches!(outcome, Outcome::Measured | Outcome::Infeasible | Outcome::Violated).then(|| Observation {
        trial: trial.id,
        number: trial.number,
        kind: trial.kind,
        cluster: trial.cluster.unwrap_or_default(),
        parameters: trial.parameters,
        outcome,
        objective: trial.objective,
        others: trial.others,
        std_error: None,
        repeats: trial.repeats,
        metrics: trial.metrics,
        placement: None,
        seconds: None,
        violations: Vec::new(),
    })
}
