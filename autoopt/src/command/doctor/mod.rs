//! `autoopt doctor`.

mod host;
mod services;
mod settings;

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use crate::client::Server;
use crate::fault::Fault;
use crate::show::{Tone, plain, say, say_json};
use settings::Settings;

/// Check what the system needs, and say what to do about what is missing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each line says ok, or what is wrong and what to do. Exit code 1 if something is wrong. Nothing is changed, except that the
broker gets the exchange and the queue that every service makes there.

Examples:
  autoopt doctor --config /etc/autoopt/autoopt.toml
  autoopt doctor --config examples/quadratic.commands.toml --only commands    before `autoopt run`
")]
pub(crate) struct Doctor {
    /// The services' configuration, or a file with commands; it names broker, database, state directory and commands
    #[arg(long, env = "AUTOOPT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only these, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "WHAT")]
    only: Vec<Part>,
}

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
enum Part {
    Broker,
    Coordinator,
    Clusters,
    Database,
    State,
    Secrets,
    Commands,
}

/// What one check found.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    part: Part,
    status: Status,
    message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Wrong,
    Skipped,
}

impl Finding {
    fn ok(part: Part, message: impl Into<String>) -> Self {
        Self { part, status: Status::Ok, message: message.into(), next: None }
    }

    fn wrong(part: Part, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self { part, status: Status::Wrong, message: message.into(), next: Some(next.into()) }
    }

    fn skipped(part: Part, why: impl Into<String>) -> Self {
        Self { part, status: Status::Skipped, message: why.into(), next: None }
    }

    /// On one line, for people.
    fn line(&self) -> String {
        let status = match self.status {
            Status::Ok => Tone::Good.paint("ok     "),
            Status::Wrong => Tone::Bad.paint("wrong  "),
            Status::Skipped => Tone::Faint.paint("skipped"),
        };
        let part = format!("{:?}", self.part).to_lowercase();
        let next = self.next.as_ref().map(|next| format!("; {}", plain(next))).unwrap_or_default();
        format!("{status}  {part:<11}  {}{next}", plain(&self.message))
    }
}

impl Doctor {
    pub(crate) async fn run(self, server: &Server, json: bool) -> Result<(), Fault> {
        let settings = Settings::load(self.config.as_deref())?;
        let wanted = |part| self.only.is_empty() || self.only.contains(&part);
        let mut findings = Vec::new();
        if wanted(Part::Broker) {
            findings.push(services::broker(&settings.bus).await);
        }
        if wanted(Part::Coordinator) || wanted(Part::Clusters) {
            let server =
                server.clone().or(settings.api.listen.as_deref(), settings.api.token_file.as_deref());
            findings.extend(services::coordinator(&server).await);
        }
        if wanted(Part::Database) {
            findings.push(services::database(&settings.store).await);
        }
        if wanted(Part::State) {
            findings.push(host::state(settings.worker.state_dir.as_deref()));
        }
        if wanted(Part::Secrets) {
            findings.extend(settings.secrets().into_iter().map(host::secret));
        }
        if wanted(Part::Commands) {
            findings.extend(host::commands(self.config.as_deref()));
        }
        findings.retain(|finding| wanted(finding.part));
        let wrong = findings.iter().filter(|finding| finding.status == Status::Wrong).count();
        if json {
            say_json(&serde_json::json!({"ok": wrong == 0, "findings": findings}));
        } else {
            findings.iter().for_each(|finding| say(finding.line()));
        }
        match wrong {
            0 => Ok(()),
            n => Err(Fault::failed(format!("{n} of {} checks found something wrong", findings.len()))),
        }
    }
}
