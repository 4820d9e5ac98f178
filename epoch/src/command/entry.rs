//! Which entry of the configuration an order means.

use std::collections::BTreeMap;

use crate::failure::{Failure, FailureKind};
use crate::message::Epoch;
use crate::problem::nearest;

/// The entry that `settings.name` names. An order that names none, or one that this worker does not have, is `broken`:
/// the same order fails again until a person has changed the experiment or the worker.
pub fn entry<'a, C>(entries: &'a BTreeMap<String, C>, order: &Epoch) -> Result<&'a C, Failure> {
    let stage = order.stage;
    let broken = |reason| Failure::new(FailureKind::Broken, reason);
    let names = || entries.keys().map(String::as_str);
    let known = match names().collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "it has none".to_owned(),
        known => format!("it has {known}"),
    };
    let Some(name) = order.backend.settings.get("name").and_then(serde_json::Value::as_str) else {
        return Err(broken(format!(
            "[{stage}] settings.name has to name a command of this worker's configuration; {known}"
        )));
    };
    if let Some(other) = order.backend.settings.keys().find(|key| *key != "name") {
        return Err(broken(format!("[{stage}] settings.{other}: the backend `command` takes only `name`")));
    }
    entries.get(name).ok_or_else(|| {
        let hint = nearest(name, names()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        broken(format!(
            "[{stage}] settings.name: this worker's configuration has no [{stage}.command.{name}]; {known}{hint}"
        ))
    })
}
