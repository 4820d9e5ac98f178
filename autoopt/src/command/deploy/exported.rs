//! What the broker has, as it exports it, beside what it should have.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use autoopt_epoch::bus::rights::Role;
use autoopt_epoch::message::Stage;
use serde_json::Value;

use super::check::Finding;
use super::definitions::definitions;
use super::mend::Said;
use crate::fault::{Fault, Kind};

/// A list of the definitions: what it lists, what tells one entry from another, and what has to be the same.
struct Section {
    name: &'static str,
    one: &'static str,
    key: &'static [&'static str],
    same: &'static [&'static str],
    /// What to do first where an import leaves an entry as it is that is there already.
    first: Option<fn(vhost: &str, name: &str) -> String>,
}

const SECTIONS: [Section; 7] = [
    Section { name: "users", one: "user", key: &["name"], same: &[], first: None },
    Section {
        name: "permissions",
        one: "rights of",
        key: &["user"],
        same: &["configure", "write", "read"],
        first: None,
    },
    Section {
        name: "topic_permissions",
        one: "routing keys of",
        key: &["user", "exchange"],
        same: &["write", "read"],
        first: None,
    },
    Section {
        name: "policies",
        one: "policy",
        key: &["name"],
        same: &["pattern", "apply-to", "definition"],
        first: None,
    },
    Section {
        name: "exchanges",
        one: "exchange",
        key: &["name"],
        same: &["type", "durable", "auto_delete"],
        first: Some(another_vhost),
    },
    Section {
        name: "queues",
        one: "queue",
        key: &["name"],
        same: &["durable", "auto_delete", "arguments"],
        first: Some(without_it),
    },
    Section {
        name: "bindings",
        one: "binding",
        key: &["source", "destination", "routing_key"],
        same: &[],
        first: None,
    },
];

/// What differs in `file` (`-`: standard input), and what mends it.
pub(super) fn compare(file: &Path, vhost: &str) -> Result<(Vec<Finding>, String), Fault> {
    let unusable = |reason: String| {
        Fault::new(Kind::Input, format!("cannot use {}: {reason}", file.display()))
            .next("rabbitmqctl -q export_definitions - | autoopt deploy check --exported -")
    };
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| unusable(error.to_string()))?;
    let there: Value = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
    let users: Vec<&str> = entries(&there, "permissions", vhost).filter_map(|e| e["user"].as_str()).collect();
    let wanted = definitions(vhost, &roles(&users));
    let findings = SECTIONS.iter().flat_map(|section| differences(section, &there, &wanted, vhost)).collect();
    let said = Said::of(users, vhost);
    Ok((findings, said.mend()))
}

/// The users that there should be: those of every installation, and of each cluster a worker for each stage.
fn roles(users: &[&str]) -> BTreeMap<String, (Role, String)> {
    let own = autoopt_optimizer::service::names();
    let mut roles = vec![
        Role::Coordinator,
        Role::Optimizer { name: None, algorithms: own.clone() },
        Role::Person,
        Role::Operator,
    ];
    for role in users.iter().filter_map(|user| Role::of_user(user, &own)) {
        match role {
            Role::Worker { cluster, .. } => {
                roles.extend(Stage::ALL.map(|stage| Role::Worker { stage, cluster: cluster.clone() }));
            }
            other => roles.push(other),
        }
    }
    roles.into_iter().map(|role| (role.user(), (role, String::new()))).collect()
}

/// The entries of a section in a vhost; users are in none.
fn entries<'v>(all: &'v Value, section: &str, vhost: &str) -> impl Iterator<Item = &'v Value> {
    let entries = all[section].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().filter(move |e| e["vhost"].as_str().is_none_or(|of| of == vhost))
}

fn differences(section: &Section, there: &Value, wanted: &Value, vhost: &str) -> Vec<Finding> {
    let key = |entry: &Value| -> Vec<String> {
        section.key.iter().map(|k| entry[*k].as_str().unwrap_or_default().to_owned()).collect()
    };
    let name = |key: &[String]| {
        let shown: Vec<&str> = key.iter().filter(|k| !k.is_empty()).map(String::as_str).collect();
        format!("{} {}", section.one, shown.join(" "))
    };
    let found: BTreeMap<Vec<String>, &Value> =
        entries(there, section.name, vhost).map(|entry| (key(entry), entry)).collect();
    let mut findings = Vec::new();
    for entry in entries(wanted, section.name, vhost) {
        let key = key(entry);
        let Some(is) = found.get(&key) else {
            findings.push(Finding::new(&name(&key), &["it is missing".into()]));
            continue;
        };
        let mut wrong = Vec::new();
        for field in section.same {
            compare_field(field, &is[*field], &entry[*field], &mut wrong);
        }
        if let Some(first) = section.first.filter(|_| !wrong.is_empty()) {
            wrong.push(format!("an import leaves it so: first {}", first(vhost, &key.join(" "))));
        }
        findings.push(Finding::new(&name(&key), &wrong));
    }
    if section.name == "bindings" {
        findings.extend(
            found
                .keys()
                .filter_map(|key| surplus(key, wanted, vhost))
                .map(|(key, wrong)| Finding::new(&name(&key), &[wrong])),
        );
    }
    findings
}

/// A binding that one of our queues should not have: what it brings is for nobody there.
fn surplus(key: &[String], wanted: &Value, vhost: &str) -> Option<(Vec<String>, String)> {
    let [source, queue, routing_key] = key else { return None };
    let ours = entries(wanted, "queues", vhost).any(|e| e["name"] == **queue);
    let expected = entries(wanted, "bindings", vhost)
        .any(|e| e["source"] == **source && e["destination"] == **queue && e["routing_key"] == **routing_key);
    let wrong =
        format!("it should not be there, and an import leaves it: first {}", without_it(vhost, queue));
    // every queue is bound to the default exchange
    (ours && !expected && !source.is_empty()).then(|| (key.to_vec(), wrong))
}

/// Objects by what they hold, so that only what differs is told.
fn compare_field(name: &str, is: &Value, should: &Value, wrong: &mut Vec<String>) {
    if let (Value::Object(its), Value::Object(wanted)) = (is, should) {
        let names: BTreeSet<&String> = its.keys().chain(wanted.keys()).collect();
        for name in names {
            compare_field(name, &is[name], &should[name], wrong);
        }
    } else if is != should {
        wrong.push(format!("its `{name}` is {}, not {}", shown(is), shown(should)));
    }
}

fn without_it(vhost: &str, queue: &str) -> String {
    format!("`rabbitmqctl delete_queue -p {vhost} {queue} --if-empty`, with the services stopped that use it")
}

fn another_vhost(_: &str, _: &str) -> String {
    "make the definitions for another vhost".into()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        Value::Null => "none".into(),
        other => format!("`{other}`"),
    }
}
