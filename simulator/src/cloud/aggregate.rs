//! Host aggregates and the availability zones that they make.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Cloud, named_id};
use crate::config::AggregateConfig;
use crate::faults::Fault;

/// The zone of hosts that no aggregate puts into another (nova's `default_availability_zone`).
pub const DEFAULT_ZONE: &str = "nova";
/// The metadata key that makes an aggregate a zone.
pub const ZONE_KEY: &str = "availability_zone";

/// A host aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudAggregate {
    pub id: i64,
    pub uuid: Uuid,
    pub name: String,
    /// Indices into `Cloud::hosts`.
    pub hosts: Vec<usize>,
    pub metadata: BTreeMap<String, String>,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
}

impl CloudAggregate {
    /// The zone it makes, if any.
    pub fn zone(&self) -> Option<&str> {
        self.metadata.get(ZONE_KEY).map(String::as_str)
    }
}

/// A change of an aggregate that nova refuses.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AggregateError {
    #[error("Aggregate {0} could not be found.")]
    NotFound(i64),
    #[error("Compute host {0} could not be found.")]
    NoHost(String),
    #[error("Aggregate {0} already exists.")]
    NameExists(String),
    #[error("Aggregate {1} already has host {0}.")]
    HostExists(String, i64),
    #[error("Aggregate {1} has no host {0}.")]
    HostMissing(String, i64),
    #[error("Cannot remove host from aggregate {0}: Reason: Aggregate is not empty.")]
    NotEmpty(i64),
    #[error("Cannot {action} aggregate {id}. Reason: {reason}.")]
    Zone { action: &'static str, id: i64, reason: String },
}

impl Cloud {
    pub(super) fn add_configured_aggregate(&mut self, config: &AggregateConfig) {
        let mut metadata = config.metadata.clone();
        if let Some(zone) = &config.zone {
            metadata.insert(ZONE_KEY.into(), zone.clone());
        }
        let hosts = config.hosts.iter().filter_map(|name| self.host_index(name)).collect();
        self.insert_aggregate(&config.name, metadata, hosts);
    }

    fn insert_aggregate(&mut self, name: &str, metadata: BTreeMap<String, String>, hosts: Vec<usize>) -> i64 {
        self.sequence += 1;
        let id = self.aggregates.keys().next_back().map_or(1, |last| last + 1);
        let uuid = named_id(self.config.seed, "aggregate", &format!("#{}", self.sequence));
        let (name, created) = (name.to_owned(), self.wall);
        self.aggregates
            .insert(id, CloudAggregate { id, uuid, name, hosts, metadata, created, updated: None });
        id
    }

    /// The zone of host `i`.
    pub fn zone_of(&self, i: usize) -> &str {
        let zone = self.aggregates.values().filter(|a| a.hosts.contains(&i)).find_map(CloudAggregate::zone);
        zone.unwrap_or(DEFAULT_ZONE)
    }

    /// Makes an aggregate without hosts.
    pub fn create_aggregate(&mut self, name: &str, zone: Option<&str>) -> Result<i64, AggregateError> {
        if self.aggregates.values().any(|a| a.name == name) {
            return Err(AggregateError::NameExists(name.to_owned()));
        }
        let metadata = zone.map(|zone| (ZONE_KEY.to_owned(), zone.to_owned())).into_iter().collect();
        let id = self.insert_aggregate(name, metadata, Vec::new());
        self.tell_scheduler(id);
        Ok(id)
    }

    pub fn delete_aggregate(&mut self, id: i64) -> Result<(), AggregateError> {
        let aggregate = self.aggregate(id)?;
        if !aggregate.hosts.is_empty() {
            return Err(AggregateError::NotEmpty(id));
        }
        self.aggregates.remove(&id);
        self.tell_scheduler(id);
        Ok(())
    }

    /// By id.
    pub fn aggregate(&self, id: i64) -> Result<&CloudAggregate, AggregateError> {
        self.aggregates.get(&id).ok_or(AggregateError::NotFound(id))
    }

    /// Renames it or gives it another zone.
    pub fn update_aggregate(
        &mut self,
        id: i64,
        name: Option<String>,
        zone: Option<String>,
    ) -> Result<(), AggregateError> {
        if name.is_some() && self.aggregates.values().any(|a| a.id != id && Some(&a.name) == name.as_ref()) {
            return Err(AggregateError::NameExists(name.unwrap_or_default()));
        }
        if let Some(zone) = zone {
            self.set_metadata(id, &BTreeMap::from([(ZONE_KEY.to_owned(), Some(zone))]))?;
        }
        self.change(id, |aggregate| {
            if let Some(name) = name {
                aggregate.name = name;
            }
        })
    }

    /// Sets each key to its value, or removes it where there is none. The scheduler learns of it at once, unless a fault says otherwise.
    pub fn set_metadata(
        &mut self,
        id: i64,
        values: &BTreeMap<String, Option<String>>,
    ) -> Result<(), AggregateError> {
        let aggregate = self.aggregate(id)?;
        if let Some(zone) = values.get(ZONE_KEY)
            && zone.as_deref() != aggregate.zone()
            && aggregate.hosts.iter().any(|i| self.usage(*i).3 > 0)
        {
            let reason = "One or more hosts contain instances in this zone".to_owned();
            return Err(AggregateError::Zone { action: "update", id, reason });
        }
        self.change(id, |aggregate| {
            for (key, value) in values {
                match value {
                    Some(value) => aggregate.metadata.insert(key.clone(), value.clone()),
                    None => aggregate.metadata.remove(key),
                };
            }
        })
    }

    pub fn add_host(&mut self, id: i64, name: &str) -> Result<(), AggregateError> {
        let host = self.host_index(name).ok_or_else(|| AggregateError::NoHost(name.to_owned()))?;
        let aggregate = self.aggregate(id)?;
        if aggregate.hosts.contains(&host) {
            return Err(AggregateError::HostExists(name.to_owned(), id));
        }
        if let Some(zone) = aggregate.zone() {
            let present = self.zone_of(host);
            if present != zone && (present != DEFAULT_ZONE || self.usage(host).3 > 0) {
                let reason = format!("Host {name} is in availability zone {present}, or has instances");
                return Err(AggregateError::Zone { action: "add host to", id, reason });
            }
        }
        self.change(id, |aggregate| aggregate.hosts.push(host))
    }

    pub fn remove_host(&mut self, id: i64, name: &str) -> Result<(), AggregateError> {
        let host = self.host_index(name).ok_or_else(|| AggregateError::NoHost(name.to_owned()))?;
        let aggregate = self.aggregate(id)?;
        if !aggregate.hosts.contains(&host) {
            return Err(AggregateError::HostMissing(name.to_owned(), id));
        }
        if aggregate.zone().is_some() && self.usage(host).3 > 0 {
            let reason = "One or more hosts contain instances in this zone".to_owned();
            return Err(AggregateError::Zone { action: "remove host from", id, reason });
        }
        self.change(id, |aggregate| aggregate.hosts.retain(|h| *h != host))
    }

    fn change(&mut self, id: i64, change: impl FnOnce(&mut CloudAggregate)) -> Result<(), AggregateError> {
        let wall = self.wall;
        let aggregate = self.aggregates.get_mut(&id).ok_or(AggregateError::NotFound(id))?;
        change(aggregate);
        aggregate.updated = Some(wall);
        self.tell_scheduler(id);
        Ok(())
    }

    fn tell_scheduler(&mut self, id: i64) {
        if !self.faults.strikes(Fault::IgnoredMetadata, &mut self.rng) {
            self.scheduler.see_aggregate(id, self.aggregates.get(&id));
        }
    }
}
