//! The worker that owns the apply stage: it puts parameters in force, checks that they are, and restores what was.

mod command;
mod openstack;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use autoopt_epoch::command::Commands;
use autoopt_epoch::worker::Backend;

pub use command::Command;
pub use openstack::{InForce, OpenStack};

/// What this worker can do, by the name that an experiment gives as `backend`.
pub fn backends(commands: &Commands) -> BTreeMap<String, Arc<dyn Backend>> {
    let command: Arc<dyn Backend> = Arc::new(Command::new(commands.apply.command.clone()));
    let openstack: Arc<dyn Backend> = Arc::new(OpenStack::new(commands.openstack.clone()));
    BTreeMap::from([("command".to_owned(), command), ("openstack".to_owned(), openstack)])
}
