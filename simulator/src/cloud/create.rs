//! What nova-api checks before it accepts servers.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::server::{Action, ConsoleFlaws, Phase};
use super::{Cloud, Event, Flavor, Image, Server, Status};
use crate::contention::Role;
use crate::faults::Fault;

/// A wish for a network interface.
#[derive(Clone, Debug, PartialEq)]
pub enum NetworkWish {
    Network { id: Uuid, address: Option<String> },
    Port(Uuid),
}

/// One request for servers.
#[derive(Clone, Debug)]
pub struct Create {
    pub name: String,
    pub flavor: Arc<Flavor>,
    pub image: Option<Arc<Image>>,
    pub networks: Vec<NetworkWish>,
    pub metadata: BTreeMap<String, String>,
    pub tags: Vec<String>,
    pub zone: Option<String>,
    pub force_host: Option<String>,
    pub group: Option<Uuid>,
    pub same_host: Vec<Uuid>,
    pub different_host: Vec<Uuid>,
    pub key_name: Option<String>,
    pub config_drive: bool,
    /// base64, as it came, and decoded.
    pub user_data: Option<(Arc<str>, String)>,
    pub count: usize,
    pub request_id: String,
}

/// Why servers are not accepted, in nova's words.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CreateError {
    #[error("Quota exceeded for {what}: Requested {requested}, but already used {used} of {limit} {what}")]
    Quota { what: &'static str, requested: i64, used: i64, limit: i64 },
    #[error("{0}")]
    Bad(String),
}

impl Cloud {
    /// Accepts the servers of one request, which the scheduler then sees as one; their ids, in order.
    pub fn create(&mut self, create: &Create) -> Result<Vec<Uuid>, CreateError> {
        self.check_quota(create)?;
        self.check_placement_wishes(create)?;
        let mut ids = Vec::with_capacity(create.count);
        for i in 0..create.count {
            let id = self.fresh_id("server");
            let name =
                if create.count > 1 { format!("{}-{}", create.name, i + 1) } else { create.name.clone() };
            let server = self.new_server(id, name, create);
            self.servers.insert(id, server);
            ids.push(id);
        }
        if let Some(group) = create.group.and_then(|id| self.groups.get_mut(&id)) {
            group.members.extend(&ids);
        }
        self.after(self.config.compute.schedule, Event::Schedule { servers: ids.clone() });
        Ok(ids)
    }

    fn new_server(&mut self, id: Uuid, name: String, create: &Create) -> Server {
        self.sequence += 1;
        let mut flaw = |fault| self.faults.strikes(fault, &mut self.rng);
        let flaws = ConsoleFlaws {
            empty: flaw(Fault::EmptyConsole),
            truncated: flaw(Fault::TruncatedConsole),
            corrupt: flaw(Fault::CorruptConsole),
        };
        let role = create.user_data.as_ref().map_or(Role::Idle, |(_, text)| Role::of(text));
        Server {
            id,
            number: self.sequence,
            name,
            flavor: create.flavor.clone(),
            image: create.image.clone(),
            status: Status::Build,
            task_state: Some("scheduling"),
            host: None,
            zone: create.zone.clone(),
            force_host: create.force_host.clone(),
            group: create.group,
            same_host: create.same_host.clone(),
            different_host: create.different_host.clone(),
            metadata: create.metadata.clone(),
            tags: create.tags.clone(),
            key_name: create.key_name.clone(),
            config_drive: create.config_drive,
            user_data: create.user_data.as_ref().map(|(raw, _)| raw.clone()),
            role,
            phase: Phase::Off,
            boot: 0,
            flaws,
            networks: create.networks.clone(),
            ports: Vec::new(),
            attempt: 0,
            alternates: Vec::new(),
            counted_as_io: false,
            created: self.wall,
            updated: self.wall,
            launched: None,
            fault: None,
            actions: vec![Action {
                name: "create",
                request_id: create.request_id.clone(),
                start: self.wall,
                finish: None,
                event: "compute__do_build_and_run_instance",
                error: None,
            }],
        }
    }

    fn check_quota(&self, create: &Create) -> Result<(), CreateError> {
        let flavor = &create.flavor.config;
        let count = create.count as i64;
        let used = self.servers.values().fold((0, 0, 0), |(n, v, m), s| {
            (n + 1, v + s.flavor.config.vcpus, m + s.flavor.config.memory_mb)
        });
        let quota = &self.config.quota;
        for (what, requested, used, limit) in [
            ("instances", count, used.0, quota.instances),
            ("cores", count * flavor.vcpus, used.1, quota.cores),
            ("ram", count * flavor.memory_mb, used.2, quota.memory_mb),
        ] {
            if limit >= 0 && used + requested > limit {
                return Err(CreateError::Quota { what, requested, used, limit });
            }
        }
        Ok(())
    }

    fn check_placement_wishes(&self, create: &Create) -> Result<(), CreateError> {
        let bad = |message: String| Err(CreateError::Bad(message));
        if let Some(zone) = &create.zone
            && !(0..self.hosts.len()).any(|i| self.zone_of(i) == zone)
        {
            return bad("The requested availability zone is not available".into());
        }
        if let Some(host) = &create.force_host
            && self.host_index(host).is_none()
        {
            return bad(format!("Compute host {host} could not be found."));
        }
        if let Some(id) = create.group.filter(|id| !self.groups.contains_key(id)) {
            return bad(format!("Instance group {id} could not be found."));
        }
        for wish in &create.networks {
            match wish {
                NetworkWish::Network { id, .. } if !self.networks.iter().any(|n| n.id == *id) => {
                    return bad(format!("Network {id} could not be found."));
                }
                NetworkWish::Port(id) if self.ports.get(id).is_none_or(|p| p.device.is_some()) => {
                    return bad(format!("Port {id} could not be found, or is still in use."));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
