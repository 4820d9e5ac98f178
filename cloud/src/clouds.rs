//! The clusters of a worker's configuration, and the logins to them.

use std::collections::HashMap;
use std::path::Path;

use autoopt_epoch::command::{Cluster, OpenStack};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::problem::nearest;
use tokio::sync::Mutex;

use crate::Cloud;

/// Logins by cluster, each opened when it is first needed and kept.
#[derive(Debug)]
pub struct Clouds {
    config: OpenStack,
    open: Mutex<HashMap<String, Cloud>>,
}

impl Clouds {
    /// Over the clusters of `[openstack]`.
    pub fn new(config: OpenStack) -> Self {
        Self { config, open: Mutex::default() }
    }

    /// The section.
    pub const fn config(&self) -> &OpenStack {
        &self.config
    }

    /// Where the files are that an experiment may name.
    pub fn files(&self) -> &Path {
        self.config.files.as_deref().unwrap_or_else(|| Path::new("."))
    }

    /// What the configuration says of a cluster; one that it does not have is `broken`.
    pub fn cluster(&self, name: &str) -> Result<&Cluster, Failure> {
        self.config.cluster.get(name).ok_or_else(|| {
            let known = self.config.cluster.keys().map(String::as_str);
            let hint =
                nearest(name, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let reason = format!("this worker's configuration has no [openstack.cluster.{name}]{hint}");
            Failure::new(FailureKind::Broken, reason)
        })
    }

    /// The login to a cluster.
    pub async fn get(&self, name: &str) -> Result<Cloud, Failure> {
        let cluster = self.cluster(name)?;
        let mut open = self.open.lock().await;
        if let Some(cloud) = open.get(name) {
            return Ok(cloud.clone());
        }
        let cloud = Cloud::connect(name, cluster).await?;
        open.insert(name.to_owned(), cloud.clone());
        Ok(cloud)
    }
}
