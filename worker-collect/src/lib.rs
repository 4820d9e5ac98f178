//! The worker that owns the collect stage: it reads raw output, and computes metrics and the objective from it.
//!
//! [`parser`] turns the text that a benchmark printed into numbers, or says why it cannot, and has no I/O; [`readings`]
//! unpacks artifacts and asks the parsers; [`Command`] is the stage.

mod command;
mod console;
mod drift;
pub mod parser;
pub mod readings;

pub use command::{ARTIFACT, Command};
pub use console::Console;

use std::collections::BTreeMap;
use std::sync::Arc;

use autoopt_epoch::command::Commands;
use autoopt_epoch::worker::Backend;

/// What this worker can do, by the name that an experiment gives as `backend`.
pub fn backends(commands: &Commands) -> BTreeMap<String, Arc<dyn Backend>> {
    let command = Command::new(commands.collect.command.clone());
    let console: Arc<dyn Backend> = Arc::new(Console::new(commands.openstack.clone(), command.clone()));
    let command: Arc<dyn Backend> = Arc::new(command);
    BTreeMap::from([("command".to_owned(), command), ("console".to_owned(), console)])
}
