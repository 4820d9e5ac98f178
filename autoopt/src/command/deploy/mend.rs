//! The command that brings the broker's definitions to those of this version.

use std::path::{Path, PathBuf};

use autoopt_epoch::bus::rights::Role;
use autoopt_epoch::message::Stage;

use super::definitions::{BROKER, CREDENTIALS, VHOST};

/// What `autoopt deploy definitions` was told, as far as its users tell.
pub(super) struct Said {
    clusters: Vec<String>,
    optimizers: Vec<String>,
    /// Whether the users are all there that it makes in any case; a host has only its own.
    whole: bool,
    vhost: String,
    /// Absent where only the broker itself was asked.
    broker: Option<String>,
    /// Where it put them.
    into: Option<PathBuf>,
}

impl Said {
    /// By the names of the users.
    pub(super) fn of<'a>(users: impl IntoIterator<Item = &'a str>, vhost: &str) -> Self {
        let roles: Vec<Role> = users.into_iter().filter_map(|user| Role::of_user(user, &[])).collect();
        let mut said = Self {
            clusters: Vec::new(),
            optimizers: Vec::new(),
            whole: false,
            vhost: vhost.into(),
            broker: None,
            into: None,
        };
        let mut always = 0;
        for role in roles {
            match role {
                // each cluster has a worker of each stage
                Role::Worker { stage: Stage::Apply, cluster } => said.clusters.push(cluster),
                Role::Optimizer { name: Some(name), .. } => said.optimizers.push(name),
                Role::Worker { .. } => {}
                Role::Optimizer { .. } | Role::Coordinator | Role::Person | Role::Operator => always += 1,
            }
        }
        said.whole = always == 4 && !said.clusters.is_empty();
        said
    }

    /// By the files of a folder: their users, and an address that one of them holds.
    pub(super) fn in_folder<'a>(
        users: impl IntoIterator<Item = &'a str>,
        address: Option<&str>,
        folder: &Path,
    ) -> Self {
        let place = address.and_then(|url| {
            let (scheme, rest) = url.trim().split_once("://")?;
            let (host, vhost) = rest.rsplit_once('@')?.1.split_once('/')?;
            // files for TLS may be named behind it
            let vhost = vhost.split('?').next().unwrap_or(vhost);
            Some((format!("{scheme}://{host}"), vhost.to_owned()))
        });
        let (broker, vhost) = place.unzip();
        let mut said = Self::of(users, &vhost.unwrap_or_else(|| VHOST.into()));
        said.broker = broker;
        said.into =
            folder.parent().filter(|_| said.whole && folder.ends_with(CREDENTIALS)).map(Path::to_owned);
        said
    }

    /// What to do.
    pub(super) fn mend(&self) -> String {
        let into = match self.into.as_deref() {
            None => "DIR".into(),
            Some(here) if here.as_os_str().is_empty() => ".".into(),
            Some(into) => into.display().to_string(),
        };
        let mut command = "autoopt deploy definitions".to_owned();
        if self.whole {
            let options = [("--cluster", &self.clusters), ("--optimizer", &self.optimizers)];
            for (option, names) in options {
                names.iter().for_each(|name| command.push_str(&format!(" {option} {name}")));
            }
            if self.vhost != VHOST {
                command.push_str(&format!(" --vhost {}", self.vhost));
            }
            match &self.broker {
                Some(broker) if broker != BROKER => command.push_str(&format!(" --broker {broker}")),
                Some(_) => {}
                None => command.push_str(" --broker URL"),
            }
        } else {
            command.push_str(" with the options of before");
        }
        let folder = if into == "DIR" {
            ", where DIR is the folder it wrote before: passwords stay as their files there are"
        } else {
            ""
        };
        format!(
            "`{command} --into {into}`, then on the broker's host `rabbitmqctl import_definitions \
             <{into}/definitions.json`{folder}; then `systemctl restart autoopt-coordinator`"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 6] = [
        "autoopt-coordinator",
        "autoopt-operator",
        "autoopt-optimizer",
        "autoopt-person",
        "autoopt-worker-apply@lab-1",
        "autoopt-worker-load@lab-1",
    ];

    #[test]
    fn the_command_is_the_one_that_made_the_folder() {
        let mend = |users: &[&str], address: &str, folder: &str| {
            Said::in_folder(users.iter().copied(), Some(address), Path::new(folder)).mend()
        };
        let local = "amqp://autoopt-coordinator:x@127.0.0.1:5672/autoopt\n";
        let said = mend(&ALL, local, "/srv/rabbitmq/credentials");
        assert!(
            said.starts_with("`autoopt deploy definitions --cluster lab-1 --into /srv/rabbitmq`, "),
            "{said}"
        );
        assert!(said.contains("`rabbitmqctl import_definitions </srv/rabbitmq/definitions.json`;"), "{said}");
        let elsewhere = "amqps://u:x@store:5671/lab?cacertfile=/etc/ca.pem";
        let more = [&ALL[..], &["autoopt-optimizer-mine", "autoopt-worker-apply@lab-2"]].concat();
        let said = mend(&more, elsewhere, "rabbitmq/credentials");
        let options =
            "--cluster lab-1 --cluster lab-2 --optimizer mine --vhost lab --broker amqps://store:5671";
        assert!(said.contains(&format!("{options} --into rabbitmq`")), "{said}");
        assert!(mend(&ALL, local, "credentials").contains("--cluster lab-1 --into .`"));
        // a host's own files do not tell what else there is, and it may not make passwords for others
        let said = mend(&ALL[2..3], local, "/etc/autoopt/credentials");
        assert!(
            said.starts_with("`autoopt deploy definitions with the options of before --into DIR`"),
            "{said}"
        );
        assert!(said.contains("passwords stay"), "{said}");
    }

    #[test]
    fn an_export_does_not_tell_how_services_call_the_broker() {
        let said = Said::of(ALL, VHOST).mend();
        assert!(said.contains("--cluster lab-1 --broker URL --into DIR`"), "{said}");
    }
}
