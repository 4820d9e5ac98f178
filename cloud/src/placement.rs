//! Placement: <https://docs.openstack.org/api-ref/placement/>.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Cloud;
use crate::call::{Call, Service};
use crate::error::Error;
use crate::servers::gone_is_fine;

/// A resource provider: a host, as a rule.
#[derive(Clone, Debug, Deserialize)]
pub struct Provider {
    pub uuid: String,
    pub name: String,
}

/// What a provider has of one resource class.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Inventory {
    pub total: u64,
    pub reserved: u64,
    pub allocation_ratio: f64,
}

/// Amounts by resource class.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Resources {
    pub resources: BTreeMap<String, u64>,
}

impl Cloud {
    /// All resource providers.
    pub async fn providers(&self) -> Result<Vec<Provider>, Error> {
        self.fetch(&Call::get(Service::Placement, &["resource_providers"]), "resource_providers").await
    }

    /// What a provider has, by resource class.
    pub async fn inventories(&self, provider: &str) -> Result<BTreeMap<String, Inventory>, Error> {
        let path = ["resource_providers", provider, "inventories"];
        self.fetch(&Call::get(Service::Placement, &path), "inventories").await
    }

    /// What is taken from a provider, by consumer (a server's id).
    pub async fn provider_allocations(&self, provider: &str) -> Result<BTreeMap<String, Resources>, Error> {
        let path = ["resource_providers", provider, "allocations"];
        self.fetch(&Call::get(Service::Placement, &path), "allocations").await
    }

    /// Gives back what a consumer takes. Nothing is fine.
    pub async fn delete_allocations(&self, consumer: &str) -> Result<(), Error> {
        gone_is_fine(self.call(&Call::delete(Service::Placement, &["allocations", consumer])).await)
    }

    /// What a consumer (a server's id) takes, by provider; empty if nothing.
    pub async fn allocations(&self, consumer: &str) -> Result<BTreeMap<String, Resources>, Error> {
        self.fetch(&Call::get(Service::Placement, &["allocations", consumer]), "allocations").await
    }
}
