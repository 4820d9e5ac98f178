//! What an experiment came to.

use autoopt_coordinator::api::render;
use autoopt_coordinator::api::view::ExperimentSummary;
use autoopt_coordinator::machine::Experiment;
use autoopt_coordinator::store::Store;
use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::id::ExperimentId;

use super::super::status::on_front;
use crate::fault::Fault;
use crate::show::change;
use crate::standing::unconfirmed;

/// An experiment of this process's own store.
pub(super) struct Summary {
    /// As the HTTP API has it.
    pub(super) view: ExperimentSummary,
    pub(super) experiment: Experiment,
}

impl Summary {
    pub(super) async fn read(store: &Store, id: ExperimentId) -> Result<Self, Fault> {
        let unreadable = |e| Fault::failed("the store cannot be read").because(e);
        let experiment = store.experiment(id).await.map_err(unreadable)?;
        let experiment = experiment.ok_or_else(|| Fault::failed("the experiment is not in the store"))?;
        let baselines = store.baselines(Some(id)).await.map_err(unreadable)?.remove(&id).unwrap_or_default();
        let view = render::experiment(&experiment, &baselines);
        Ok(Self { view, experiment })
    }

    /// How the search went, and what it found.
    pub(super) fn text(&self) -> String {
        let e = &self.view;
        let counts: Vec<String> = e.outcomes.iter().map(|(o, n)| format!("{n} {o}")).collect();
        format!(
            "`{}`: {} trials ({})\n{}",
            e.name,
            e.accepted,
            counts.join(", "),
            gain(e, &self.experiment.spec)
        )
    }
}

fn gain(e: &ExperimentSummary, spec: &ExperimentSpec) -> String {
    let baseline = e.baseline.values().next().map_or_else(|| "unknown".into(), |value| format!("{value:.6}"));
    let shown = || e.confirmation.as_ref().map_or_else(|| unconfirmed(e, spec), |c| c.told.clone());
    match &e.best {
        _ if !e.front.is_empty() => format!("the front: {}\n{}", on_front(e), shown()),
        Some(best) if best.number > 0 => {
            let gain = e.gain.map(|gain| format!(" ({})", change(gain))).unwrap_or_default();
            format!(
                "best: trial {} with {:.6}, baseline {baseline}{gain}\n{}",
                best.number,
                best.objective,
                shown()
            )
        }
        _ => format!("nothing beat the baseline ({baseline})"),
    }
}
