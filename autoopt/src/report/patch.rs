//! The recommended values as a change that can be made at once.

use autoopt_cloud::knobs::{self, Setting};
use autoopt_coordinator::api::view::{ExperimentDetail, RecommendedView};
use serde::Serialize;
use serde_json::Value as Json;

/// How to put the values in force without this program.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Patch {
    /// For a shell, one a line.
    pub(crate) commands: Vec<String>,
    /// For a file of nova-scheduler's configuration directory; it is restarted after that.
    pub(crate) snippet: Option<String>,
    /// For the `openstack` backend of the apply stage; for others there are only the values.
    pub(crate) openstack: bool,
}

pub(super) fn patch(experiment: &ExperimentDetail, recommended: &RecommendedView, captured: &Json) -> Patch {
    let (e, apply) = (&experiment.summary, &experiment.spec.apply);
    if apply.backend != "openstack" {
        let values: Vec<String> =
            recommended.parameters.iter().map(|(name, value)| quoted(&format!("{name}={value}"))).collect();
        return Patch { commands: values, snippet: None, openstack: false };
    }
    let aggregate = captured.pointer("/apply/aggregate/name").and_then(Json::as_str);
    let via = apply.settings.get("via").and_then(Json::as_str);
    let (mut properties, mut settings) = (Vec::new(), Vec::new());
    for (name, value) in &recommended.parameters {
        let Ok(setting) = Setting::find(name) else { continue };
        let Ok(text) = setting.text(value) else { continue };
        if setting.aggregate() && aggregate.is_some() && via != Some("config-dir") {
            properties.push(format!("--property {}", quoted(&format!("{name}={text}"))));
        } else {
            settings.push((setting, text));
        }
    }
    let set = aggregate
        .filter(|_| !properties.is_empty())
        .map(|aggregate| format!("openstack aggregate set {} {}", properties.join(" "), quoted(aggregate)));
    let owner = format!("report of {}", e.name);
    let snippet = (!settings.is_empty()).then(|| knobs::render(&owner, &settings));
    Patch { commands: set.into_iter().collect(), snippet, openstack: true }
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_reads_one_word() {
        assert_eq!(quoted("ram_weight_multiplier=-0.5"), "ram_weight_multiplier=-0.5");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's $(x)"), "'it'\\''s $(x)'");
        assert_eq!(quoted(""), "''");
    }
}
