//! A simulated OpenStack cloud.
//!
//! [`scheduler`] places servers with nova's arithmetic, [`contention`] says what servers that share a host measure, [`cloud`] is both over
//! virtual time, and [`api`] shows it through Keystone's, Nova's, Neutron's, Glance's and Placement's APIs. Everything but `api`
//! and [`handle`] is free of I/O and of clocks. docs/simulator.md describes the models.

mod address;
pub mod api;
pub mod clock;
pub mod cloud;
pub mod config;
pub mod contention;
pub mod faults;
pub mod handle;
pub mod print;
pub mod remote;
pub mod scheduler;

pub use cloud::Cloud;
pub use config::Config;
pub use handle::Simulator;
