//! `autoopt deploy check`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use autoopt_epoch::bus::BusError;
use autoopt_epoch::bus::amqp::probe::Probe;
use autoopt_epoch::bus::rights::Role;
use autoopt_epoch::bus::topology::{COORDINATOR_CLAIM, LOG_STREAM};
use autoopt_epoch::service::config::secret;
use serde::Serialize;

use super::definitions::VHOST;
use super::mend::Said;
use super::{SUFFIX, exported};
use crate::fault::{Fault, Kind};
use crate::show::{Tone, plain, say, say_json};

/// For all that one user is asked; longer than a healthy broker takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// No right of a service matches it.
const STRANGE_KEY: &str = "autoopt-check";
/// What is said of a user who passes.
const ALL_IS_WELL: &str = "has the rights it needs, and no others";

/// Check that the broker has what this version's `deploy definitions` writes: queues, and each user's rights, no fewer and no more
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each user is tried with the credentials of its file, NAME.bus-url. Nothing is published and nothing is changed. With --exported it
compares what the broker says it has, to the letter, bindings and policies as well, and tries nobody. Exit code 1 if something is
wrong; the last line says what mends it.

Example:
  autoopt deploy check                                            this host's services
  autoopt deploy check --credentials rabbitmq/credentials   all of them
  rabbitmqctl -q export_definitions - | autoopt deploy check --exported -     on the broker's host
")]
pub(crate) struct Check {
    /// The folder with the files
    #[arg(long, default_value = "/etc/autoopt/credentials", value_name = "DIR")]
    credentials: PathBuf,
    /// Compare this file, which `rabbitmqctl export_definitions` wrote; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "credentials")]
    exported: Option<PathBuf>,
    /// The vhost of the exported definitions
    #[arg(long, default_value = VHOST, requires = "exported")]
    vhost: String,
}

/// What is known of one user, or of another thing that the broker has.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    name: String,
    ok: bool,
    message: String,
}

impl Finding {
    pub(super) fn new(name: &str, wrong: &[String]) -> Self {
        let ok = wrong.is_empty();
        Self { name: name.into(), ok, message: if ok { "as it should be".into() } else { wrong.join("; ") } }
    }

    fn line(&self) -> String {
        let status = if self.ok { Tone::Good.paint("ok   ") } else { Tone::Bad.paint("wrong") };
        format!("{status}  {:<32}  {}", plain(&self.name), plain(&self.message))
    }
}

impl Check {
    pub(crate) async fn run(self, json: bool) -> Result<(), Fault> {
        let (findings, mend) = match &self.exported {
            Some(file) => exported::compare(file, &self.vhost)?,
            None => try_all(&self.credentials).await?,
        };
        let wrong = findings.iter().filter(|finding| !finding.ok).count();
        if json {
            let next = (wrong > 0).then_some(&mend);
            say_json(&serde_json::json!({"ok": wrong == 0, "findings": findings, "next": next}));
        } else {
            // of a broker's entries those that differ; of users each
            let shown = |finding: &&Finding| self.exported.is_none() || !finding.ok;
            findings.iter().filter(shown).for_each(|finding| say(finding.line()));
            if self.exported.is_some() {
                let same = findings.len() - wrong;
                say(format_args!("{same} entries are as this version's definitions have them"));
            }
        }
        match wrong {
            0 => Ok(()),
            n => Err(Fault::failed(format!(
                "{n} of {} are not as this version's definitions have them",
                findings.len()
            ))
            .next(mend)),
        }
    }
}

/// Tries each user of a folder.
async fn try_all(folder: &Path) -> Result<(Vec<Finding>, String), Fault> {
    let users = users(folder)?;
    let mut findings = Vec::new();
    for (user, file) in &users {
        let asked = tokio::time::timeout(PATIENCE, look(user, file)).await;
        let wrong = asked.unwrap_or_else(|_| vec![format!("no answer within {} s", PATIENCE.as_secs())]);
        let finding = Finding::new(user, &wrong);
        let message = if finding.ok { ALL_IS_WELL.into() } else { finding.message };
        findings.push(Finding { message, ..finding });
    }
    let address = users.iter().find_map(|(_, file)| secret(file).ok());
    let names = users.iter().map(|(user, _)| user.as_str());
    Ok((findings, Said::in_folder(names, address.as_deref(), folder).mend()))
}

/// The users whose files are there, in the order of their names.
fn users(folder: &Path) -> Result<Vec<(String, PathBuf)>, Fault> {
    let unusable = |message: String| {
        Fault::new(Kind::Input, message).next("name a folder with NAME.bus-url files by --credentials DIR; `autoopt deploy definitions` makes it")
    };
    let entries = std::fs::read_dir(folder)
        .map_err(|error| unusable(format!("cannot read {}: {error}", folder.display())))?;
    let mut users: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let user = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?.to_owned();
            Some((user, path))
        })
        .collect();
    if users.is_empty() {
        return Err(unusable(format!("{} has no file of a user", folder.display())));
    }
    users.sort();
    Ok(users)
}

/// What is wrong with this user.
async fn look(user: &str, file: &Path) -> Vec<String> {
    let own = autoopt_optimizer::service::names();
    let Some(role) = Role::of_user(user, &own) else {
        return vec![format!(
            "`{user}` is the name of no service; `autoopt deploy definitions` gives the names"
        )];
    };
    let url = match secret(file) {
        Ok(url) => url,
        Err(error) => return vec![error.to_string()],
    };
    let probe = match Probe::open(&url).await {
        Ok(probe) => probe,
        Err(error) => return vec![error.to_string()],
    };
    let wrong = differences(&probe, &role).await.unwrap_or_else(|error| vec![error.to_string()]);
    probe.close().await;
    wrong
}

async fn differences(probe: &Probe, role: &Role) -> Result<Vec<String>, BusError> {
    let mut wrong = Vec::new();
    if !probe.has_common().await? {
        wrong.push("an exchange or the queue of dead letters is missing".into());
        return Ok(wrong);
    }
    for queue in role.queues().into_iter().chain([LOG_STREAM.into()]) {
        if !probe.has_queue(&queue).await? {
            wrong.push(format!("the queue `{queue}` is missing"));
        }
    }
    match (probe.may_claim(COORDINATOR_CLAIM).await?, role.claim().is_some()) {
        (false, true) => wrong.push(format!(
            "it may not declare `{COORDINATOR_CLAIM}`: a second coordinator would not be noticed"
        )),
        (true, false) => wrong.push(format!("it may declare `{COORDINATOR_CLAIM}`")),
        _ => {}
    }
    if !matches!(role, Role::Operator) && probe.may_publish(STRANGE_KEY).await? {
        wrong.push("it may publish whatever it likes".into());
        return Ok(wrong);
    }
    let (may, may_not) = role.publishing();
    for (keys, expected) in [(may, true), (may_not, false)] {
        for key in keys {
            if probe.may_publish(&key).await? != expected {
                wrong.push(format!("it {} publish with `{key}`", says(!expected)));
            }
        }
    }
    let (may, may_not) = role.hearing();
    for (keys, expected) in [(may, true), (may_not, false)] {
        for key in keys {
            if probe.may_hear(&key).await? != expected {
                wrong.push(format!("it {} hear `{key}`", says(!expected)));
            }
        }
    }
    Ok(wrong)
}

const fn says(may: bool) -> &'static str {
    if may { "may" } else { "may not" }
}
