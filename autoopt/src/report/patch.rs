//! The recommended values as a change that can be made at once.

use std::collections::{BTreeMap, BTreeSet};

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

pub(super) fn patch(
    experiment: &ExperimentDetail,
    recommended: &RecommendedView,
    captured: &BTreeMap<String, Json>,
) -> Patch {
    let (e, apply) = (&experiment.summary, &experiment.spec.apply);
    if apply.backend != "openstack" {
        let values: Vec<String> =
            recommended.parameters.iter().map(|(name, value)| quoted(&format!("{name}={value}"))).collect();
        return Patch { commands: values, snippet: None, openstack: false };
    }
    // each cluster has one of its own, unless they share it
    let name = |told: &Json| told.pointer("/apply/aggregate/name")?.as_str().map(str::to_owned);
    let aggregates: BTreeSet<String> = captured.values().filter_map(name).collect();
    let via = apply.settings.get("via").and_then(Json::as_str);
    let (mut properties, mut settings) = (Vec::new(), Vec::new());
    for (name, value) in &recommended.parameters {
        let Ok(setting) = Setting::find(name) else { continue };
        let Ok(text) = setting.text(value) else { continue };
        if setting.aggregate() && !aggregates.is_empty() && via != Some("config-dir") {
            properties.push(format!("--property {}", quoted(&format!("{name}={text}"))));
        } else {
            settings.push((setting, text));
        }
    }
    let set = |aggregate: &String| {
        format!("openstack aggregate set {} {}", properties.join(" "), quoted(aggregate))
    };
    let commands = aggregates.iter().filter(|_| !properties.is_empty()).map(set).collect();
    let owner = format!("report of {}", e.name);
    let snippet = (!settings.is_empty()).then(|| knobs::render(&owner, &settings));
    Patch { commands, snippet, openstack: true }
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
    use autoopt_epoch::experiment::parse_toml;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_aggregate_gets_a_command_and_the_rest_is_a_snippet() {
        let spec = include_str!("../../../examples/nova-weights.toml");
        let detail = json!({
            "id": "01a20d9d-7e75-75f2-be4a-a6cd05d1b65f", "name": "n", "phase": "ended", "goal": "maximize", "budget": {"trials": 1},
            "clusters": ["east", "west"], "accepted": 1, "outcomes": {}, "baseline": {}, "started": "2026-01-01T00:00:00Z",
            "running": [], "spec": parse_toml(spec, "nova-weights.toml").expect("it is right"),
        });
        let detail: ExperimentDetail = serde_json::from_value(detail).expect("an experiment");
        let values = json!({"ram_weight_multiplier": -0.5, "metrics.cpu.percent": 0.25});
        let recommended =
            RecommendedView { number: 1, parameters: serde_json::from_value(values).expect("values") };
        let told = |name: &str| json!({"apply": {"aggregate": {"name": name}}});
        let captured = [("east".to_owned(), told("fast ones")), ("west".to_owned(), told("slow"))].into();
        let made = patch(&detail, &recommended, &captured);
        let set = "openstack aggregate set --property ram_weight_multiplier=-0.5";
        assert_eq!(made.commands, [format!("{set} 'fast ones'"), format!("{set} slow")]);
        assert!(made.snippet.is_some_and(|text| text.contains("weight_setting = cpu.percent=0.25")));
    }

    #[test]
    fn a_shell_reads_one_word() {
        assert_eq!(quoted("ram_weight_multiplier=-0.5"), "ram_weight_multiplier=-0.5");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's $(x)"), "'it'\\''s $(x)'");
        assert_eq!(quoted(""), "''");
    }
}
