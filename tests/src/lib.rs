//! What the end-to-end tests stand on: a private broker that can be killed, databases of their own, and the services as
//! real processes that can be killed.

pub mod broker;
pub mod database;
pub mod faults;
pub mod many;
pub mod python;
pub mod sandbox;
pub mod vhost;
