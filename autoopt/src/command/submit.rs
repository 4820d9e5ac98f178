//! `autoopt submit`.

use std::path::PathBuf;

use super::say;
use crate::client::Client;
use crate::fault::{Fault, Kind};

/// Hand an experiment to the coordinator
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  autoopt submit experiment.toml && autoopt events\n")]
pub(crate) struct Submit {
    /// The experiment file
    file: PathBuf,
    /// Print the coordinator's answer as JSON
    #[arg(long)]
    json: bool,
}

impl Submit {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Fault> {
        let file = self.file.display();
        let text = std::fs::read_to_string(&self.file)
            .map_err(|e| Fault::new(Kind::Input, format!("cannot read `{file}`")).because(e))?;
        // the coordinator checks what the file says; here it only has to be TOML
        let spec: serde_json::Value = toml::from_str(&text)
            .map_err(|e| Fault::new(Kind::Input, format!("`{file}` is not TOML")).because(e))?;
        let answer = client.post("/v1/experiments", Some(&spec)).await?;
        if self.json {
            say(answer);
        } else {
            say(format_args!("`{file}`: submitted; follow it with `autoopt events`"));
        }
        Ok(())
    }
}
