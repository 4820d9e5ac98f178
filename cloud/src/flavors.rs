//! How much of a host a server takes: <https://docs.openstack.org/api-ref/compute/#flavors>.

use serde::Deserialize;

use crate::Cloud;
use crate::call::{Call, Service};
use crate::error::Error;

/// A flavor's size.
#[derive(Clone, Debug, Deserialize)]
pub struct FlavorSize {
    pub name: String,
    pub vcpus: i64,
    /// In MiB.
    pub ram: i64,
    /// Root disk in GiB.
    pub disk: i64,
}

impl Cloud {
    /// All flavors that this login may use.
    pub async fn flavors(&self) -> Result<Vec<FlavorSize>, Error> {
        self.list(Service::Compute, &["flavors", "detail"], "flavors", &[]).await
    }

    /// The flavor with this id.
    pub async fn flavor_size(&self, id: &str) -> Result<FlavorSize, Error> {
        self.fetch(&Call::get(Service::Compute, &["flavors", id]), "flavor").await
    }
}
