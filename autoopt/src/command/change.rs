//! `autoopt change`.

use autoopt_coordinator::machine;
use autoopt_epoch::time::Period;

use super::reference;
use crate::client::Client;
use crate::fault::Fault;
use crate::show::{plain, say, say_json};

/// Give an experiment whose search goes on another budget, priority, or other clusters
#[derive(Debug, clap::Args)]
#[command(
    after_help = "\
A cluster that joins has its baseline measured first. On one that leaves, what runs ends; then it is left as the experiment
says, and another experiment can have it. What was measured there counts on. An experiment with a higher priority takes
the clusters that it names over after the running epoch.

Examples:
  autoopt change nova-weights --trials 60
  autoopt change nova-weights --join lab3 --leave lab1
  autoopt change nova-weights --wall-time 36h
  autoopt change nova-weights --priority 5
",
    group = clap::ArgGroup::new("what").required(true).multiple(true)
)]
pub(crate) struct Change {
    /// Name (the newest of that name) or id
    #[arg(value_parser = reference)]
    experiment: String,
    /// So many trials in all, those so far included
    #[arg(long, value_name = "N", group = "what")]
    trials: Option<u32>,
    /// No new trial after so long from its submission, such as 36h
    #[arg(long, value_name = "TIME", group = "what")]
    wall_time: Option<Period>,
    /// Beside other experiments on its clusters, the higher one goes first
    #[arg(long, value_name = "N", group = "what", allow_negative_numbers = true)]
    priority: Option<i32>,
    /// A cluster to run on as well; may be given more than once
    #[arg(long, value_name = "CLUSTER", group = "what")]
    join: Vec<String>,
    /// A cluster to leave; may be given more than once
    #[arg(long, value_name = "CLUSTER", group = "what")]
    leave: Vec<String>,
}

impl Change {
    pub(crate) async fn run(self, client: &Client, json: bool) -> Result<(), Fault> {
        let change = machine::Change {
            trials: self.trials,
            wall_time: self.wall_time,
            priority: self.priority,
            join: self.join.into_iter().collect(),
            leave: self.leave.into_iter().collect(),
        };
        let detail = client.change(&self.experiment, &change).await?;
        if json {
            say_json(&detail);
        } else {
            let (name, spec) = (plain(&detail.summary.name), &detail.spec);
            let priority = match spec.priority {
                0 => String::new(),
                n => format!(", priority {n}"),
            };
            let (trials, clusters) = (spec.budget.trials, spec.clusters.join(", "));
            say(format_args!("{name}: {trials} trials on {clusters} now{priority}"));
        }
        Ok(())
    }
}
