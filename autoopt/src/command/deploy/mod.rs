//! `autoopt deploy`.

mod check;
mod definitions;
mod exported;
mod mend;
mod password;

use clap::Subcommand;

use crate::fault::Fault;

/// For those who run the services: the broker's definitions, and whether they are in force
#[derive(Debug, Subcommand)]
pub(crate) enum Deploy {
    Definitions(definitions::Definitions),
    Check(check::Check),
}

impl Deploy {
    pub(crate) async fn run(self, json: bool) -> Result<(), Fault> {
        match self {
            Self::Definitions(definitions) => definitions.run(json),
            Self::Check(check) => check.run(json).await,
        }
    }
}

/// What a file of credentials is called: the user's name and this.
const SUFFIX: &str = ".bus-url";
