//! What an experiment came to.

use std::fmt::Write;

use autoopt_coordinator::machine::{Experiment, TrialState};
use autoopt_coordinator::store::Store;
use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::TrialKind;
use comfy_table::Table;

use crate::fault::Fault;

/// The best values beside the ones that were found, and the gain.
pub(super) async fn summary(store: &Store, id: ExperimentId) -> Result<String, Fault> {
    let unreadable = |e| Fault::failed("the store cannot be read").because(e);
    let experiment = store.experiment(id).await.map_err(unreadable)?;
    let experiment = experiment.ok_or_else(|| Fault::failed("the experiment is not in the store"))?;
    let mut baselines = Vec::new();
    for trial in store.trials(id, None, u64::from(u32::MAX)).await.map_err(unreadable)? {
        if let (TrialKind::Baseline, TrialState::Ended { observation: Some(o), .. }) =
            (trial.kind, trial.state)
        {
            baselines.extend(o.objective.map(|objective| (objective, o.parameters)));
        }
    }
    let Some((baseline, found)) = baselines.first() else {
        return Err(Fault::failed("the baseline could not be measured")
            .next("see the reasons above; `autoopt validate` checks the file, not the programs"));
    };
    let counts: Vec<String> = experiment.outcomes.iter().map(|(o, n)| format!("{n} {o}")).collect();
    let mut text =
        format!("`{}`: {} trials ({})\n", experiment.spec.name, experiment.accepted, counts.join(", "));
    text.push_str(&gain(&experiment, *baseline));
    if let Some(best) = experiment.best.as_ref().filter(|b| b.number > 0) {
        let mut table = Table::new();
        table.set_header(["parameter", "found", "best", "unit"]);
        for parameter in &experiment.spec.parameters {
            let of = |values: &autoopt_epoch::space::Parameters| {
                values.get(&parameter.name).map(ToString::to_string).unwrap_or_default()
            };
            let unit = parameter.unit.clone().unwrap_or_default();
            table.add_row([parameter.name.clone(), of(found), of(&best.parameters), unit]);
        }
        let _ = write!(text, "\n{table}");
    }
    Ok(text)
}

fn gain(experiment: &Experiment, baseline: f64) -> String {
    match &experiment.best {
        Some(best) if best.number > 0 => {
            let change = (best.objective - baseline) / baseline.abs() * 100.0;
            let change = if change.is_finite() { format!(" ({change:+.1} %)") } else { String::new() };
            format!(
                "best: trial {} with {:.6}, baseline {baseline:.6}{change}; one measurement of each, not yet confirmed",
                best.number, best.objective
            )
        }
        _ => format!("nothing beat the baseline ({baseline:.6})"),
    }
}
