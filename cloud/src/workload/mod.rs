//! A workload of servers: what an experiment says of it, and how it comes to be and goes.

mod deploy;
mod leaks;
mod remove;
mod spec;
mod stack;
mod user_data;

pub use deploy::{Deployed, deploy};
pub use leaks::Inventory;
pub use remove::{leftovers, remove};
pub use spec::{Owner, ServerSpec, Workload};
pub use stack::{HeatWorkload, deploy_stack, remove_stacks};
pub(crate) use user_data::file;
