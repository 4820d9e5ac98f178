//! `autoopt deploy definitions`.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use autoopt_epoch::bus::rights::Role;
use autoopt_epoch::bus::topology::{
    DEAD_LETTERS, DELIVERY_LIMIT, EXCHANGE, LOG_BINDING, LOG_BYTES, LOG_SEGMENT_BYTES, LOG_STREAM,
    Subscription,
};
use autoopt_epoch::message::Stage;
use serde_json::{Value, json};

use super::{SUFFIX, password};
use crate::fault::{Fault, Kind};
use crate::show::{say, say_json};

/// The vhost, unless another one is named.
pub(super) const VHOST: &str = "autoopt";
/// Where the services find the broker, unless they are told otherwise.
pub(super) const BROKER: &str = "amqp://127.0.0.1:5672";
/// The folder with the users' addresses, within that of the definitions.
pub(super) const CREDENTIALS: &str = "credentials";
/// More dead letters than a person reads; the oldest go first.
const DEAD_LETTERS_BYTES: u32 = 256 << 20;

/// Write what RabbitMQ has to have: vhost, exchanges, queues, and one user for each service with only the rights it needs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Passwords are made anew, unless their file is there: say it again to add a cluster. In the definitions they are hashes.

Example:
  autoopt deploy definitions --cluster lab-1 --cluster lab-2 --into rabbitmq
  rabbitmqctl import_definitions <rabbitmq/definitions.json
  cp rabbitmq/credentials/autoopt-worker-*@lab-1.bus-url /etc/autoopt/credentials/     on the host of lab-1
")]
pub(crate) struct Definitions {
    /// A cluster that gets four workers; several times for several
    #[arg(long, required = true, value_name = "NAME", value_parser = name)]
    cluster: Vec<String>,
    /// An optimizer of your own, by the algorithm it answers for
    #[arg(long, value_name = "ALGORITHM", value_parser = name)]
    optimizer: Vec<String>,
    /// The vhost
    #[arg(long, default_value = VHOST, value_parser = name)]
    vhost: String,
    /// Where the services find the broker: `amqp://HOST:PORT`, or `amqps://HOST:PORT` for TLS
    #[arg(long, default_value = BROKER, value_name = "URL", value_parser = place)]
    broker: String,
    /// The folder for `definitions.json` and `credentials/`; only its owner can read them
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
}

/// A name as it may stand in a routing key, a queue and an address.
fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if text.is_empty() || !text.chars().all(plain) {
        return Err("has to consist of letters, digits, `-` and `_`".into());
    }
    Ok(text.into())
}

fn place(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("amqp://").or_else(|| text.strip_prefix("amqps://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(['/', '@', '?']) => Ok(text.into()),
        _ => Err("write it like amqp://HOST:5672, without user and vhost".into()),
    }
}

impl Definitions {
    pub(crate) fn run(self, json: bool) -> Result<(), Fault> {
        let folder = self.into.join(CREDENTIALS);
        let failed = |path: &Path| {
            let message = format!("cannot write {}", path.display());
            move |error: std::io::Error| {
                Fault::failed(message).because(error).next("name a folder of your own with --into DIR")
            }
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed(&folder))?;
        let mut users = BTreeMap::new();
        for role in self.roles() {
            let user = role.user();
            let file = folder.join(format!("{user}{SUFFIX}"));
            let password = match std::fs::read_to_string(&file) {
                Ok(url) => kept(&url, &file)?,
                Err(_) => password::fresh().map_err(failed(&file))?,
            };
            let address = self.address(&user, &password);
            write(&file, &format!("{address}\n")).map_err(failed(&file))?;
            let hash = password::hash(&password).map_err(failed(&file))?;
            users.insert(user, (role, hash));
        }
        let file = self.into.join("definitions.json");
        let text = format!("{:#}\n", definitions(&self.vhost, &users));
        write(&file, &text).map_err(failed(&file))?;
        if json {
            say_json(
                &json!({"definitions": file, "credentials": folder, "users": users.keys().collect::<Vec<_>>()}),
            );
        } else {
            say(format_args!(
                "{} is written, and {} users in {}",
                file.display(),
                users.len(),
                folder.display()
            ));
            say(format_args!("next: rabbitmqctl import_definitions <{}", file.display()));
        }
        Ok(())
    }

    fn roles(&self) -> Vec<Role> {
        let own = autoopt_optimizer::service::names();
        let mut roles = vec![Role::Coordinator, Role::Optimizer { name: None, algorithms: own }];
        roles.extend(self.optimizer.iter().map(|algorithm| Role::Optimizer {
            name: Some(algorithm.clone()),
            algorithms: vec![algorithm.clone()],
        }));
        for cluster in &self.cluster {
            roles.extend(Stage::ALL.map(|stage| Role::Worker { stage, cluster: cluster.clone() }));
        }
        roles.extend([Role::Person, Role::Operator]);
        roles
    }

    fn address(&self, user: &str, password: &str) -> String {
        let (scheme, place) = self.broker.split_once("://").expect("`place` has checked it");
        format!("{scheme}://{}:{password}@{place}/{}", user.replace('@', "%40"), self.vhost)
    }
}

/// The password of an address that was written before.
fn kept(url: &str, file: &Path) -> Result<String, Fault> {
    let password = || Some(url.split_once("://")?.1.rsplit_once('@')?.0.split_once(':')?.1.to_owned());
    password().ok_or_else(|| {
        Fault::new(Kind::Input, format!("{} holds no address with a password", file.display()))
            .next("delete it for a new password")
    })
}

/// In one move, readable by the owner alone.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(new, path)
}

/// In the form of `rabbitmqctl export_definitions`.
pub(super) fn definitions(vhost: &str, users: &BTreeMap<String, (Role, String)>) -> Value {
    let mut queues = vec![queue(vhost, DEAD_LETTERS, &json!({}))];
    let mut bindings = vec![binding(vhost, DEAD_LETTERS, DEAD_LETTERS, "")];
    for (role, _) in users.values() {
        for subscription in subscriptions(role) {
            let name = subscription.queue.expect("a subscription of a service has a name");
            queues.push(queue(vhost, &name, &arguments()));
            bindings.extend(subscription.bindings.iter().map(|key| binding(vhost, EXCHANGE, &name, key)));
        }
    }
    queues.push(queue(
        vhost,
        LOG_STREAM,
        &json!({"x-queue-type": "stream", "x-max-length-bytes": LOG_BYTES,
            "x-stream-max-segment-size-bytes": LOG_SEGMENT_BYTES}),
    ));
    bindings.push(binding(vhost, EXCHANGE, LOG_STREAM, LOG_BINDING));
    let exchange = |name: &str, kind: &str| {
        json!({"name": name, "vhost": vhost, "type": kind, "durable": true, "auto_delete": false,
            "internal": false, "arguments": {}})
    };
    let rights = |user: &String, role: &Role| {
        let rights = role.rights();
        json!({"user": user, "vhost": vhost, "configure": rights.configure, "write": rights.write, "read": rights.read})
    };
    let topics = |user: &String, role: &Role| {
        let rights = role.rights();
        json!({"user": user, "vhost": vhost, "exchange": EXCHANGE, "write": rights.topic_write, "read": rights.topic_read})
    };
    let each = |make: &dyn Fn(&String, &Role) -> Value| -> Vec<Value> {
        users.iter().map(|(user, (role, _))| make(user, role)).collect()
    };
    let accounts = users.iter().map(|(user, (_, hash))| {
        json!({"name": user, "password_hash": hash, "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ""})
    });
    json!({
        "vhosts": [{"name": vhost}],
        "users": accounts.collect::<Vec<_>>(),
        "permissions": each(&rights),
        "topic_permissions": each(&topics),
        "policies": [{"vhost": vhost, "name": "autoopt-dead-letters", "pattern": "^autoopt\\.dead$", "apply-to": "queues",
            "priority": 0, "definition": {"max-length-bytes": DEAD_LETTERS_BYTES, "overflow": "drop-head"}}],
        "exchanges": [exchange(EXCHANGE, "topic"), exchange(DEAD_LETTERS, "fanout")],
        "queues": queues,
        "bindings": bindings,
    })
}

/// What a role consumes, as its service declares it.
fn subscriptions(role: &Role) -> Vec<Subscription> {
    match role {
        Role::Coordinator => vec![Subscription::coordinator(1)],
        Role::Optimizer { algorithms, .. } => {
            algorithms.iter().map(|algorithm| Subscription::optimizer(algorithm, 1)).collect()
        }
        Role::Worker { stage, cluster } => {
            vec![Subscription::worker(*stage, cluster, std::slice::from_ref(cluster), 1)]
        }
        Role::Person | Role::Operator => Vec::new(),
    }
}

/// As the bus declares a service's queue; a difference would be an error of the service that starts.
fn arguments() -> Value {
    json!({
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_LETTERS,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    })
}

fn queue(vhost: &str, name: &str, arguments: &Value) -> Value {
    json!({"name": name, "vhost": vhost, "durable": true, "auto_delete": false, "arguments": arguments})
}

fn binding(vhost: &str, exchange: &str, queue: &str, key: &str) -> Value {
    json!({"source": exchange, "vhost": vhost, "destination": queue, "destination_type": "queue",
        "routing_key": key, "arguments": {}})
}
