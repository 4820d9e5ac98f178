//! The worker that owns the bench stage: it runs the benchmark and keeps what it printed.

mod before;
mod command;
mod inbox;
mod openstack;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use autoopt_cloud::workload::Way;
use autoopt_epoch::command::Commands;
use autoopt_epoch::worker::Backend;

pub use command::Command;
pub use openstack::Servers;

/// What this worker can do, by the name that an experiment gives as `backend`.
pub fn backends(commands: &Commands) -> BTreeMap<String, Arc<dyn Backend>> {
    let command: Arc<dyn Backend> = Arc::new(Command::new(commands.bench.command.clone()));
    let servers: Arc<dyn Backend> = Arc::new(Servers::new(commands.openstack.clone(), Way::Servers));
    let heat: Arc<dyn Backend> = Arc::new(Servers::new(commands.openstack.clone(), Way::Heat));
    BTreeMap::from([
        ("command".to_owned(), command),
        ("heat".to_owned(), heat),
        ("servers".to_owned(), servers),
    ])
}
