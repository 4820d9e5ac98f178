//! `autoopt dead-letters`.

use std::time::Duration;

use autoopt_epoch::bus::BusError;
use autoopt_epoch::bus::amqp::dead_letters;
use autoopt_epoch::id::MessageId;
use clap::Subcommand;

use crate::fault::{Fault, Kind};
use crate::show::{cell, say, say_json, table};

/// Longer than a slow broker takes for a full queue.
const PATIENCE: Duration = Duration::from_secs(20);

/// Messages nobody could use: look at them, or send them again
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// Show them, oldest first; they stay where they are
    List {
        #[command(flatten)]
        bus: Bus,
        /// At most this many
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Send them again with their first routing key, once the cause is gone
    #[command(after_help = "Example:\n  autoopt dead-letters requeue 0198f6a0-52f1-7cc0-a1d5-6b1f3c5c9a10\n")]
    Requeue {
        #[command(flatten)]
        bus: Bus,
        /// The one with this id, as `list` shows it
        #[arg(required_unless_present = "all")]
        id: Option<MessageId>,
        /// All that are there now
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
}

/// Where the broker is.
#[derive(Debug, clap::Args)]
pub(crate) struct Bus {
    /// Address of the broker
    #[arg(
        long,
        env = "AUTOOPT_BUS__URL",
        default_value = "amqp://guest:guest@127.0.0.1:5672/%2f",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(super) bus: String,
}

impl DeadLetters {
    pub(crate) async fn run(self, json: bool) -> Result<(), Fault> {
        match self {
            Self::List { bus, limit } => {
                let letters = soon(dead_letters::list(&bus.bus, limit)).await?;
                if json {
                    say_json(&letters);
                } else if letters.is_empty() {
                    say("no dead letters");
                } else {
                    let mut shown = table(&["id", "when", "routing key", "reason"]);
                    for letter in letters {
                        shown.add_row([
                            cell(letter.id.map_or_else(|| "-".into(), |id| id.to_string())),
                            cell(letter.at.map_or_else(|| "-".into(), |at| at.to_string())),
                            cell(letter.routing_key),
                            cell(letter.reason),
                        ]);
                    }
                    say(shown.trim_fmt());
                }
                Ok(())
            }
            Self::Requeue { bus, id, all: _ } => {
                let count = soon(dead_letters::requeue(&bus.bus, id)).await?;
                if count == 0
                    && let Some(id) = id
                {
                    return Err(Fault::failed(format!("no dead letter has the id {id}"))
                        .next("autoopt dead-letters list shows those that are there"));
                }
                if json {
                    say_json(&serde_json::json!({ "requeued": count }));
                } else {
                    say(format_args!("{count} sent again"));
                }
                Ok(())
            }
        }
    }
}

/// The bus waits for a broker as long as it takes; a person does not.
async fn soon<T>(work: impl Future<Output = Result<T, BusError>>) -> Result<T, Fault> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done.map_err(unusable),
        Err(_) => {
            Err(Fault::new(Kind::Unreachable, format!("no broker answered within {} s", PATIENCE.as_secs()))
                .next("check that RabbitMQ runs there: --bus URL, or AUTOOPT_BUS__URL"))
        }
    }
}

pub(super) fn unusable(error: BusError) -> Fault {
    let kind = if matches!(error, BusError::Down(_)) { Kind::Unreachable } else { Kind::Failed };
    Fault::new(kind, "cannot use the broker")
        .because(error)
        .next("check that RabbitMQ runs there: --bus URL, or AUTOOPT_BUS__URL")
}
