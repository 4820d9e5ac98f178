//! The commands, one file for each.

mod completions;
mod control;
mod dead_letters;
mod events;
mod init;
mod run;
mod schema;
mod submit;
mod validate;

use clap::{Parser, Subcommand};

use crate::client::{Client, Server};
use crate::fault::Fault;

/// Finds better values for a system's parameters by measuring it.
#[derive(Debug, Parser)]
#[command(
    name = "autoopt",
    version,
    after_help = "\
Exit codes: 0 done; 1 failed; 2 wrong usage; 65 the input is not right; 69 no coordinator answers; 77 not authorised.
"
)]
pub(crate) struct Autoopt {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Init(init::Init),
    Validate(validate::Validate),
    Schema(schema::Schema),
    Submit(submit::Submit),
    /// Begin no new epoch; running ones go on
    Pause(control::Wish),
    /// Go on after a pause
    Resume(control::Wish),
    /// Begin no new trial, let running ones end, then leave each cluster as the experiment says
    Stop(control::Wish),
    /// Abandon everything at once, then leave each cluster as the experiment says
    Cancel(control::Wish),
    Events(events::Events),
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLetters),
    Completions(completions::Completions),
}

impl Autoopt {
    /// Does it.
    pub(crate) async fn run(self) -> Result<(), Fault> {
        let client = || Client::new(&self.server);
        match self.command {
            Command::Run(run) => run.run().await,
            Command::Init(init) => init.run(),
            Command::Validate(validate) => validate.run(),
            Command::Schema(schema) => schema.run(),
            Command::Submit(submit) => submit.run(&client()?).await,
            Command::Pause(wish) => wish.run(&client()?, "pause").await,
            Command::Resume(wish) => wish.run(&client()?, "resume").await,
            Command::Stop(wish) => wish.run(&client()?, "stop").await,
            Command::Cancel(wish) => wish.run(&client()?, "cancel").await,
            Command::Events(events) => events.run(&client()?).await,
            Command::DeadLetters(command) => command.run().await,
            Command::Completions(completions) => completions.run(),
        }
    }
}

/// Writes a line to standard output. A reader that went away ends the program quietly, as other filters do.
pub(crate) fn say(text: impl std::fmt::Display) {
    use std::io::Write;
    if writeln!(std::io::stdout(), "{text}").is_err() {
        std::process::exit(0);
    }
}
