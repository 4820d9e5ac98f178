//! What an experiment came to.

use autoopt_coordinator::api::render;
use autoopt_coordinator::api::view::ExperimentSummary;
use autoopt_coordinator::machine::Experiment;
use autoopt_coordinator::store::Store;
use autoopt_epoch::id::ExperimentId;
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
        let baselines = store.baselines(Some(id)).await.map_err(unreadable)?.remove(&id).unwrap_or_default();
        let found = baselines.iter().find(|t| !t.measurements.is_empty()).map(|t| t.parameters.clone());
        Ok(Self { view: render::experiment(&experiment, &baselines), found, experiment })
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
