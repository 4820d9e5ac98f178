//! `autoopt man`.

use std::path::PathBuf;

use clap::CommandFactory;

use crate::fault::Fault;

/// Write the manual pages, one for each command
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  autoopt man ~/.local/share/man/man1 && man autoopt-run\n")]
pub(crate) struct Man {
    /// The folder
    folder: PathBuf,
}

impl Man {
    pub(crate) fn run(self) -> Result<(), Fault> {
        let command = super::Autoopt::command();
        std::fs::create_dir_all(&self.folder)
            .and_then(|()| clap_mangen::generate_to(command, &self.folder))
            .map_err(|error| {
                Fault::failed(format!("cannot write to {}", self.folder.display()))
                    .because(error)
                    .next("name a folder of your own")
            })
    }
}
