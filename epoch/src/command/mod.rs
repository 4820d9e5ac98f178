//! Running the programs that a worker's configuration names.
//!
//! A message names an entry of [`config`] and supplies values; [`template`] puts them into arguments.

mod capture;
pub mod config;
mod entry;
pub mod family;
mod load;
mod openstack;
mod prepare;
pub mod process;
mod run;
pub mod template;

pub use capture::Captured;
pub use config::{ApplyCommand, BenchCommand, CollectCommand, Commands, LoadCommand, Program};
pub use entry::entry;
pub use family::Family;
pub use openstack::{Cluster, Http, OpenStack, Scheduler};
pub use prepare::{check, family, identity, not_started, prepare};
pub use run::{Call, OnStart, Output, run};
