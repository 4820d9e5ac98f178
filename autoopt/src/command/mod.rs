//! The commands, one file for each.

mod change;
pub(crate) mod clusters;
mod completions;
mod control;
mod dead_letters;
mod deploy;
mod doctor;
mod events;
mod explain;
mod export;
mod init;
mod knobs;
mod list;
mod logs;
mod man;
mod preflight;
mod report;
mod run;
mod schema;
mod servers;
mod simulate;
pub(crate) mod status;
mod submit;
mod top;
mod trial;
mod validate;
mod warm_start;
mod watch;

use autoopt_coordinator::machine::Phase;
use autoopt_epoch::message::Stage;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::client::{Client, Server};
use crate::fault::Fault;
use crate::show::say;

pub(crate) use warm_start::observation;

/// Finds better values for a system's parameters by measuring it.
#[derive(Debug, Parser)]
#[command(
    name = "autoopt",
    version,
    after_help = "\
Exit codes:
    0  done
    1  failed
    2  wrong usage of the command line
    3  the experiment ended without a usable result (run, watch, submit --watch)
   65  the input is not right; each problem is listed
   66  there is no such experiment, trial or cluster
   69  no coordinator, or no broker, answers there
   77  the coordinator wants a token, or another one
  130  interrupted
"
)]
pub(crate) struct Autoopt {
    /// Print JSON, for programs; errors as well
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Init(init::Init),
    Validate(validate::Validate),
    Schema(schema::Schema),
    Preflight(preflight::Preflight),
    /// An experiment's background load on OpenStack, by hand
    #[command(subcommand)]
    Load(servers::Servers),
    /// An experiment's application on OpenStack, by hand
    #[command(subcommand)]
    App(servers::Servers),
    Knobs(knobs::Knobs),
    #[command(subcommand)]
    Simulate(simulate::Simulate),
    Submit(submit::Submit),
    List(list::List),
    Status(status::Status),
    Watch(watch::Watch),
    Top(top::Top),
    /// Begin no new epoch; running ones go on
    Pause(control::Wish),
    /// Go on after a pause
    Resume(control::Wish),
    /// Begin no new trial, let running ones end, then leave each cluster as the experiment says
    Stop(control::Wish),
    /// Abandon everything at once, then leave each cluster as the experiment says
    Cancel(control::Wish),
    Change(change::Change),
    #[command(subcommand)]
    Trial(trial::Trial),
    Export(export::Export),
    Explain(explain::Explain),
    Report(report::Report),
    Events(events::Events),
    Logs(logs::Logs),
    Clusters(clusters::Clusters),
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLetters),
    #[command(subcommand)]
    Deploy(deploy::Deploy),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
    Man(man::Man),
}

/// What `autoopt` alone says.
const FIRST_STEPS: &str = "\
autoopt finds better values for a system's parameters by measuring it.

To begin, on this machine alone:
  autoopt init experiment.toml        write a commented experiment file, then edit it
  autoopt validate experiment.toml    see everything that is wrong with it
  autoopt run experiment.toml         run it to its end, everything in one process

With the services running (autoopt-coordinator and its workers):
  autoopt doctor                      what is there, what is missing, what to do
  autoopt submit experiment.toml --watch
  autoopt status                      what is open, and what runs where
  autoopt top                         the same, live
  autoopt export NAME -o trials.csv   every trial, for your own analysis

`autoopt --help` lists all commands, `autoopt COMMAND --help` explains one with examples.";

impl Autoopt {
    /// Whether a program reads what is printed.
    pub(crate) const fn json(&self) -> bool {
        self.json
    }

    /// Does it.
    pub(crate) async fn run(self) -> Result<(), Fault> {
        let json = self.json;
        let client = || Client::new(&self.server);
        let Some(command) = self.command else {
            say(FIRST_STEPS);
            return Ok(());
        };
        match command {
            Command::Run(run) => run.run(json).await,
            Command::Init(init) => init.run(json),
            Command::Validate(validate) => validate.run(json),
            Command::Schema(schema) => schema.run(),
            Command::Load(servers) => servers.run(Stage::Load, json).await,
            Command::App(servers) => servers.run(Stage::Bench, json).await,
            Command::Preflight(preflight) => preflight.run(json).await,
            Command::Knobs(knobs) => knobs.run(json).await,
            Command::Simulate(simulate) => simulate.run().await,
            Command::Submit(submit) => submit.run(&client()?, json).await,
            Command::List(list) => list.run(&client()?, json).await,
            Command::Status(status) => status.run(&client()?, json).await,
            Command::Watch(watch) => watch.run(&client()?, json).await,
            Command::Top(top) => top.run(&client()?, json).await,
            Command::Pause(wish) => wish.run(&client()?, "pause", json).await,
            Command::Resume(wish) => wish.run(&client()?, "resume", json).await,
            Command::Stop(wish) => wish.run(&client()?, "stop", json).await,
            Command::Cancel(wish) => wish.run(&client()?, "cancel", json).await,
            Command::Change(change) => change.run(&client()?, json).await,
            Command::Trial(trial) => trial.run(&client()?, json).await,
            Command::Explain(explain) => explain.run(&client()?, json).await,
            Command::Export(export) => export.run(&client()?, json).await,
            Command::Report(report) => report.run(&client()?, json).await,
            Command::Events(events) => events.run(&client()?, json).await,
            Command::Logs(logs) => logs.run(json).await,
            Command::Clusters(clusters) => clusters.run(&client()?, json).await,
            Command::DeadLetters(command) => command.run(json).await,
            Command::Deploy(deploy) => deploy.run(json).await,
            Command::Doctor(doctor) => doctor.run(&self.server, json).await,
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(),
        }
    }
}

/// SIGINTs from now on. One that comes while nobody waits for it is kept, unlike with `ctrl_c()` in a loop.
fn interrupts() -> Result<Signal, Fault> {
    signal(SignalKind::interrupt()).map_err(|e| Fault::failed("no signals").because(e))
}

/// A name or an id as it may stand in an address.
fn reference(text: &str) -> Result<String, String> {
    // a path of these means another place
    if matches!(text, "" | "." | "..") {
        return Err("write a name or an id".into());
    }
    Ok(text.into())
}

/// A phase as people read it.
pub(crate) const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Running => "running",
        Phase::Paused => "paused",
        Phase::Confirming => "confirming",
        Phase::Stopping => "stopping",
        Phase::Closing => "closing",
        Phase::Ended => "ended",
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The commands that have none below them, as they are typed.
    fn typed(command: &clap::Command, before: &str) -> Vec<String> {
        let below = command.get_subcommands().flat_map(|below| {
            let name = format!("{before}{}", below.get_name());
            match below.has_subcommands() {
                true => typed(below, &format!("{name} ")),
                false => vec![name],
            }
        });
        below.collect()
    }

    #[test]
    fn every_command_is_documented() {
        let page = include_str!("../../../docs/cli.md");
        let commands = typed(&Autoopt::command(), "");
        assert!(commands.iter().any(|command| command == "trial show"), "{commands:?}");
        for command in commands {
            // with its arguments or without
            let told = ["`", " "].iter().any(|end| page.contains(&format!("`{command}{end}")));
            assert!(told, "`{command}` is not in docs/cli.md");
        }
    }
}
