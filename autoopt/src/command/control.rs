//! `autoopt pause`, `resume`, `stop` and `cancel`.

use super::reference;
use crate::client::Client;
use crate::fault::Fault;
use crate::show::{plain, say, say_json};

#[derive(Debug, clap::Args)]
pub(crate) struct Wish {
    /// Name (the newest of that name) or id
    #[arg(value_parser = reference)]
    experiment: String,
}

impl Wish {
    pub(crate) async fn run(self, client: &Client, verb: &str, json: bool) -> Result<(), Fault> {
        let detail = client.wish(&self.experiment, verb).await?;
        if json {
            say_json(&detail);
        } else {
            let now = super::phase(detail.summary.phase);
            say(format_args!("{}: {verb}: done; it is {now} now", plain(&detail.summary.name)));
        }
        Ok(())
    }
}
