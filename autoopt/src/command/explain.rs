//! `autoopt explain`.

mod render;

use autoopt_optimizer::explain::ExplainError;

use super::reference;
use crate::client::Client;
use crate::fault::{Fault, Kind};
use crate::model::explained;
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
        let explanation = explained(&detail, &trials).map_err(|error| match error {
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
