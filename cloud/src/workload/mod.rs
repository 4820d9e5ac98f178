//! A workload of servers: what an experiment says of it, and how it comes to be and goes.

mod deploy;
mod leaks;
mod remove;
mod spec;
mod stack;
mod user_data;
mod way;

pub use deploy::Deployed;
pub use leaks::{Inventory, still_there};
pub use remove::leftovers;
pub use spec::{Owner, ServerSpec, Workload};
pub use stack::HeatWorkload;
pub(crate) use user_data::file;
pub use way::{Deployment, Plan, Way};
