//! `autoopt trial`.

mod remeasure;
mod show;
mod submit;
mod which;

use clap::Subcommand;

use crate::client::Client;
use crate::fault::Fault;
use crate::show::{say, say_json};
use which::Which;

/// Submit a trial by hand, look at one, or cancel one
#[derive(Debug, Subcommand)]
pub(crate) enum Trial {
    Submit(submit::Submit),
    /// Show a trial: values, metrics, and what became of each attempt
    #[command(after_help = "Examples:\n  autoopt trial show mariadb-oltp#7\n")]
    Show {
        /// Its id, or EXPERIMENT#NUMBER
        trial: Which,
    },
    Remeasure(remeasure::Remeasure),
    /// Give a trial up; what it has changed is undone
    #[command(after_help = "Examples:\n  autoopt trial cancel mariadb-oltp#7\n")]
    Cancel {
        /// Its id, or EXPERIMENT#NUMBER
        trial: Which,
    },
}

impl Trial {
    pub(crate) async fn run(self, client: &Client, json: bool) -> Result<(), Fault> {
        match self {
            Self::Remeasure(remeasure) => remeasure.run(client, json).await,
            Self::Submit(submit) => submit.run(client, json).await,
            Self::Show { trial } => {
                let detail = client.trial(&trial.id(client).await?).await?;
                if json {
                    say_json(&detail);
                } else {
                    say(show::describe(&detail));
                }
                Ok(())
            }
            Self::Cancel { trial } => {
                let answer = client.cancel_trial(&trial.id(client).await?).await?;
                if json {
                    say_json(&answer);
                } else {
                    say(format_args!("{trial}: cancelled"));
                }
                Ok(())
            }
        }
    }
}
