//! The simulated cloud as a state that virtual time and requests change; no I/O, no clock.

pub mod aggregate;
pub mod console;
mod create;
mod guests;
mod host;
mod lifecycle;
pub mod network;
pub mod scheduler;
pub mod server;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use rand_xoshiro::Xoshiro256PlusPlus;
use uuid::Uuid;

use crate::config::{Config, FlavorConfig, ImageConfig};
use crate::contention::noise::generator;
use crate::faults::Faults;
pub use aggregate::CloudAggregate;
pub use create::{Create, CreateError, NetworkWish};
pub use host::Host;
pub use network::{Network, NetworkError, Port};
pub use scheduler::{Decision, Scheduler};
pub use server::{Server, ServerGroup, Status};

/// Virtual time in milliseconds since the simulation's start.
pub type Millis = u64;

/// A flavor with its id.
#[derive(Clone, Debug)]
pub struct Flavor {
    pub id: Uuid,
    pub config: FlavorConfig,
}

/// An image with its id.
#[derive(Clone, Debug)]
pub struct Image {
    pub id: Uuid,
    pub config: ImageConfig,
    pub properties: Arc<BTreeMap<String, String>>,
}

/// What is to happen at an instant.
#[derive(Clone, Debug)]
enum Event {
    /// A request for servers reaches the scheduler.
    Schedule {
        servers: Vec<Uuid>,
    },
    /// A build ends; `attempt` tells it from an earlier build of the same server.
    Built {
        server: Uuid,
        attempt: u32,
        fails: bool,
    },
    Booted {
        server: Uuid,
        boot: u32,
    },
    /// A benchmark starts, unless it was put off in the meantime.
    Start {
        server: Uuid,
    },
    Finish {
        server: Uuid,
    },
    Deleted {
        server: Uuid,
    },
}

/// The cloud.
#[derive(Debug)]
pub struct Cloud {
    pub config: Config,
    pub project: Uuid,
    pub user: Uuid,
    pub hosts: Vec<Host>,
    pub flavors: Vec<Arc<Flavor>>,
    pub images: Vec<Arc<Image>>,
    pub aggregates: BTreeMap<i64, CloudAggregate>,
    pub networks: Vec<Network>,
    pub ports: BTreeMap<Uuid, Port>,
    pub servers: BTreeMap<Uuid, Server>,
    pub groups: BTreeMap<Uuid, ServerGroup>,
    /// What Placement holds for each consumer.
    pub allocations: BTreeMap<Uuid, Allocation>,
    pub scheduler: Scheduler,
    pub faults: Faults,
    /// The latest decisions, oldest first.
    pub decisions: VecDeque<Decision>,
    now: Millis,
    /// The real time of what happens now, as the API tells it.
    wall: Timestamp,
    events: BTreeMap<(Millis, u64), Event>,
    sequence: u64,
    rng: Xoshiro256PlusPlus,
}

/// A consumer's claim on one host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allocation {
    /// Index into `Cloud::hosts`.
    pub host: usize,
    pub vcpus: i64,
    pub memory_mb: i64,
    pub disk_gb: i64,
}

impl Cloud {
    /// A new cloud; `wall` is the real time.
    pub fn new(config: Config, wall: Timestamp) -> Self {
        let seed = config.seed;
        let id = |kind: &str, name: &str| named_id(seed, kind, name);
        let flavors = config
            .flavors
            .iter()
            .map(|f| Arc::new(Flavor { id: id("flavor", &f.name), config: f.clone() }))
            .collect();
        let images = config
            .images
            .iter()
            .map(|i| {
                let properties = Arc::new(i.properties.clone());
                Arc::new(Image { id: id("image", &i.name), config: i.clone(), properties })
            })
            .collect();
        let hosts: Vec<Host> = config
            .hosts
            .iter()
            .enumerate()
            .map(|(i, h)| Host::new(i, h.clone(), id("host", &h.name)))
            .collect();
        let mut cloud = Self {
            project: id("project", &config.identity.project),
            user: id("user", &config.identity.user),
            hosts,
            flavors,
            images,
            aggregates: BTreeMap::new(),
            networks: config.networks.iter().map(|n| Network::new(n, seed)).collect(),
            ports: BTreeMap::new(),
            servers: BTreeMap::new(),
            groups: BTreeMap::new(),
            allocations: BTreeMap::new(),
            scheduler: Scheduler::new(config.scheduler.release),
            faults: config.faults.clone(),
            decisions: VecDeque::new(),
            now: 0,
            wall,
            events: BTreeMap::new(),
            sequence: 0,
            rng: generator(seed, "cloud", 0),
            config,
        };
        for aggregate in cloud.config.aggregates.clone() {
            cloud.add_configured_aggregate(&aggregate);
        }
        cloud.start_scheduler();
        cloud.report_all();
        cloud
    }

    /// Lets virtual time pass until `now`; what happens on the way happens at `wall` for the API.
    pub fn advance(&mut self, now: Millis, wall: Timestamp) {
        self.wall = wall;
        while let Some(entry) = self.events.first_entry() {
            let (at, _) = *entry.key();
            if at > now {
                break;
            }
            let event = entry.remove();
            self.pass_until(at);
            self.handle(event);
        }
        self.pass_until(now);
    }

    /// The virtual time.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// The virtual time in seconds.
    pub fn seconds(&self) -> f64 {
        self.now as f64 / 1000.0
    }

    /// The real time of the latest [`advance`](Self::advance).
    pub fn wall(&self) -> Timestamp {
        self.wall
    }

    /// When the next thing happens, if anything is under way.
    pub fn next_event(&self) -> Option<Millis> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    fn pass_until(&mut self, at: Millis) {
        let at = at.max(self.now);
        self.measure_until(at);
        self.now = at;
        self.report_due();
    }

    fn after(&mut self, seconds: f64, event: Event) {
        self.sequence += 1;
        let at = self.now + (seconds.max(0.0) * 1000.0).round() as Millis;
        self.events.insert((at, self.sequence), event);
    }

    /// A fresh id that depends on the seed and on how many there were before.
    pub(crate) fn fresh_id(&mut self, kind: &str) -> Uuid {
        self.sequence += 1;
        named_id(self.config.seed, kind, &format!("#{}", self.sequence))
    }

    /// By id or name.
    pub fn flavor(&self, key: &str) -> Option<&Arc<Flavor>> {
        self.flavors.iter().find(|f| f.id.to_string() == key || f.config.name == key)
    }

    /// By id.
    pub fn image(&self, key: &str) -> Option<&Arc<Image>> {
        self.images.iter().find(|i| i.id.to_string() == key)
    }

    /// The index of the host of that name.
    pub fn host_index(&self, name: &str) -> Option<usize> {
        self.hosts.iter().position(|h| h.config.name == name)
    }
}

/// An id that depends on the seed and the name alone.
pub(crate) fn named_id(seed: u64, kind: &str, name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("autoopt-simulator/{seed}/{kind}/{name}").as_bytes())
}
