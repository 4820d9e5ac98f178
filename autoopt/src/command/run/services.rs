//! The six services as tasks of one process, over a bus within it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use autoopt_coordinator::engine::{Engine, Handle};
use autoopt_coordinator::store::{Claim, Store};
use autoopt_epoch::bus::memory::MemoryBus;
use autoopt_epoch::command::Commands;
use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::Stage;
use autoopt_epoch::worker::noop::Noop;
use autoopt_epoch::worker::{self, Backends, WorkerSettings};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::fault::Fault;

/// How long services may take to end.
const GRACE: Duration = Duration::from_secs(15);

/// What runs.
pub(super) struct Services {
    pub(super) handle: Handle,
    /// The open experiment of this name, from an earlier run.
    pub(super) resumed: Option<ExperimentId>,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
    /// Keeps another `autoopt run` away from the store.
    _claim: Claim,
}

impl Services {
    /// With its store and the workers' state in the directory `state`.
    pub(super) async fn start(state: &Path, commands: &Commands, name: &str) -> Result<Self, Fault> {
        let url = format!("sqlite://{}?mode=rwc", state.join("store.sqlite").display());
        let store = Store::open(&url).await.map_err(|e| Fault::failed("the store").because(e))?;
        let claim = store.try_claim().await.map_err(|e| Fault::failed("the store").because(e))?;
        let claim = claim.ok_or_else(|| {
            Fault::failed(format!("another `autoopt run` works with `{}`", state.display()))
                .next("wait until it has ended, or name another folder with --state")
        })?;
        let bus = MemoryBus::new().bus();
        let (mut engine, handle) =
            Engine::new(store, bus.clone()).await.map_err(|e| Fault::failed("the store").because(e))?;
        engine.bus_was_lost();
        let resumed = engine.open(name);
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(supervised("optimizer", autoopt_optimizer::serve(bus.clone(), shutdown.clone())));
        for stage in Stage::ALL {
            let settings = WorkerSettings {
                name: "run".into(),
                group: "all".into(),
                clusters: vec!["*".into()],
                state_dir: state.to_owned(),
                drain: GRACE / 2,
            };
            let work = worker::run(stage, settings, backends(stage, commands), bus.clone(), shutdown.clone());
            tasks.spawn(supervised(stage.as_str(), work));
        }
        tasks.spawn(supervised("coordinator", engine.run(shutdown.clone())));
        Ok(Self { handle, resumed, shutdown, tasks, _claim: claim })
    }

    /// Ends all services.
    pub(super) async fn stop(mut self) {
        self.shutdown.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::warn!("some services did not end in time");
        }
    }
}

/// What one stage can do.
pub(in crate::command) fn backends(stage: Stage, commands: &Commands) -> Backends {
    let mut backends = match stage {
        Stage::Apply => autoopt_worker_apply::backends(commands),
        Stage::Load => autoopt_worker_load::backends(commands),
        Stage::Bench => autoopt_worker_bench::backends(commands),
        Stage::Collect => autoopt_worker_collect::backends(commands),
    };
    backends.insert("noop".into(), Arc::new(Noop::from_env()));
    backends
}

#[expect(clippy::print_stderr, reason = "a service that ends early must be seen, whatever is logged")]
async fn supervised(name: &str, work: impl Future<Output = anyhow::Result<()>>) {
    if let Err(error) = work.await {
        eprintln!("{name} ended: {error:#}");
    }
}
