//! How the engine is, for whoever looks after it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use autoopt_epoch::time::Timestamp;

/// What the engine waits for, if anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Messages that are on disk and that the broker has not confirmed yet.
    pub relay_backlog: usize,
    /// Routing keys of messages that no queue takes, and since when: the service they are for was never started.
    pub unroutable: BTreeMap<String, Timestamp>,
    /// Publishing fails for another reason; cleared by the next message that is safe.
    pub publishing_failing: Option<Failing>,
    /// The store fails; what was delivered waits.
    pub store_failing: Option<Failing>,
}

/// Something that fails, and is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    pub since: Timestamp,
    /// Of the latest try.
    pub reason: String,
}

impl Failing {
    /// Notes a failure in `what`.
    pub(super) fn note(what: &mut Option<Self>, reason: String) {
        let since = what.as_ref().map_or_else(Timestamp::now, |f| f.since);
        *what = Some(Self { since, reason });
    }
}

/// [`Health`] that the engine's tasks keep up to date.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched(Arc<Mutex<Health>>);

impl Watched {
    pub(super) fn lock(&self) -> MutexGuard<'_, Health> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
