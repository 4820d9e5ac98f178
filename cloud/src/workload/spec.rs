//! The settings of the `servers` backends of load and bench.

use std::collections::BTreeMap;

use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Epoch, Stage};
use autoopt_epoch::time::Period;
use serde::Deserialize;

/// What the names of all servers that we create begin with.
pub(super) const PREFIX: &str = "autoopt-";
/// nova's limit for a server's name is 255; host names in a guest allow 63.
const MAX_NAME: usize = 63;
const POLICIES: [&str; 4] = ["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"];

/// A list of servers, created one after the other in its order. What stands here holds for servers that do not say it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    #[serde(default)]
    pub flavor: Option<String>,
    #[serde(default)]
    pub image: Option<String>,
    #[serde(default)]
    pub network: Option<String>,
    #[serde(default)]
    pub zone: Option<String>,
    #[serde(default)]
    pub key: Option<String>,
    /// Server groups by name, with their policies.
    #[serde(default)]
    pub groups: BTreeMap<String, String>,
    /// After each server, so that the next is placed by what its hosts have reported since. At least the hosts' reporting
    /// interval (60 s unless nova-compute is told otherwise) where placement is to depend on the servers before.
    #[serde(default = "no_time")]
    pub pause: Period,
    /// A server that takes longer to build is given up.
    #[serde(default = "five_minutes")]
    pub build_timeout: Period,
    /// load: how long after the last server the load counts as settled.
    #[serde(default = "no_time")]
    pub settle: Period,
    /// bench: between two looks at a console, at most.
    #[serde(default = "two_seconds")]
    pub poll: Period,
    /// bench: servers post their results to the worker, in place of printing them on the console.
    #[serde(default)]
    pub http: bool,
    /// bench and collect: a regular expression with one group for the marker line of the older form.
    #[serde(default)]
    pub marker: Option<String>,
    pub servers: Vec<ServerSpec>,
}

const fn no_time() -> Period {
    Period::seconds(0)
}
const fn two_seconds() -> Period {
    Period::seconds(2)
}
const fn five_minutes() -> Period {
    Period::seconds(300)
}
const fn one() -> u32 {
    1
}
const fn yes() -> bool {
    true
}

/// One server, or `count` alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSpec {
    /// Letters, digits and `-`; unique. With a `count` of more than one, `-1`, `-2`, … follow.
    pub name: String,
    #[serde(default = "one")]
    pub count: u32,
    #[serde(default)]
    pub flavor: Option<String>,
    #[serde(default)]
    pub image: Option<String>,
    #[serde(default)]
    pub network: Option<String>,
    #[serde(default)]
    pub zone: Option<String>,
    /// One of `groups`.
    #[serde(default)]
    pub group: Option<String>,
    /// Files of the worker's `openstack.files`, one after the other.
    #[serde(default)]
    pub user_data: Vec<String>,
    /// Shell variables at the head of the user data. `{address:NAME}` is the address of a server earlier in the list.
    #[serde(default)]
    pub variables: BTreeMap<String, serde_json::Value>,
    /// bench: whether it prints a result to wait for.
    #[serde(default = "yes")]
    pub result: bool,
}

/// Whose servers they are: it is in their names and metadata.
#[derive(Clone, Debug)]
pub struct Owner {
    /// What the names begin with.
    pub prefix: String,
    pub metadata: BTreeMap<String, String>,
}

impl Owner {
    /// Of an order of load or bench: the load belongs to the experiment, the application to the epoch.
    pub fn of(order: &Epoch) -> Self {
        // the end of an id: version 7 begins with the time, which ids of one minute share
        let end = |id: String| id[id.len() - 12..].to_owned();
        let prefix = match order.stage {
            Stage::Load => {
                format!("{PREFIX}{}-{}-load-", end(order.experiment_id.to_string()), order.cluster)
            }
            _ => format!("{PREFIX}{}-", end(order.epoch.to_string())),
        };
        let text = |key: &str, value: String| (format!("autoopt_{key}"), value);
        let stage = if order.stage == Stage::Load { Stage::Load } else { Stage::Bench };
        let mut metadata = BTreeMap::from([
            text("experiment", order.experiment_id.to_string()),
            text("cluster", order.cluster.clone()),
            text("stage", stage.to_string()),
        ]);
        if stage == Stage::Bench {
            metadata.extend([text("epoch", order.epoch.to_string())]);
        }
        Self { prefix, metadata }
    }
}

impl Workload {
    /// The settings of an order, checked as far as no cloud is needed.
    pub fn of(order: &Epoch) -> Result<Self, Failure> {
        let stage = order.stage;
        let broken =
            |reason: String| Failure::new(FailureKind::Broken, format!("[{stage}] settings: {reason}"));
        let settings = serde_json::Value::Object(order.backend.settings.clone());
        let workload: Self = serde_json::from_value(settings).map_err(|error| broken(error.to_string()))?;
        workload.check(&Owner::of(order)).map_err(broken)?;
        Ok(workload)
    }

    fn check(&self, owner: &Owner) -> Result<(), String> {
        if self.servers.is_empty() {
            return Err("`servers` is empty".into());
        }
        let mut names = std::collections::BTreeSet::new();
        for (name, _) in self.each() {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
            if name.is_empty() || !name.chars().all(plain) {
                return Err(format!("a server's name has letters, digits and `-`, not `{name}`"));
            }
            if owner.prefix.len() + name.len() > MAX_NAME {
                return Err(format!(
                    "`{}{name}` has more than the {MAX_NAME} characters of a host name",
                    owner.prefix
                ));
            }
            if !names.insert(name.clone()) {
                return Err(format!("two servers are called `{name}`"));
            }
        }
        for spec in &self.servers {
            let of = format!("server `{}`", spec.name);
            if let Some(group) = spec.group.as_ref().filter(|group| !self.groups.contains_key(*group)) {
                return Err(format!("{of} is in the group `{group}`, which `groups` does not have"));
            }
            for (what, given) in [("flavor", self.flavor(spec)), ("image", self.image(spec))] {
                given.ok_or_else(|| format!("{of} has no `{what}`"))?;
            }
            if !spec.variables.is_empty() && spec.user_data.is_empty() {
                return Err(format!("{of} has `variables`, but no `user_data` that could use them"));
            }
            if self.http && spec.result && (spec.user_data.is_empty() || spec.count != 1) {
                return Err(format!(
                    "{of} has to have `user_data`, and no `count`, to post its result (`http`)"
                ));
            }
        }
        match self.groups.iter().find(|(_, policy)| !POLICIES.contains(&policy.as_str())) {
            Some((name, policy)) => {
                Err(format!("the policy of group `{name}` is one of {}, not `{policy}`", POLICIES.join(", ")))
            }
            None => Ok(()),
        }
    }

    /// Tells each server that has a result where to post it, if they are to; `address` is by the server's full name.
    pub fn post_to(&mut self, owner: &Owner, address: impl Fn(&str) -> String) {
        for spec in self.servers.iter_mut().filter(|spec| spec.result) {
            let address = address(&format!("{}{}", owner.prefix, spec.name));
            spec.variables.insert("AUTOOPT_RESULT_URL".into(), address.into());
        }
    }

    /// Every server by its name within the workload, in order.
    pub fn each(&self) -> impl Iterator<Item = (String, &ServerSpec)> {
        self.servers.iter().flat_map(|spec| {
            (1..=spec.count).map(move |n| match spec.count {
                1 => (spec.name.clone(), spec),
                _ => (format!("{}-{n}", spec.name), spec),
            })
        })
    }

    pub(super) fn flavor<'a>(&'a self, spec: &'a ServerSpec) -> Option<&'a String> {
        spec.flavor.as_ref().or(self.flavor.as_ref())
    }

    pub(super) fn image<'a>(&'a self, spec: &'a ServerSpec) -> Option<&'a String> {
        spec.image.as_ref().or(self.image.as_ref())
    }

    pub(super) fn network<'a>(&'a self, spec: &'a ServerSpec) -> Option<&'a String> {
        spec.network.as_ref().or(self.network.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(settings: serde_json::Value) -> Result<Vec<String>, String> {
        let workload: Workload = serde_json::from_value(settings).map_err(|error| error.to_string())?;
        workload.check(&Owner { prefix: "autoopt-0123456789ab-".into(), metadata: BTreeMap::new() })?;
        Ok(workload.each().map(|(name, _)| name).collect())
    }

    #[test]
    fn servers_are_counted_out_in_order_and_mistakes_are_named() {
        let good = serde_json::json!({"flavor": "f", "image": "i", "servers": [{"name": "a", "count": 2}, {"name": "b"}]});
        assert_eq!(check(good).unwrap(), ["a-1", "a-2", "b"]);
        for (settings, said) in [
            (serde_json::json!({"servers": []}), "`servers` is empty"),
            (serde_json::json!({"servers": [{"name": "a"}]}), "no `flavor`"),
            (serde_json::json!({"servers": [{"name": "a", "flavour": "f"}]}), "unknown field `flavour`"),
            (
                serde_json::json!({"flavor": "f", "image": "i", "servers": [{"name": "a"}, {"name": "a"}]}),
                "two servers",
            ),
            (
                serde_json::json!({"flavor": "f", "image": "i", "servers": [{"name": "a", "group": "g"}]}),
                "group `g`",
            ),
            (serde_json::json!({"flavor": "f", "image": "i", "servers": [{"name": "a.b"}]}), "not `a.b`"),
            (
                serde_json::json!({"flavor": "f", "image": "i", "groups": {"g": "near"}, "servers": [{"name": "a"}]}),
                "not `near`",
            ),
        ] {
            let error = check(settings).expect_err(said);
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}
