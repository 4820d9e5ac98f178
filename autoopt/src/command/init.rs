//! `autoopt init`.

use std::path::PathBuf;

use autoopt_epoch::experiment::init_template;

use crate::fault::{Fault, Kind};
use crate::show::{say, say_json};

/// Write a commented experiment file to start from
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  autoopt init experiment.toml\n")]
pub(crate) struct Init {
    /// Where to write it; standard output without it
    file: Option<PathBuf>,
}

impl Init {
    pub(crate) fn run(self, json: bool) -> Result<(), Fault> {
        let Some(file) = self.file else {
            say(init_template().trim_end());
            return Ok(());
        };
        let name = file.display().to_string();
        std::fs::File::create_new(&file)
            .and_then(|mut f| std::io::Write::write_all(&mut f, init_template().as_bytes()))
            .map_err(|e| Fault::new(Kind::Input, format!("cannot write `{name}`")).because(e))?;
        if json {
            say_json(&serde_json::json!({ "file": file }));
            return Ok(());
        }
        say(format_args!("`{name}`: written; edit it, then `autoopt validate {name}`"));
        Ok(())
    }
}
