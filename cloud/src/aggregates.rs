//! Host aggregates: <https://docs.openstack.org/api-ref/compute/#host-aggregates-os-aggregates-os-aggregates>.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use crate::Cloud;
use crate::call::{Call, Service};
use crate::error::{Error, ErrorKind};

/// A host aggregate.
#[derive(Clone, Debug, Deserialize)]
pub struct Aggregate {
    pub id: u64,
    pub name: String,
    #[serde(default)]
    pub availability_zone: Option<String>,
    #[serde(default)]
    pub hosts: Vec<String>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

impl Aggregate {
    /// The one of that name.
    pub fn named(all: &[Self], name: &str) -> Result<Self, Error> {
        all.iter().find(|aggregate| aggregate.name == name).cloned().ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(|aggregate| aggregate.name.as_str()).collect();
            let message =
                format!("there is none of that name; there are {}", autoopt_epoch::problem::list(&known));
            Error::new(ErrorKind::NotFound, format!("host aggregate `{name}`"), message)
        })
    }
}

impl Cloud {
    /// All host aggregates.
    pub async fn aggregates(&self) -> Result<Vec<Aggregate>, Error> {
        self.fetch(&Call::get(Service::Compute, &["os-aggregates"]), "aggregates").await
    }

    /// The host aggregate `name`.
    pub async fn aggregate(&self, name: &str) -> Result<Aggregate, Error> {
        Aggregate::named(&self.aggregates().await?, name)
    }

    /// Sets the keys that have a value and removes those that have none, in one call; other keys stay.
    pub async fn set_aggregate_metadata(
        &self,
        id: u64,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<Aggregate, Error> {
        let id = id.to_string();
        let path = ["os-aggregates", id.as_str(), "action"];
        let body = json!({"set_metadata": {"metadata": changes}});
        self.fetch(&Call::post(Service::Compute, &path, body).repeatable(), "aggregate").await
    }
}
