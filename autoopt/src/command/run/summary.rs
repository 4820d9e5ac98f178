//! What an experiment came to.

use std::collections::BTreeMap;

use autoopt_coordinator::api::render;
use autoopt_coordinator::api::view::ExperimentSummary;
use autoopt_coordinator::machine::{Experiment, Trial};
use autoopt_coordinator::store::Store;
use autoopt_epoch::id::{ExperimentId, TrialId};
use autoopt_epoch::message::Stage;
use autoopt_epoch::space::Parameters;
use comfy_table::Table;
use serde_json::Value;

use crate::fault::Fault;
use crate::show::{cell, change};
use crate::standing::UNCONFIRMED;

/// An experiment of this process's own store.
pub(super) struct Summary {
    /// As the HTTP API has it.
    pub(super) view: ExperimentSummary,
    /// The first baseline that was measured.
    baseline: Option<Trial>,
    pub(super) experiment: Experiment,
}

impl Summary {
    pub(super) async fn read(store: &Store, id: ExperimentId) -> Result<Self, Fault> {
        let unreadable = |e| Fault::failed("the store cannot be read").because(e);
        let experiment = store.experiment(id).await.map_err(unreadable)?;
        let experiment = experiment.ok_or_else(|| Fault::failed("the experiment is not in the store"))?;
        let baselines = store.baselines(Some(id)).await.map_err(unreadable)?.remove(&id).unwrap_or_default();
        let view = render::experiment(&experiment, &baselines);
        let baseline = baselines.into_iter().find(|trial| !trial.measurements.is_empty());
        Ok(Self { view, baseline, experiment })
    }

    /// Where the servers of the baseline and of the best trial landed, if there were any.
    pub(super) async fn placement(&self, store: &Store) -> Result<Option<Table>, Fault> {
        let before = self.baseline.as_ref().map(|trial| trial.id);
        let best = self.view.best.as_ref().filter(|best| best.number > 0).map(|best| best.trial);
        let (before, best) = (hosts(store, before).await?, hosts(store, best).await?);
        if best.is_empty() {
            return Ok(None);
        }
        let mut shown = Table::new();
        shown.set_header(["server", "baseline on", "best on"]);
        for (server, host) in &best {
            let before = before.get(server).map(String::as_str).unwrap_or_default();
            shown.add_row([cell(server), cell(before), cell(host)]);
        }
        Ok(Some(shown))
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
                cell(of(self.baseline.as_ref().map(|trial| &trial.parameters))),
                cell(of(Some(&best.parameters))),
                cell(parameter.unit.as_deref().unwrap_or_default()),
            ]);
        }
        text.push_str(&format!("\n{shown}"));
        text
    }
}

/// The host of each server that the bench stage placed in the last measured epoch of a trial.
async fn hosts(store: &Store, trial: Option<TrialId>) -> Result<BTreeMap<String, String>, Fault> {
    let Some(trial) = trial else { return Ok(BTreeMap::new()) };
    let epochs =
        store.epochs(trial).await.map_err(|e| Fault::failed("the store cannot be read").because(e))?;
    let measured = epochs.iter().rfind(|epoch| epoch.measurement.is_some());
    let placement =
        measured.and_then(|epoch| epoch.outputs.get(&Stage::Bench)?.get("placement")?.as_object());
    let named = |(server, host): (&String, &Value)| Some((server.clone(), host.as_str()?.to_owned()));
    Ok(placement.into_iter().flatten().filter_map(named).collect())
}

fn gain(e: &ExperimentSummary) -> String {
    let baseline = e.baseline.values().next().map_or_else(|| "unknown".into(), |value| format!("{value:.6}"));
    match &e.best {
        Some(best) if best.number > 0 => {
            let gain = e.gain.map(|gain| format!(" ({})", change(gain))).unwrap_or_default();
            let shown = e.confirmation.as_ref().map_or(UNCONFIRMED, |c| c.told.as_str());
            format!(
                "best: trial {} with {:.6}, baseline {baseline}{gain}\n{shown}",
                best.number, best.objective
            )
        }
        _ => format!("nothing beat the baseline ({baseline})"),
    }
}
