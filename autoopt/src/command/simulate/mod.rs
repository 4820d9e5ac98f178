//! `autoopt simulate …`: simulated clouds.

mod record;

use autoopt_simulator::config::EXAMPLE;
use autoopt_simulator::remote;
use clap::Subcommand;

use crate::fault::Fault;
use crate::show::{put, say};

/// Clouds for `autoopt run --simulate=FILE`
#[derive(Debug, Subcommand)]
pub(crate) enum Simulate {
    /// Print a commented description of a cloud to start from
    Init,
    Record(record::Record),
    /// Let nova-scheduler of a running simulator read its configuration anew
    RestartScheduler {
        /// The running simulator
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8700")]
        url: String,
    },
}

impl Simulate {
    pub(crate) async fn run(self) -> Result<(), Fault> {
        match self {
            Self::Record(record) => record.run().await?,
            Self::Init => put(EXAMPLE.as_bytes()),
            Self::RestartScheduler { url } => {
                let answer = remote::restart_scheduler(&url).await;
                say(answer.map_err(|e| Fault::failed(format!("{e:#}")))?);
            }
        }
        Ok(())
    }
}
