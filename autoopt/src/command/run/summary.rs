//! What an experiment came to.

use std::collections::BTreeMap;

use autoopt_coordinator::api::view::{BestView, ExperimentSummary};
use autoopt_coordinator::machine::{Experiment, TrialState};
use autoopt_coordinator::store::Store;
use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::TrialKind;
use autoopt_epoch::space::Parameters;
use comfy_table::Table;

use crate::fault::Fault;
use crate::show::{cell, change};

/// An experiment of this process's own store.
pub(super) struct Summary {
    /// As the HTTP API has it.
    pub(super) view: ExperimentSummary,
    /// The values that were in force before.
    found: Option<Parameters>,
    experiment: Experiment,
}

impl Summary {
    pub(super) async fn read(store: &Store, id: ExperimentId) -> Result<Self, Fault> {
        let unreadable = |e| Fault::failed("the store cannot be read").because(e);
        let experiment = store.experiment(id).await.map_err(unreadable)?;
        let experiment = experiment.ok_or_else(|| Fault::failed("the experiment is not in the store"))?;
        let mut baselines = BTreeMap::new();
        let mut found = None;
        // baselines and closings, one of each for a cluster, come before all other trials
        let first = 2 * experiment.spec.clusters.len();
        for trial in store.trials(id, None, first as u64).await.map_err(unreadable)? {
            if let (TrialKind::Baseline, TrialState::Ended { observation: Some(o), .. }) =
                (trial.kind, trial.state)
                && let (Some(objective), Some(cluster)) = (o.objective, trial.cluster)
            {
                baselines.insert(cluster, objective);
                found.get_or_insert(o.parameters);
            }
        }
        Ok(Self { view: view(&experiment, baselines), found, experiment })
    }

    /// The best values beside the ones that were found, and the gain.
    pub(super) fn text(&self) -> String {
        let e = &self.view;
        let counts: Vec<String> = e.outcomes.iter().map(|(o, n)| format!("{n} {o}")).collect();
        let mut text = format!("`{}`: {} trials ({})\n", e.name, e.accepted, counts.join(", "));
        text.push_str(&gain(e));
        let Some(best) = e.best.as_ref().filter(|b| b.number > 0) else { return text };
        let mut shown = Table::new();
        shown.set_header(["parameter", "found", "best", "unit"]);
        for parameter in &self.experiment.spec.parameters {
            let of = |values: Option<&Parameters>| {
                values.and_then(|v| v.get(&parameter.name)).map(ToString::to_string).unwrap_or_default()
            };
            shown.add_row([
                cell(&parameter.name),
                cell(of(self.found.as_ref())),
                cell(of(Some(&best.parameters))),
                cell(parameter.unit.as_deref().unwrap_or_default()),
            ]);
        }
        text.push_str(&format!("\n{shown}"));
        text
    }
}

fn view(e: &Experiment, baseline: BTreeMap<String, f64>) -> ExperimentSummary {
    let goal = e.spec.objective.goal();
    let mean = baseline.values().sum::<f64>() / baseline.len() as f64;
    let gain = e.best.as_ref().map(|best| goal.sign() * (best.objective - mean) / mean.abs());
    ExperimentSummary {
        id: e.id,
        name: e.spec.name.clone(),
        phase: e.phase,
        reason: e.reason.clone(),
        goal,
        budget: e.spec.budget.clone(),
        clusters: e.spec.clusters.clone(),
        accepted: e.accepted,
        outcomes: e.outcomes.clone(),
        best: e.best.as_ref().map(|best| BestView {
            trial: best.trial,
            number: best.number,
            objective: best.objective,
            parameters: best.parameters.clone(),
        }),
        baseline,
        // without a baseline, or with one of 0, it is no number
        gain: gain.filter(|gain| gain.is_finite()),
        started: e.submitted,
        ended: e.ended,
    }
}

fn gain(e: &ExperimentSummary) -> String {
    let baseline = e.baseline.values().next().map_or_else(|| "unknown".into(), |value| format!("{value:.6}"));
    match &e.best {
        Some(best) if best.number > 0 => {
            let gain = e.gain.map(|gain| format!(" ({})", change(gain))).unwrap_or_default();
            format!(
                "best: trial {} with {:.6}, baseline {baseline}{gain}; one measurement of each, not yet confirmed",
                best.number, best.objective
            )
        }
        _ => format!("nothing beat the baseline ({baseline})"),
    }
}
