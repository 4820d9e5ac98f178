//! `autoopt trial remeasure`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use autoopt_coordinator::api::view::{AttemptEnding, EpochDetail, TrialView};
use autoopt_epoch::measure::measure;
use autoopt_epoch::message::{Action, Artifact, Measure, Measurement, Stage, TrialKind};
use autoopt_worker_collect::readings::raw_values;

use super::super::validate;
use super::which::Which;
use crate::client::Client;
use crate::fault::{Fault, Kind};
use crate::show::{cell, figure, say, say_json, table};

/// Compute a trial's metrics again from the raw output that is stored; the store is left as it is
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  autoopt trial remeasure nova-weights#7
  autoopt trial remeasure nova-weights#7 --with changed.toml
")]
pub(crate) struct Remeasure {
    /// Its id, or EXPERIMENT#NUMBER
    trial: Which,
    /// With the metrics and the objective of this experiment file
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
}

impl Remeasure {
    pub(crate) async fn run(self, client: &Client, json: bool) -> Result<(), Fault> {
        let detail = client.trial(&self.trial.id(client).await?).await?;
        let experiment = detail.trial.experiment_id.to_string();
        let spec = match &self.with {
            Some(file) => validate::load(file)?,
            None => client.experiment(&experiment).await?.spec,
        };
        let trials = client.trials(&experiment).await?;
        let epoch =
            detail.epochs.iter().rfind(|epoch| epoch.attempts.iter().any(holds)).ok_or_else(|| {
                Fault::new(Kind::Missing, format!("{}: no raw output of it is stored", self.trial))
            })?;
        let asked = Measure {
            metrics: spec.metrics,
            objective: spec.objective,
            other_objectives: spec.other_objectives,
            outcome_constraints: spec.outcome_constraints,
            // the first baseline stands for itself
            baseline: baseline(&trials, epoch)
                .filter(|_| detail.trial.kind != TrialKind::Baseline || detail.trial.again),
        };
        let artifacts = artifacts(client, epoch).await?;
        let again = raw_values(&asked, &artifacts)
            .and_then(|raw| measure(&asked, &raw))
            .map_err(|failure| Fault::failed(format!("{}: {}", self.trial, failure.reason)))?;
        if json {
            say_json(&again);
        } else {
            say(compared(&detail.trial, &again));
        }
        Ok(())
    }
}

/// The first baseline of the epoch's cluster, or the first at all.
fn baseline(trials: &[TrialView], epoch: &EpochDetail) -> Option<BTreeMap<String, f64>> {
    let measured =
        || trials.iter().filter(|t| t.kind == TrialKind::Baseline && !t.again && !t.metrics.is_empty());
    let same = measured().find(|t| t.cluster.as_ref() == Some(&epoch.epoch.cluster));
    same.or_else(|| measured().next()).map(|trial| trial.metrics.clone())
}

/// Whether what it printed is what was measured.
fn holds(attempt: &autoopt_coordinator::api::view::AttemptView) -> bool {
    let measured = matches!(attempt.stage, Stage::Bench | Stage::Collect) && attempt.action == Action::Run;
    measured && attempt.ending != AttemptEnding::Superseded && !attempt.artifacts.is_empty()
}

async fn artifacts(client: &Client, epoch: &EpochDetail) -> Result<Vec<Artifact>, Fault> {
    let id = epoch.epoch.id.to_string();
    let mut all = Vec::new();
    for attempt in epoch.attempts.iter().filter(|attempt| holds(attempt)) {
        for artifact in &attempt.artifacts {
            let content = client.artifact(&id, attempt.step, attempt.attempt, &artifact.name).await?;
            all.push(Artifact::new(artifact.name.clone(), &content, artifact.truncated));
        }
    }
    Ok(all)
}

fn compared(stored: &TrialView, again: &Measurement) -> String {
    let mut shown = table(&["metric", "stored", "now"]);
    let known = |value: Option<&f64>| value.map_or_else(|| "-".to_owned(), |value| figure(*value));
    for (name, value) in &again.metrics {
        shown.add_row([cell(name), cell(known(stored.metrics.get(name))), cell(figure(*value))]);
    }
    shown.add_row([
        cell("(objective)"),
        cell(known(stored.objective.as_ref())),
        cell(figure(again.objective)),
    ]);
    shown.trim_fmt()
}
