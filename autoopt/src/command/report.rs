//! `autoopt report`.

use std::path::PathBuf;

use autoopt_coordinator::api::view::{TrialDetail, TrialView};
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
The page holds the claim with its interval, the values to set as commands, the search, where servers landed, every trial, the
environment and the experiment file. It needs no other file and no network. `autoopt run` writes one at its end. With --json the
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
    let before = show(client, first_baseline(&trials)).await?;
    let after = show(client, trials.iter().find(|t| Some(t.number) == number)).await?;
    Ok(Content::new(detail, trials, before.as_ref(), after.as_ref(), Timestamp::now()))
}

/// The first one that was measured.
pub(super) fn first_baseline(trials: &[TrialView]) -> Option<&TrialView> {
    trials.iter().find(|t| t.kind == TrialKind::Baseline && !t.again && t.objective.is_some())
}

async fn show(client: &Client, trial: Option<&TrialView>) -> Result<Option<TrialDetail>, Fault> {
    match trial {
        Some(trial) => client.trial(&trial.id.to_string()).await.map(Some),
        None => Ok(None),
    }
}
