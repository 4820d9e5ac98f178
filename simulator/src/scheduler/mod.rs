//! nova-scheduler as a function: hosts, settings and a request in, hosts chosen out.
//!
//! Follows nova's own code (`nova/scheduler/manager.py`, `nova/weights.py`, `nova/scheduler/{filters,weights}/`), read at
//! 2026.2's development branch, commit 00a0304. Where nova's order is arbitrary (it walks a Python set of hosts, so exact ties
//! fall to no host in particular), the order of the hosts given here decides.

pub mod conf;
pub mod filters;
pub mod host;
pub mod select;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod weighers;

pub use host::{Aggregate, HostState, Inventory};
pub use select::{Choice, Group, Policy, Refusal, Request, select};
pub use settings::Settings;
pub use weighers::Weigher;
