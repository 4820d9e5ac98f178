//! Networks with one subnet each, and the ports of servers.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Cloud, named_id};
use crate::address::Subnet;
use crate::config::NetworkConfig;

/// A network.
#[derive(Clone, Debug)]
pub struct Network {
    pub id: Uuid,
    pub subnet_id: Uuid,
    pub name: String,
    pub cidr: String,
    pub subnet: Subnet,
    pub external: bool,
}

impl Network {
    pub(super) fn new(config: &NetworkConfig, seed: u64) -> Self {
        #[expect(clippy::expect_used, reason = "Config's checks have parsed it")]
        let subnet = Subnet::parse(&config.cidr).expect("a checked network");
        Self {
            id: named_id(seed, "network", &config.name),
            subnet_id: named_id(seed, "subnet", &config.name),
            name: config.name.clone(),
            cidr: config.cidr.clone(),
            subnet,
            external: config.external,
        }
    }
}

/// A port with one address.
#[derive(Clone, Debug)]
pub struct Port {
    pub id: Uuid,
    pub name: String,
    pub network: Uuid,
    pub address: Ipv4Addr,
    pub mac: String,
    /// The server it belongs to.
    pub device: Option<Uuid>,
    /// Whether nova made it, and takes it away with its server.
    pub of_nova: bool,
    pub created: Timestamp,
}

/// Why a port cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NetworkError {
    #[error("Network {0} could not be found.")]
    NoNetwork(String),
    #[error("Port {0} could not be found.")]
    NoPort(String),
    #[error("Port {0} is still in use.")]
    PortInUse(Uuid),
    #[error("No more IP addresses available on network {0}.")]
    NoAddress(Uuid),
    #[error("Quota exceeded for resources: ['port'].")]
    Quota,
    #[error("IP address {0} is not a valid IP for the specified subnet, or is in use.")]
    BadAddress(String),
}

impl Cloud {
    /// By id.
    pub fn network(&self, key: &str) -> Option<&Network> {
        self.networks.iter().find(|n| n.id.to_string() == key)
    }

    /// Makes a port on `network`, with `address` if one is wished for.
    pub fn create_port(
        &mut self,
        network: Uuid,
        name: &str,
        address: Option<&str>,
        device: Option<Uuid>,
        of_nova: bool,
    ) -> Result<Uuid, NetworkError> {
        let limit = self.config.quota.ports;
        if limit >= 0 && self.ports.len() as i64 >= limit {
            return Err(NetworkError::Quota);
        }
        let found = self.networks.iter().find(|n| n.id == network);
        let subnet = found.ok_or_else(|| NetworkError::NoNetwork(network.to_string()))?.subnet;
        let taken: BTreeSet<Ipv4Addr> =
            self.ports.values().filter(|p| p.network == network).map(|p| p.address).collect();
        let address = match address {
            Some(text) => text
                .parse()
                .ok()
                .filter(|a| subnet.contains(*a) && !taken.contains(a))
                .ok_or_else(|| NetworkError::BadAddress(text.to_owned()))?,
            None => subnet.free(&taken).ok_or(NetworkError::NoAddress(network))?,
        };
        let id = self.fresh_id("port");
        let [a, b, c, ..] = *id.as_bytes();
        let mac = format!("fa:16:3e:{a:02x}:{b:02x}:{c:02x}");
        let (name, created) = (name.to_owned(), self.wall);
        self.ports.insert(id, Port { id, name, network, address, mac, device, of_nova, created });
        Ok(id)
    }

    /// Deletes a port, whoever has it.
    pub fn delete_port(&mut self, id: Uuid) -> Result<(), NetworkError> {
        let port = self.ports.remove(&id).ok_or_else(|| NetworkError::NoPort(id.to_string()))?;
        if let Some(server) = port.device.and_then(|id| self.servers.get_mut(&id)) {
            server.ports.retain(|p| *p != id);
        }
        Ok(())
    }

    /// Address and network name of each port of `server`.
    pub fn addresses(&self, server: &super::Server) -> Vec<(&Network, &Port)> {
        server
            .ports
            .iter()
            .filter_map(|id| self.ports.get(id))
            .filter_map(|port| Some((self.networks.iter().find(|n| n.id == port.network)?, port)))
            .collect()
    }
}
