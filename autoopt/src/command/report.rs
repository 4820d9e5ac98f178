//! `autoopt report`.

use std::path::PathBuf;

use autoopt_coordinator::api::view::TrialView;
use autoopt_epoch::message::TrialKind;
use autoopt_epoch::time::Timestamp;

use super::reference;
use crate::client::Client;
use crate::fault::Fault;
use crate::report::{Report as Content, page};
use crate::show::{put, say, say_json};

/// Write an experiment's result as one HTML page
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The page holds the claim with its interval, the values to set as commands, the search, what each parameter does by the model,
where servers landed, every trial, the environment and the experiment file. It needs no other file and no network. `autoopt run` writes one at its end. With --json the
same as JSON.

Examples:
  autoopt report mariadb-oltp -o mariadb-oltp.html
  autoopt report mariadb-oltp --json | jq .experiment.confirmation.claim
")]
pub(crate) struct Report {
    /// Name (the newest of that name) or id
    #[arg(value_parser = reference)]
    experiment: String,
    /// Where to write it; standard output without it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Report {
    pub(crate) async fn run(self, client: &Client, json: bool) -> Result<(), Fault> {
        let content = read(client, &self.experiment).await?;
        let bytes = match json {
            true => format!("{}\n", serde_json::to_string(&content).expect("views have text keys only")),
            false => page(&content),
        };
        let Some(file) = self.output else {
            put(bytes.as_bytes());
            return Ok(());
        };
        std::fs::write(&file, bytes)
            .map_err(|e| Fault::failed(format!("cannot write `{}`", file.display())).because(e))?;
        if json {
            say_json(&serde_json::json!({ "file": file }));
        } else {
            say(format_args!("`{}`", file.display()));
        }
        Ok(())
    }
}

async fn read(client: &Client, experiment: &str) -> Result<Content, Fault> {
    let detail = client.experiment(experiment).await?;
    let trials = client.trials(&detail.summary.id.to_string()).await?;
    let number = detail.summary.recommended.as_ref().map(|r| r.number);
    let mut before = Vec::new();
    for baseline in first_baselines(&trials) {
        before.push(client.trial(&baseline.id.to_string()).await?);
    }
    let after = match trials.iter().find(|t| Some(t.number) == number) {
        Some(trial) => Some(client.trial(&trial.id.to_string()).await?),
        None => None,
    };
    Ok(Content::new(detail, trials, &before, after.as_ref(), Timestamp::now()))
}

/// Those that were measured: one for each cluster.
pub(super) fn first_baselines(trials: &[TrialView]) -> impl Iterator<Item = &TrialView> {
    trials.iter().filter(|t| t.kind == TrialKind::Baseline && !t.again && t.objective.is_some())
}
