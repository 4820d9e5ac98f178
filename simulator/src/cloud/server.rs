//! Servers and server groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Flavor, Image, Millis, NetworkWish};
use crate::contention::{Outcome, Rates, Role};
use crate::scheduler::Policy;

/// As the compute API names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Build,
    Active,
    Shutoff,
    Error,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Build => "BUILD",
            Self::Active => "ACTIVE",
            Self::Shutoff => "SHUTOFF",
            Self::Error => "ERROR",
        }
    }

    /// nova's `vm_state`.
    pub fn vm_state(self) -> &'static str {
        match self {
            Self::Build => "building",
            Self::Active => "active",
            Self::Shutoff => "stopped",
            Self::Error => "error",
        }
    }

    /// nova's `power_state`: 0 none, 1 running, 4 shut down.
    pub fn power_state(self) -> u8 {
        match self {
            Self::Build | Self::Error => 0,
            Self::Active => 1,
            Self::Shutoff => 4,
        }
    }
}

/// What its guest is doing.
#[derive(Clone, Debug)]
pub enum Phase {
    /// Not running, or not through its boot.
    Off,
    /// Keeps up its load, or idles.
    Up,
    /// A benchmark that starts at that time, unless another guest boots before.
    Waiting { starts: Millis },
    /// A benchmark that runs; `sums` are its rates integrated over time.
    Measuring { since: Millis, now: Rates, sums: Rates },
    /// A benchmark that has printed its result.
    Finished(Outcome),
}

/// Why a server is in ERROR.
#[derive(Clone, Debug)]
pub struct ServerFault {
    pub code: u16,
    pub message: String,
    pub created: Timestamp,
}

/// One entry of a server's action log.
#[derive(Clone, Debug)]
pub struct Action {
    pub name: &'static str,
    pub request_id: String,
    pub start: Timestamp,
    pub finish: Option<Timestamp>,
    /// `compute__do_build_and_run_instance` and the like.
    pub event: &'static str,
    pub error: Option<String>,
}

/// What is wrong with a server's console; decided when it is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsoleFlaws {
    pub empty: bool,
    pub truncated: bool,
    pub corrupt: bool,
}

/// A server.
#[derive(Clone, Debug)]
pub struct Server {
    pub id: Uuid,
    /// How many servers there were before it.
    pub number: u64,
    pub name: String,
    pub flavor: Arc<Flavor>,
    pub image: Option<Arc<Image>>,
    pub status: Status,
    pub task_state: Option<&'static str>,
    /// Index into `Cloud::hosts`.
    pub host: Option<usize>,
    pub zone: Option<String>,
    pub force_host: Option<String>,
    pub group: Option<Uuid>,
    pub same_host: Vec<Uuid>,
    pub different_host: Vec<Uuid>,
    pub metadata: BTreeMap<String, String>,
    pub tags: Vec<String>,
    pub key_name: Option<String>,
    pub config_drive: bool,
    /// As it came, base64.
    pub user_data: Option<Arc<str>>,
    pub role: Role,
    pub phase: Phase,
    /// Counts boots, so that what belongs to an earlier one is known.
    pub boot: u32,
    pub flaws: ConsoleFlaws,
    pub networks: Vec<NetworkWish>,
    pub ports: Vec<Uuid>,
    /// Builds so far.
    pub attempt: u32,
    pub alternates: Vec<String>,
    /// Whether the host's record still counts it as an I/O operation.
    pub counted_as_io: bool,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub launched: Option<Timestamp>,
    pub fault: Option<ServerFault>,
    pub actions: Vec<Action>,
}

impl Server {
    pub fn vcpus(&self) -> f64 {
        self.flavor.config.vcpus as f64
    }

    /// Whether its guest asks anything of its host now.
    pub fn is_busy(&self) -> bool {
        matches!(self.phase, Phase::Up | Phase::Measuring { .. })
    }
}

/// A server group.
#[derive(Clone, Debug)]
pub struct ServerGroup {
    pub id: Uuid,
    pub name: String,
    pub policy: Policy,
    pub max_server_per_host: usize,
    /// Those that exist.
    pub members: Vec<Uuid>,
}
