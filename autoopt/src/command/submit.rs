//! `autoopt submit`.

use std::path::PathBuf;

use autoopt_epoch::experiment::WarmStart;

use super::{warm_start, watch};
use crate::client::Client;
use crate::fault::{Fault, Kind};
use crate::show::{plain, say, say_json};

/// Hand an experiment to the coordinator
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  autoopt submit experiment.toml\n  autoopt submit experiment.toml --watch\n"
)]
pub(crate) struct Submit {
    /// The experiment file
    file: PathBuf,
    /// Follow it to its end, as `autoopt watch` does
    #[arg(long)]
    watch: bool,
}

impl Submit {
    pub(crate) async fn run(self, client: &Client, json: bool) -> Result<(), Fault> {
        let file = self.file.display();
        let text = std::fs::read_to_string(&self.file)
            .map_err(|e| Fault::new(Kind::Input, format!("cannot read `{file}`")).because(e))?;
        // the coordinator checks what the file says; here it only has to be TOML, with the files it names read
        let mut spec: serde_json::Value = toml::from_str(&text)
            .map_err(|e| Fault::new(Kind::Input, format!("`{file}` is not TOML")).because(e))?;
        if let Some(given) = spec.pointer_mut("/algorithm/warm_start")
            && let Ok(mut earlier) = serde_json::from_value::<Vec<WarmStart>>(given.clone())
        {
            warm_start::read(&mut earlier, &self.file)?;
            *given = serde_json::to_value(earlier).map_err(|e| Fault::failed("`warm_start`").because(e))?;
        }
        let detail = client.submit(&spec).await?;
        if self.watch {
            // a new experiment's log is short: from its very beginning
            return watch::watch(client, detail, Some(0), json).await;
        }
        if json {
            say_json(&detail);
        } else {
            let name = plain(&detail.summary.name);
            say(format_args!("`{name}`: submitted; follow it with `autoopt watch {name}`"));
        }
        Ok(())
    }
}
