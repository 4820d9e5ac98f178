//! `autoopt pause`, `resume`, `stop` and `cancel`.

use super::say;
use crate::client::Client;
use crate::fault::Fault;

#[derive(Debug, clap::Args)]
pub(crate) struct Wish {
    /// Name (the newest of that name) or id
    experiment: String,
    /// Print the coordinator's answer as JSON
    #[arg(long)]
    json: bool,
}

impl Wish {
    pub(crate) async fn run(self, client: &Client, verb: &str) -> Result<(), Fault> {
        let answer = client.post(&format!("/v1/experiments/{}/{verb}", self.experiment), None).await?;
        if self.json {
            say(answer);
        } else {
            say(format_args!("{}: {verb}: done", self.experiment));
        }
        Ok(())
    }
}
