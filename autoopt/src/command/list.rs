//! `autoopt list`.

use autoopt_coordinator::machine::Phase;
use autoopt_epoch::time::Timestamp;

use crate::client::Client;
use crate::fault::Fault;
use crate::show::{Tone, ago, cell, change, figure, say, say_json, table};

/// Show the experiments, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  autoopt list\n  autoopt list --open --json\n")]
pub(crate) struct List {
    /// Only those that have not ended
    #[arg(long)]
    open: bool,
}

impl List {
    pub(crate) async fn run(self, client: &Client, json: bool) -> Result<(), Fault> {
        let mut list = client.experiments().await?;
        list.experiments.retain(|e| !self.open || e.phase != Phase::Ended);
        if json {
            say_json(&list);
            return Ok(());
        }
        if list.experiments.is_empty() {
            say("no experiments; `autoopt submit FILE` hands one to the coordinator");
            return Ok(());
        }
        let now = Timestamp::now();
        let mut shown = table(&["name", "phase", "trials", "best", "gain", "started", "clusters", "id"]);
        for e in list.experiments {
            let done: u32 = e.outcomes.values().sum();
            shown.add_row([
                cell(&e.name),
                Tone::of_phase(e.phase).cell(super::phase(e.phase)),
                cell(format!("{done}/{}", e.budget.trials)),
                cell(e.best.map_or_else(|| "-".into(), |best| figure(best.objective))),
                cell(e.gain.map_or_else(|| "-".into(), change)),
                cell(ago(now, e.started)),
                cell(e.clusters.join(", ")),
                cell(e.id),
            ]);
        }
        say(shown.trim_fmt());
        Ok(())
    }
}
