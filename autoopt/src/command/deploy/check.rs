//! `autoopt deploy check`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use autoopt_epoch::bus::BusError;
use autoopt_epoch::bus::amqp::probe::Probe;
use autoopt_epoch::bus::rights::Role;
use autoopt_epoch::bus::topology::LOG_STREAM;
use autoopt_epoch::service::config::secret;
use serde::Serialize;

use super::SUFFIX;
use crate::fault::{Fault, Kind};
use crate::show::{Tone, plain, say, say_json};

/// For all that one user is asked; longer than a healthy broker takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// No right of a service matches it.
const STRANGE_KEY: &str = "autoopt-check";
const MEND: &str = "import the definitions again: rabbitmqctl import_definitions <definitions.json";

/// Check that the broker has what `deploy definitions` wrote: queues, and each user's rights, no fewer and no more
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each user is tried with the credentials of its file, NAME.bus-url. Nothing is published and nothing is changed. Exit code 1 if
something is wrong.

Example:
  autoopt deploy check                                            this host's services
  autoopt deploy check --credentials rabbitmq/credentials   all of them
")]
pub(crate) struct Check {
    /// The folder with the files
    #[arg(long, default_value = "/etc/autoopt/credentials", value_name = "DIR")]
    credentials: PathBuf,
}

/// What is known of one user.
#[derive(Debug, Serialize)]
struct Finding {
    user: String,
    ok: bool,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
}

impl Finding {
    fn new(user: &str, wrong: &[String]) -> Self {
        let ok = wrong.is_empty();
        let message = if ok { "has the rights it needs, and no others".into() } else { wrong.join("; ") };
        Self { user: user.into(), ok, message, next: (!ok).then_some(MEND) }
    }

    fn line(&self) -> String {
        let status = if self.ok { Tone::Good.paint("ok   ") } else { Tone::Bad.paint("wrong") };
        let next = self.next.map(|next| format!("; {next}")).unwrap_or_default();
        format!("{status}  {:<32}  {}{next}", plain(&self.user), plain(&self.message))
    }
}

impl Check {
    pub(crate) async fn run(self, json: bool) -> Result<(), Fault> {
        let mut findings = Vec::new();
        for (user, file) in users(&self.credentials)? {
            let asked = tokio::time::timeout(PATIENCE, look(&user, &file)).await;
            let wrong = asked.unwrap_or_else(|_| vec![format!("no answer within {} s", PATIENCE.as_secs())]);
            findings.push(Finding::new(&user, &wrong));
        }
        let wrong = findings.iter().filter(|finding| !finding.ok).count();
        if json {
            say_json(&serde_json::json!({"ok": wrong == 0, "findings": findings}));
        } else {
            findings.iter().for_each(|finding| say(finding.line()));
        }
        match wrong {
            0 => Ok(()),
            n => Err(Fault::failed(format!("{n} of {} users are not as they should be", findings.len()))
                .next("see the lines above")),
        }
    }
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
