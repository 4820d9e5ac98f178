//! What the four workers have in common: claim a stage, keep its lease, do it, report it, remember it.
//!
//! A stage's own code is a [`Backend`]. The runtime around it sees to it that a stage which ends within a blink costs one
//! message each way, that one which takes hours holds no delivery, that a stage already done is answered from the
//! journal instead of being done again, and that a panic, a cancellation or a shutdown ends in a report.

pub mod journal;
mod lease;
mod leftovers;
mod main;
pub mod noop;
mod runtime;

pub use main::main;
pub use runtime::{Backends, VERSION_HEADER, WorkerSettings, run};

use tokio_util::sync::CancellationToken;

use crate::command::OnStart;
use crate::failure::Failure;
use crate::message::{Done, Epoch};

/// How one stage is done by one kind of target.
#[async_trait::async_trait]
pub trait Backend: Send + Sync {
    /// Checks the settings of an experiment against this worker's configuration, before anything is touched.
    fn check(&self, order: &Epoch) -> Result<(), Failure>;

    /// Does what `order.action` says. Doing it twice has the effect of doing it once.
    ///
    /// When `context.cancelled` fires, it ends what it started and returns soon.
    async fn perform(&self, order: &Epoch, context: &Context) -> Result<Done, Failure>;

    /// Takes up what an earlier process of this worker had to see to. Called once, before the first order.
    async fn resume(&self, _context: &Context) {}
}

/// What the runtime gives a backend.
#[derive(Clone, Debug)]
pub struct Context {
    /// Fires on cancellation, time-out, a newer attempt, and on shutdown after the drain time.
    pub cancelled: CancellationToken,
    /// A directory of this worker that survives restarts; for what a backend must find again.
    pub state_dir: std::path::PathBuf,
    /// Told to the coordinator with the next heartbeat.
    pub note: tokio::sync::watch::Sender<String>,
    /// To be told of every program that has to end with this attempt.
    pub on_start: OnStart,
}

impl Context {
    /// For a backend that is used without the runtime: nobody cancels it or listens to it.
    pub fn alone(state_dir: &std::path::Path) -> Self {
        Self {
            cancelled: CancellationToken::new(),
            state_dir: state_dir.to_owned(),
            note: tokio::sync::watch::channel(String::new()).0,
            on_start: OnStart::default(),
        }
    }
}
