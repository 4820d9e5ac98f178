//! The worker that owns the collect stage: it reads raw output, and computes metrics and the objective from it.
//!
//! [`parser`] turns the text that a benchmark printed into numbers, or says why it cannot, and has no I/O; [`readings`]
//! unpacks artifacts and asks the parsers; [`Collect`] is the stage.

mod collect;
pub mod parser;
pub mod readings;

pub use collect::Collect;

use std::collections::BTreeMap;
use std::sync::Arc;

use autoopt_epoch::worker::Backend;

/// What this worker can do, by the name that an experiment gives as `backend`.
pub fn backends() -> BTreeMap<String, Arc<dyn Backend>> {
    BTreeMap::from([("command".to_owned(), Arc::new(Collect) as Arc<dyn Backend>)])
}
