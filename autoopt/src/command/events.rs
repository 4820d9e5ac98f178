//! `autoopt events`.

use autoopt_epoch::message::Event;

use super::say;
use crate::client::Client;
use crate::fault::Fault;

/// Follow what happens, as it happens
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  autoopt events\n  autoopt events --experiment mariadb --after 0 --json\n"
)]
pub(crate) struct Events {
    /// Only this experiment's
    #[arg(long, value_name = "NAME")]
    experiment: Option<String>,
    /// Begin after this position of the log; 0 is its start
    #[arg(long, value_name = "SEQ")]
    after: Option<i64>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Events {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Fault> {
        client
            .follow(self.after, |event| {
                if self.experiment.is_some() && self.experiment != event.experiment {
                    return;
                }
                if self.json {
                    if let Ok(line) = serde_json::to_string(&event) {
                        say(line);
                    }
                } else {
                    say(line(&event));
                }
            })
            .await
    }
}

/// An event on one line, for people.
fn line(event: &Event) -> String {
    let mut line = format!("{:>6}  {}  {:<20}", event.seq, event.at, event.kind.as_str());
    if let Some(experiment) = &event.experiment {
        line.push_str(&format!("  {experiment}"));
    }
    if let Some(number) = event.number {
        line.push_str(&format!("#{number}"));
    }
    if let Some(cluster) = &event.cluster {
        line.push_str(&format!("  {cluster}"));
    }
    if let Some(stage) = event.stage {
        line.push_str(&format!("/{stage}"));
    }
    line.push_str(&format!("  {}", event.message));
    line
}
