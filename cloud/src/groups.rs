//! Server groups: <https://docs.openstack.org/api-ref/compute/#server-groups-os-server-groups>.

use serde::Deserialize;
use serde_json::json;

use crate::Cloud;
use crate::call::{Call, Service};
use crate::error::Error;
use crate::servers::gone_is_fine;

/// A server group.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerGroup {
    pub id: String,
    pub name: String,
    /// `affinity`, `anti-affinity`, `soft-affinity` or `soft-anti-affinity`.
    #[serde(default)]
    pub policy: String,
    #[serde(default)]
    pub members: Vec<String>,
}

impl Cloud {
    /// The project's server groups whose names begin with `prefix`.
    pub async fn server_groups(&self, prefix: &str) -> Result<Vec<ServerGroup>, Error> {
        let call = Call::get(Service::Compute, &["os-server-groups"]);
        let all: Vec<ServerGroup> = self.fetch(&call, "server_groups").await?;
        Ok(all.into_iter().filter(|group| group.name.starts_with(prefix)).collect())
    }

    /// The id of a new server group.
    pub async fn create_server_group(&self, name: &str, policy: &str) -> Result<String, Error> {
        let body = json!({"server_group": {"name": name, "policy": policy}});
        let group: ServerGroup =
            self.fetch(&Call::post(Service::Compute, &["os-server-groups"], body), "server_group").await?;
        Ok(group.id)
    }

    /// Deletes a server group. One that is gone is fine.
    pub async fn delete_server_group(&self, id: &str) -> Result<(), Error> {
        gone_is_fine(self.call(&Call::delete(Service::Compute, &["os-server-groups", id])).await)
    }
}
