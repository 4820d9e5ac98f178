//! What the optimizer's model makes of an experiment's results, and how it is told.

use autoopt_coordinator::api::view::{ExperimentDetail, TrialView};
use autoopt_epoch::id::AskId;
use autoopt_epoch::message::Ask;
use autoopt_epoch::space::Value;
use autoopt_optimizer::explain::{Effect, Estimate, ExplainError, Explanation, Level, explain};

use crate::command::observation;
use crate::show::figure;

/// A model is fitted to the results here, whatever algorithm proposed the trials.
pub(crate) fn explained(
    detail: &ExperimentDetail,
    trials: &[TrialView],
) -> Result<Explanation, ExplainError> {
    explain(&ask(detail, trials))
}

/// The question that the optimizer would be asked now.
fn ask(detail: &ExperimentDetail, trials: &[TrialView]) -> Ask {
    let (summary, spec) = (&detail.summary, &detail.spec);
    Ask {
        ask: AskId::derived(summary.id.0, "explain"),
        experiment: summary.name.clone(),
        experiment_id: summary.id,
        number: summary.accepted + 1,
        algorithm: spec.algorithm.clone(),
        seed: spec.seed,
        goal: summary.goal,
        other_goals: Vec::new(),
        parameters: spec.parameters.clone(),
        constraints: spec.constraints.clone(),
        scale_free: spec.scale_free.clone(),
        outcome_constraints: spec.outcome_constraints.clone(),
        in_force: Vec::new(),
        budget: summary.budget.trials,
        parallel: 1,
        results: trials.iter().cloned().filter_map(observation).collect(),
        pending: Vec::new(),
    }
}

/// A value; a number with no more digits than mean something, a truth value as in the experiment file.
pub(crate) fn number(value: &Value) -> String {
    match value {
        Value::Bool(_) => value.to_string(),
        _ => value.as_f64().map_or_else(|| value.to_string(), figure),
    }
}

/// "12 % [4, 31]"
pub(crate) fn percent(share: &Estimate) -> String {
    format!("{:.0} % [{:.0}, {:.0}]", share.mean * 100.0, share.low * 100.0, share.high * 100.0)
}

/// Where the mean objective is lowest and where it is highest, in words.
pub(crate) fn extremes(effect: &Effect) -> [String; 2] {
    let by = |a: &&Level, b: &&Level| a.objective.mean.total_cmp(&b.objective.mean);
    let told = |level: &Level| {
        let o = &level.objective;
        format!("{}: {} [{}, {}]", number(&level.value), figure(o.mean), figure(o.low), figure(o.high))
    };
    [effect.levels.iter().min_by(by), effect.levels.iter().max_by(by)]
        .map(|level| level.map_or_else(String::new, told))
}
