//! The OpenStack client of the stages.
//!
//! [`Cloud`] is a login to one cloud, with a method for each thing that the stages do there and types of its own; what it is
//! built on (the crate `osauth`: credentials, tokens, the service catalogue) is seen in `session` and `call` alone.
//! Credentials come from clouds.yaml or `OS_*` variables and are never shown.

mod aggregates;
mod call;
mod clouds;
pub mod console;
mod error;
mod flavors;
mod groups;
mod hosts;
pub mod knobs;
mod names;
mod place;
mod placement;
mod ports;
mod release;
mod servers;
mod session;
mod stacks;
pub mod template;
mod together;
mod wait;
pub mod workload;

pub use aggregates::Aggregate;
pub use clouds::Clouds;
pub use error::{Error, ErrorKind};
pub use flavors::FlavorSize;
pub use groups::ServerGroup;
pub use hosts::{ComputeService, Hypervisor, HypervisorService, Limits};
pub use place::Place;
pub use placement::{Inventory, Provider, Resources};
pub use ports::{Attachment, Port, Volume};
pub use servers::{Address, Fault, MAX_USER_DATA, NewServer, Server};
pub use session::Cloud;
pub use stacks::{NewStack, Stack, StackEvent, StackResource};
pub use wait::Pace;
