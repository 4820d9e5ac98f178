//! Which parameter is set where.

use std::path::Path;

use autoopt_cloud::knobs::Setting;
use autoopt_epoch::command::{Cluster, OpenStack as Config};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::Epoch;
use autoopt_epoch::space::Value;

/// How parameters are put in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Via {
    /// Aggregate metadata where it can carry a setting and the cluster has an aggregate for it, else the snippet.
    Auto,
    Aggregate,
    ConfigDir,
}

/// One parameter and what it stands for.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) setting: Setting,
    pub(crate) value: Value,
    /// As nova is to read it.
    pub(crate) text: String,
}

/// The parameters of an order, by the place where they are set.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) aggregate: Vec<Part>,
    pub(crate) snippet: Vec<Part>,
}

impl Plan {
    /// Of the order's values, under the experiment's `settings.via`.
    pub(crate) fn of(order: &Epoch, config: &Config, cluster: &Cluster) -> Result<Self, Failure> {
        let broken = |reason: String| Failure::new(FailureKind::Broken, reason);
        let via = via(order).map_err(broken)?;
        let mut plan = Self { aggregate: Vec::new(), snippet: Vec::new() };
        for (name, value) in &order.parameters {
            let setting = Setting::find(name).map_err(broken)?;
            let text = setting.text(value).map_err(broken)?;
            let part = Part { name: name.clone(), setting, value: value.clone(), text };
            let carried = setting.aggregate() && cluster.aggregate.is_some();
            match via {
                Via::Auto if carried => plan.aggregate.push(part),
                Via::Aggregate if setting.aggregate() => plan.aggregate.push(part),
                Via::Aggregate => {
                    return Err(broken(format!(
                        "no aggregate can override `{name}`; leave [apply] settings.via to `auto`, so that it is set in \
                         nova-scheduler's configuration"
                    )));
                }
                Via::Auto | Via::ConfigDir => plan.snippet.push(part),
            }
        }
        let place = format!("[openstack.cluster.{}]", order.cluster);
        if !plan.aggregate.is_empty() && cluster.aggregate.is_none() {
            return Err(broken(format!("{place} has no `aggregate` to set metadata of")));
        }
        if let (Some(part), true) = (plan.snippet.first(), cluster.scheduler.is_empty()) {
            return Err(broken(format!(
                "`{}` has to be set in nova-scheduler's configuration, but {place} has no `scheduler`",
                part.name
            )));
        }
        if let (Some(part), Some(other)) = (plan.snippet.first(), sharing(config, order, cluster)) {
            return Err(broken(format!(
                "`{}` has to be set in nova-scheduler's configuration, which {place} has in common with \
                 [openstack.cluster.{other}], so that it would hold for both; leave it out, or give the cluster an `aggregate` \
                 if one can carry it",
                part.name
            )));
        }
        for scheduler in &cluster.scheduler {
            let path = &scheduler.snippet;
            if !path.is_absolute() || path.extension().is_none_or(|extension| extension != "conf") {
                return Err(broken(format!(
                    "{place} scheduler.snippet: {} is no absolute path to a *.conf",
                    path.display()
                )));
            }
        }
        Ok(plan)
    }
}

/// Another cluster with one of the schedulers of the order's.
fn sharing<'a>(config: &'a Config, order: &Epoch, cluster: &Cluster) -> Option<&'a String> {
    let of = |cluster: &Cluster| -> Vec<_> {
        let places = cluster.scheduler.iter();
        places.map(|s| (s.ssh.clone(), s.snippet.parent().map(Path::to_owned))).collect()
    };
    let own = of(cluster);
    let mut others = config.cluster.iter().filter(|(name, _)| **name != order.cluster);
    others.find(|(_, other)| of(other).iter().any(|place| own.contains(place))).map(|(name, _)| name)
}

fn via(order: &Epoch) -> Result<Via, String> {
    if let Some(key) = order.backend.settings.keys().find(|key| *key != "via") {
        return Err(format!("[apply] settings.{key}: the backend `openstack` takes only `via`"));
    }
    match order.backend.settings.get("via").map(serde_json::Value::as_str) {
        None | Some(Some("auto")) => Ok(Via::Auto),
        Some(Some("aggregate")) => Ok(Via::Aggregate),
        Some(Some("config-dir")) => Ok(Via::ConfigDir),
        Some(_) => Err("[apply] settings.via is one of `auto`, `aggregate`, `config-dir`".into()),
    }
}
