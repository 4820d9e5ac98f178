//! Weights in a host aggregate's metadata: no restart, and nobody else's hosts are touched.
//!
//! What was there before is kept in the same metadata, under keys of our own, written in the same call. So whoever restores
//! needs nothing but the cloud, and a person sees who changed it.

use std::collections::BTreeMap;

use autoopt_cloud::{Aggregate, Cloud};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::Epoch;

use super::plan::Part;

/// Whose values are in force.
pub(crate) const OWNER: &str = "autoopt_owner";
/// `autoopt_before_KEY` is what stood under KEY.
const BEFORE: &str = "autoopt_before_";
/// Stands for a key that was not there.
const UNSET: &str = "unset";

/// Metadata to set (`Some`) and to remove (`None`).
pub(crate) type Changes = BTreeMap<String, Option<String>>;

/// The aggregate `name`, if these parameters can be set there for this experiment.
pub(crate) async fn find(
    cloud: &Cloud,
    name: &str,
    parts: &[Part],
    owner: &str,
) -> Result<Aggregate, Failure> {
    let all = cloud.aggregates().await?;
    let target = Aggregate::named(&all, name)?;
    owned_by_no_other(&target, owner)?;
    match conflict(&target, &all, parts) {
        Some(reason) => Err(Failure::new(FailureKind::Broken, reason)),
        None => Ok(target),
    }
}

/// Who an experiment is to other experiments.
pub(crate) fn owner(order: &Epoch) -> String {
    format!("{} {}", order.experiment, order.experiment_id)
}

/// A value of another experiment was never restored.
fn owned_by_no_other(target: &Aggregate, owner: &str) -> Result<(), Failure> {
    match target.metadata.get(OWNER) {
        Some(other) if other != owner => {
            let keys: Vec<&str> = target.metadata.keys().filter_map(|key| key.strip_prefix(BEFORE)).collect();
            let reason = format!(
                "host aggregate `{}` still has values of the experiment `{other}` ({}). End that experiment, or set each of \
                 these to what {BEFORE}… says and remove the keys that begin with `autoopt_`",
                target.name,
                keys.join(", ")
            );
            Err(Failure::new(FailureKind::Broken, reason))
        }
        _ => Ok(()),
    }
}

/// nova takes the smallest of the values that a host's aggregates give.
fn conflict(target: &Aggregate, others: &[Aggregate], parts: &[Part]) -> Option<String> {
    if parts.is_empty() {
        return None;
    }
    let shares =
        |other: &&Aggregate| other.id != target.id && other.hosts.iter().any(|h| target.hosts.contains(h));
    if target.hosts.is_empty() {
        return Some(format!("host aggregate `{}` has no hosts, so its metadata has no effect", target.name));
    }
    others.iter().filter(shares).find_map(|other| {
        let part = parts.iter().find(|part| other.metadata.contains_key(&part.name))?;
        Some(format!(
            "host aggregate `{}` sets `{}` as well, for hosts that are also in `{}`; nova would take the smaller of the two. \
             Remove the key there, or take another aggregate",
            other.name, part.name, target.name
        ))
    })
}

/// Settings in the configuration have no effect on hosts whose aggregate says otherwise.
pub(crate) async fn overrides_none(cloud: &Cloud, parts: &[Part]) -> Result<(), Failure> {
    let all = cloud.aggregates().await?;
    let overridden = parts.iter().filter(|part| part.setting.aggregate()).find_map(|part| {
        Some((all.iter().find(|aggregate| aggregate.metadata.contains_key(&part.name))?, part))
    });
    match overridden {
        None => Ok(()),
        Some((aggregate, part)) => Err(Failure::new(
            FailureKind::Broken,
            format!(
                "host aggregate `{}` sets `{}`, so that nova-scheduler's configuration has no say for its hosts. Remove the key, \
                 or set the parameter in that aggregate (`aggregate` of the cluster, [apply] settings.via)",
                aggregate.name, part.name
            ),
        )),
    }
}

/// Puts the parameters in force, with what was there before under keys of our own.
pub(crate) fn setting(target: &Aggregate, parts: &[Part], owner: &str) -> Changes {
    let mut changes = Changes::from([(OWNER.to_owned(), Some(owner.to_owned()))]);
    for part in parts {
        let before = format!("{BEFORE}{}", part.name);
        if !target.metadata.contains_key(&before) {
            let found = target.metadata.get(&part.name).cloned().unwrap_or_else(|| UNSET.to_owned());
            changes.insert(before, Some(found));
        }
        changes.insert(part.name.clone(), Some(part.text.clone()));
    }
    changes
}

/// Puts the parameters in force for good: nothing is left that says they were not always there.
pub(crate) fn keeping(target: &Aggregate, parts: &[Part]) -> Changes {
    let own = target.metadata.keys().filter(|key| *key == OWNER || key.starts_with(BEFORE));
    let mut changes: Changes = own.map(|key| (key.clone(), None)).collect();
    changes.extend(parts.iter().map(|part| (part.name.clone(), Some(part.text.clone()))));
    changes
}

/// Puts back what was there before; nothing if nothing was changed.
pub(crate) fn restoring(target: &Aggregate) -> Changes {
    let mut changes = Changes::new();
    for (key, before) in &target.metadata {
        if let Some(name) = key.strip_prefix(BEFORE) {
            changes.insert(name.to_owned(), (before != UNSET).then(|| before.clone()));
            changes.insert(key.clone(), None);
        }
    }
    if target.metadata.contains_key(OWNER) {
        changes.insert(OWNER.to_owned(), None);
    }
    changes
}

/// Makes the changes and reads them back.
pub(crate) async fn change(
    cloud: &Cloud,
    target: &Aggregate,
    changes: &Changes,
) -> Result<Aggregate, Failure> {
    if !changes.is_empty() {
        cloud.set_aggregate_metadata(target.id, changes).await?;
    }
    let now = cloud.aggregate(&target.name).await?;
    for (key, asked) in changes {
        let found = now.metadata.get(key);
        if found != asked.as_ref() {
            let shown =
                |value: Option<&String>| value.map_or_else(|| "nothing".to_owned(), |v| format!("`{v}`"));
            let reason = format!(
                "host aggregate `{}`: `{key}` was set to {}, but reads back as {}: somebody else changes it too",
                target.name,
                shown(asked.as_ref()),
                shown(found)
            );
            return Err(Failure::new(FailureKind::Transient, reason));
        }
    }
    Ok(now)
}

#[cfg(test)]
mod tests {
    use autoopt_cloud::knobs::Setting;
    use autoopt_epoch::space::Value;

    use super::*;

    fn aggregate(id: u64, hosts: &[&str], metadata: &[(&str, &str)]) -> Aggregate {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        let metadata = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Aggregate { id, name: format!("a{id}"), availability_zone: None, hosts, metadata }
    }

    fn parts() -> Vec<Part> {
        let part = |name: &str, text: &str| Part {
            name: name.into(),
            setting: Setting::find(name).unwrap(),
            value: Value::Text(text.into()),
            text: text.into(),
        };
        vec![part("ram_weight_multiplier", "0.5"), part("cpu_weight_multiplier", "-1")]
    }

    fn after(target: &Aggregate, changes: &Changes) -> Aggregate {
        let mut target = target.clone();
        for (key, value) in changes {
            match value {
                Some(value) => target.metadata.insert(key.clone(), value.clone()),
                None => target.metadata.remove(key),
            };
        }
        target
    }

    #[test]
    fn restoring_after_any_number_of_trials_gives_what_was_found() {
        let found = aggregate(1, &["h"], &[("availability_zone", "z"), ("ram_weight_multiplier", "1.0")]);
        let once = after(&found, &setting(&found, &parts(), "e 1"));
        assert_eq!(once.metadata["cpu_weight_multiplier"], "-1");
        let mut others = parts();
        others[0].text = "0.7".into();
        let twice = after(&once, &setting(&once, &others, "e 1"));
        assert_eq!(twice.metadata["ram_weight_multiplier"], "0.7");
        let restored = after(&twice, &restoring(&twice));
        assert_eq!(restored.metadata, found.metadata);
        assert!(restoring(&restored).is_empty());

        let kept = after(&twice, &keeping(&twice, &parts()));
        assert!(kept.metadata.keys().all(|key| !key.starts_with("autoopt_")), "{kept:?}");
        assert_eq!(kept.metadata["ram_weight_multiplier"], "0.5");
    }

    #[test]
    fn conflicts_and_what_another_experiment_left_are_refused() {
        let target = aggregate(1, &["h"], &[]);
        let same_host = aggregate(2, &["h", "i"], &[("cpu_weight_multiplier", "2")]);
        let reason = conflict(&target, &[target.clone(), same_host], &parts()).unwrap();
        assert!(reason.contains("`a2` sets `cpu_weight_multiplier`"), "{reason}");
        let elsewhere = aggregate(3, &["i"], &[("cpu_weight_multiplier", "2")]);
        assert_eq!(conflict(&target, &[elsewhere], &parts()), None);
        assert!(conflict(&aggregate(4, &[], &[]), &[], &parts()).unwrap().contains("has no hosts"));

        let left = after(&target, &setting(&target, &parts(), "old 7"));
        let failure = owned_by_no_other(&left, "new 8").unwrap_err();
        assert_eq!(failure.kind, FailureKind::Broken);
        assert!(failure.reason.contains("`old 7`"), "{failure}");
        owned_by_no_other(&left, "old 7").unwrap();
    }
}
