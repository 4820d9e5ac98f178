//! Which trials had the same placement: where each server landed, as a short text that can be compared.

use std::collections::BTreeMap;

use autoopt_epoch::message::Stage;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Trial;

/// What the bench stage said of where its servers landed (`placement`, host by server), as a hash of it: of a hundred servers the text
/// itself would be kilobytes in every question to the optimizer. `None` where it said nothing, or not of every server.
pub(super) fn placement(outputs: &BTreeMap<Stage, Map<String, Value>>) -> Option<String> {
    let told = outputs.get(&Stage::Bench)?.get("placement")?.as_object().filter(|p| !p.is_empty())?;
    let hosts: Option<BTreeMap<&str, &str>> =
        told.iter().map(|(server, host)| Some((server.as_str(), host.as_str()?))).collect();
    let text = serde_json::to_string(&hosts?).ok()?;
    Some(Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).simple().to_string())
}

/// The placement that all measured epochs of a trial had.
pub(super) fn only_placement(trial: &Trial) -> Option<String> {
    let first = trial.placements.first()?;
    let all = trial.placements.len() == trial.measurements.len();
    (all && trial.placements.iter().all(|p| p == first)).then(|| first.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(placement: Value) -> Option<String> {
        let Value::Object(bench) = json!({ "placement": placement }) else { return None };
        super::placement(&BTreeMap::from([(Stage::Bench, bench)]))
    }

    #[test]
    fn equal_placements_have_one_key_and_half_known_ones_none() {
        let one = of(json!({"cpu": "a", "disk": "b"}));
        assert!(one.is_some());
        assert_eq!(one, of(json!({"disk": "b", "cpu": "a"})));
        assert_ne!(one, of(json!({"cpu": "b", "disk": "a"})));
        assert_eq!(of(json!({"cpu": "a", "disk": null})), None);
        assert_eq!(of(json!({})), None);
        assert_eq!(super::placement(&BTreeMap::new()), None);
    }
}
