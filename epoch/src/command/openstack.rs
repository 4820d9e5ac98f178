//! What the workers of a host know of the OpenStack clouds they serve.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::command::config::Program;
use crate::time::Period;

/// The section `[openstack]`. No secret stands in it: they are in clouds.yaml or in `OS_*` variables.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenStack {
    /// Where templates and user data that an experiment names are; by default the directory of this file.
    pub files: Option<PathBuf>,
    /// bench: where servers post their results, if an experiment wants that.
    pub http: Option<Http>,
    /// By the name that experiments use.
    pub cluster: BTreeMap<String, Cluster>,
}

impl OpenStack {
    /// Clusters that are parts of one cloud have no hosts in common.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut seen = BTreeMap::new();
        for (name, cluster) in &self.cluster {
            let Some(aggregate) = &cluster.aggregate else { continue };
            let hosts = (&cluster.cloud, &cluster.clouds_file, &cluster.simulator, aggregate);
            if let Some(other) = seen.insert(hosts, name) {
                return Err(format!(
                    "openstack.cluster.{name}: the aggregate `{aggregate}` is that of openstack.cluster.{other} as well; give \
                     each an aggregate of its own, without hosts of the other"
                ));
            }
        }
        Ok(())
    }

    /// Relative paths are taken from the file's directory.
    pub(super) fn resolve(&mut self, directory: &Path) {
        self.files = Some(directory.join(self.files.take().unwrap_or_default()));
        for cluster in self.cluster.values_mut() {
            cluster.clouds_file = cluster.clouds_file.take().map(|path| directory.join(path));
        }
    }
}

/// Where the bench worker takes what servers post.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub listen: SocketAddr,
    /// How servers reach it: `http://ADDRESS:PORT`.
    pub url: String,
}

/// A cluster: how to reach it, and what in it may be changed.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// An entry of clouds.yaml; if absent, `OS_*` variables say who we are.
    pub cloud: Option<String>,
    /// clouds.yaml, if it is in none of its usual places.
    pub clouds_file: Option<PathBuf>,
    /// How long one call may take.
    pub timeout: Period,
    /// How often a call that can be repeated is made.
    pub attempts: u32,
    /// The address of `autoopt-simulator`, if it plays this cloud: a wait moves its clock instead of passing.
    pub simulator: Option<String>,
    /// The host aggregate whose metadata may be set; it holds the hosts under test.
    pub aggregate: Option<String>,
    /// The availability zone of servers that do not say theirs: the aggregate's, where several clusters are parts of one cloud.
    pub zone: Option<String>,
    /// How long values of an experiment may be in force while the coordinator asks for nothing; then they are restored. Longer
    /// than an epoch takes. If absent, they stay.
    pub dead_man: Option<Period>,
    /// Every nova-scheduler.
    pub scheduler: Vec<Scheduler>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            cloud: None,
            clouds_file: None,
            timeout: Period::seconds(30),
            attempts: 5,
            simulator: None,
            aggregate: None,
            zone: None,
            dead_man: None,
            scheduler: Vec::new(),
        }
    }
}

/// One nova-scheduler.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheduler {
    /// `user@host`; if absent, it is on the worker's host.
    #[serde(default)]
    pub ssh: Option<String>,
    /// The file to write, ending in `.conf`, in a directory that the scheduler reads after its other files.
    pub snippet: PathBuf,
    /// The scheduler's own files in its order, on its host: what they say is in force where nothing else is set.
    #[serde(default)]
    pub config: Vec<PathBuf>,
    /// Restarts the scheduler and returns when the old process is gone.
    pub restart: Program,
}
