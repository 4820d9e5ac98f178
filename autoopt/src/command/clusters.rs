//! `autoopt clusters`.

use autoopt_coordinator::api::view::{ClusterHealth, ClusterView};
use autoopt_epoch::time::Timestamp;
use clap::Subcommand;

use super::reference;
use crate::client::Client;
use crate::fault::Fault;
use crate::show::{Tone, cell, plain, say, say_json, spell, table};

/// Show the clusters, or let a paused one go on
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  autoopt clusters\n  autoopt clusters resume east\n")]
pub(crate) struct Clusters {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show them (also without `list`)
    List,
    /// Let epochs begin again on a cluster that is paused after failures
    Resume {
        /// Its name
        #[arg(value_parser = reference)]
        cluster: String,
    },
}

impl Clusters {
    pub(crate) async fn run(self, client: &Client, json: bool) -> Result<(), Fault> {
        match self.command {
            None | Some(Command::List) => list(client, json).await,
            Some(Command::Resume { cluster }) => {
                let answer = client.resume_cluster(&cluster).await?;
                if json {
                    say_json(&answer);
                } else {
                    say(format_args!("{}: resumed", plain(&cluster)));
                }
                Ok(())
            }
        }
    }
}

async fn list(client: &Client, json: bool) -> Result<(), Fault> {
    let clusters = client.clusters().await?;
    if json {
        say_json(&serde_json::json!({ "clusters": clusters }));
        return Ok(());
    }
    if clusters.is_empty() {
        say("no clusters; a cluster is known once an experiment names it");
        return Ok(());
    }
    let experiments = client.experiments().await?.experiments;
    let now = Timestamp::now();
    let mut shown = table(&["cluster", "state", "experiment", "epoch"]);
    for cluster in &clusters {
        let (tone, text) = state(cluster, now);
        let holder = experiments.iter().find(|e| Some(e.id) == cluster.experiment_id);
        shown.add_row([
            cell(&cluster.name),
            tone.cell(text),
            cell(holder.map_or("-", |e| e.name.as_str())),
            cell(cluster.epoch.map_or_else(|| "-".into(), |epoch| epoch.to_string())),
        ]);
    }
    say(shown.trim_fmt());
    Ok(())
}

/// Whether epochs may begin there, in words.
pub(super) fn state(cluster: &ClusterView, now: Timestamp) -> (Tone, String) {
    let because = cluster.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    match cluster.health {
        ClusterHealth::Healthy if cluster.failures == 0 => (Tone::Good, "healthy".into()),
        ClusterHealth::Healthy => {
            let n = cluster.failures;
            (Tone::Bad, format!("healthy, after {n} {} in a row", plural(n, "failure")))
        }
        ClusterHealth::Paused => {
            let left = cluster.until.map(|until| format!(" for {}", spell(until.since(now))));
            (Tone::Bad, format!("paused{}{because}", left.unwrap_or_default()))
        }
        ClusterHealth::Trying => (Tone::Busy, format!("tried out with one epoch{because}")),
    }
}

fn plural(n: u32, word: &str) -> String {
    if n == 1 { word.into() } else { format!("{word}s") }
}
