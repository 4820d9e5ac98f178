//! Running the programs that a worker's configuration names.
//!
//! A message names an entry of [`config`] and supplies values; [`template`] puts them into arguments.

mod capture;
pub mod config;
mod entry;
pub mod group;
mod load;
mod openstack;
mod prepare;
mod run;
pub mod template;

pub use capture::Captured;
pub use config::{ApplyCommand, BenchCommand, CollectCommand, Commands, LoadCommand, Program};
pub use entry::entry;
pub use openstack::{Cluster, OpenStack, Scheduler};
pub use prepare::{check, identity, not_started, prepare};
pub use run::{Call, Output, run};
