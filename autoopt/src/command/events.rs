//! `autoopt events`.

use autoopt_epoch::message::Event;

use super::reference;
use crate::client::{Client, EventStream};
use crate::fault::Fault;
use crate::show::{plain, say, say_json_line};

/// Show what happened, and follow what happens
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  autoopt events                                   from now on
  autoopt events mariadb-oltp --after 0            the whole log of one experiment, and then from now on
  autoopt events mariadb-oltp --no-follow --json   the whole log, for a program
")]
pub(crate) struct Events {
    /// Only this experiment's: its name (the newest of that name) or id
    #[arg(value_parser = reference)]
    experiment: Option<String>,
    /// Begin after this position of the log; 0 is its start
    #[arg(long, value_name = "SEQ")]
    after: Option<i64>,
    /// End with what has happened so far; without --after all of it
    #[arg(long)]
    no_follow: bool,
}

impl Events {
    pub(crate) async fn run(self, client: &Client, json: bool) -> Result<(), Fault> {
        let experiment = self.experiment.as_deref();
        let print = |event: Event| {
            if json {
                say_json_line(&event);
            } else {
                say(line(&event));
            }
        };
        let from = if self.no_follow { Some(self.after.unwrap_or(0)) } else { self.after };
        let last = match from {
            Some(after) => Some(client.history(after, experiment, print).await?),
            None => None,
        };
        if self.no_follow {
            return Ok(());
        }
        EventStream::open(client, experiment, last).await?.follow(print).await
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
    if let Some(by) = &event.by {
        line.push_str(&format!(", by {by}"));
    }
    plain(&line)
}
