//! `autoopt schema`.

use autoopt_epoch::message::schema;

use crate::fault::{Fault, Kind};
use crate::show::say;

/// Print the JSON Schema of an experiment file or a message
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  autoopt schema experiment\n")]
pub(crate) struct Schema {
    /// `experiment`, or the name of a message
    name: String,
}

impl Schema {
    pub(crate) fn run(self) -> Result<(), Fault> {
        let schema = schema::schema(&self.name).ok_or_else(|| {
            let known = schema::NAMES.join(", ");
            Fault::new(Kind::Input, format!("there is no schema `{}`; there are {known}", self.name))
        })?;
        say(format_args!("{schema:#}"));
        Ok(())
    }
}
