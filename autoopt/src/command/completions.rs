//! `autoopt completions`.

use clap::CommandFactory;

use crate::fault::Fault;

/// Print a shell's completions
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  autoopt completions bash > ~/.local/share/bash-completion/completions/autoopt\n"
)]
pub(crate) struct Completions {
    /// Which shell's
    shell: clap_complete::Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<(), Fault> {
        let mut command = super::Autoopt::command();
        clap_complete::generate(self.shell, &mut command, "autoopt", &mut std::io::stdout());
        Ok(())
    }
}
