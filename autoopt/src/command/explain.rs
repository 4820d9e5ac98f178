//! `autoopt explain`.

mod render;

use autoopt_coordinator::api::view::{ExperimentDetail, TrialView};
use autoopt_epoch::id::AskId;
use autoopt_epoch::message::Ask;
use autoopt_optimizer::explain::{ExplainError, explain};

use super::reference;
use super::warm_start::observation;
use crate::client::Client;
use crate::fault::{Fault, Kind};
use crate::show::{say, say_json};

/// Say what the optimizer's model thinks of an experiment's results
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A model is fitted to the results here, whatever algorithm proposed the trials: which values it recommends and how far they may be
left, what each parameter does (main effect and Sobol indices), what parameters do together, how well results are predicted that were
left out, and what the data do not support. Numbers in brackets are 90 % intervals.

Examples:
  autoopt explain mariadb-oltp
  autoopt explain mariadb-oltp --json | jq '.effects[] | {parameter, total}'
")]
pub(crate) struct Explain {
    /// Name (the newest of that name) or id
    #[arg(value_parser = reference)]
    experiment: String,
}

impl Explain {
    pub(crate) async fn run(self, client: &Client, json: bool) -> Result<(), Fault> {
        let detail = client.experiment(&self.experiment).await?;
        let trials = client.trials(&detail.summary.id.to_string()).await?;
        let explanation = explain(&ask(&detail, trials)).map_err(|error| match error {
            ExplainError::TooFew { .. } => Fault::new(Kind::Failed, "too little is known").because(error),
            _ => Fault::new(Kind::Failed, "the results cannot be modelled").because(error),
        })?;
        if json {
            say_json(&explanation);
        } else {
            say(render::describe(&detail, &explanation));
        }
        Ok(())
    }
}

/// The question that the optimizer would be asked now.
fn ask(detail: &ExperimentDetail, trials: Vec<TrialView>) -> Ask {
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
        results: trials.into_iter().filter_map(observation).collect(),
        pending: Vec::new(),
    }
}
