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
#[command(
    after_help = "Examples:\n  autoopt clusters\n  autoopt clusters resume east\n  autoopt clusters resume east --keep-leaks\n"
)]
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
        /// What an epoch left behind there is to stay; without it, it has to be gone before anything else is measured there
        #[arg(long)]
        keep_leaks: bool,
    },
}

impl Clusters {
    pub(crate) async fn run(self, client: &Client, json: bool) -> Result<(), Fault> {
        match self.command {
            None | Some(Command::List) => list(client, json).await,
            Some(Command::Resume { cluster, keep_leaks }) => {
                let answer = client.resume_cluster(&cluster, keep_leaks).await?;
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
    for cluster in &clusters {
        if let Some(text) = leaked(cluster) {
            say(format_args!("\n{text}"));
        }
    }
    Ok(())
}

/// Whether epochs may begin there, in words.
pub(crate) fn state(cluster: &ClusterView, now: Timestamp) -> (Tone, String) {
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

/// What was left behind there, and what removes it; a line for each.
pub(super) fn leaked(cluster: &ClusterView) -> Option<String> {
    let leaked = cluster.leaked.as_ref()?;
    let (name, experiment) = (plain(&cluster.name), plain(&leaked.experiment));
    let mut text = format!(
        "{name}: left behind by epoch {} of {experiment}, {}; nothing is measured there until it is gone:",
        leaked.epoch, leaked.since
    );
    for leak in &leaked.leaks {
        text.push_str(&format!("\n  {}    {}", Tone::Bad.paint(&plain(&leak.what)), plain(&leak.remedy)));
    }
    Some(text)
}

fn plural(n: u32, word: &str) -> String {
    if n == 1 { word.into() } else { format!("{word}s") }
}
