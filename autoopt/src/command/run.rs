//! `autoopt run`: the whole system in one process.

mod reachable;
mod report;
mod services;
mod simulated;
mod summary;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use autoopt_coordinator::engine::Handle;
use autoopt_coordinator::machine::{Control, Input};
use autoopt_coordinator::store::Store;
use autoopt_epoch::command::Commands;
use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::{Event, EventKind, TrialKind};
use autoopt_epoch::time::Timestamp;
use tokio::sync::broadcast::error::RecvError;

use super::{interrupts, status, validate};
use crate::board::Board;
use crate::fault::{Fault, Kind};
use crate::report::Report;
use crate::show::{go_on_unread, say, say_json_line};
use crate::standing::{Standing, title, usable};
use services::Services;
pub(super) use services::backends;
use summary::Summary;

/// Run an experiment to its end, everything in this process
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Interrupting it once stops the experiment and leaves the cluster as the experiment says; twice ends the process at once.
The same command then goes on where it stopped. Exit code 3 if it ends without a usable result. With --json one event a line,
and at the end a line {\"experiment\": …}.

Example:
  autoopt run examples/quadratic.toml
  autoopt run examples/nova-weights.toml --simulate
")]
pub(crate) struct Run {
    /// The experiment file
    file: PathBuf,
    /// What the workers may run (FILE with `.commands.toml` in place of `.toml`, if there is one)
    #[arg(long)]
    commands: Option<PathBuf>,
    /// Simulate the experiment's OpenStack clusters: FILE describes the cloud (`autoopt simulate init` writes one); without it,
    /// six hosts of different age
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    simulate: Option<Option<PathBuf>>,
    /// Where the store and the workers' state are (`.autoopt/NAME`, `.autoopt/NAME-simulated`)
    #[arg(long)]
    state: Option<PathBuf>,
    /// Trials, in place of the file's
    #[arg(long)]
    trials: Option<u32>,
    /// Seed, in place of the file's
    #[arg(long)]
    seed: Option<u64>,
}

impl Run {
    pub(crate) async fn run(self, json: bool) -> Result<(), Fault> {
        let mut spec = validate::load(&self.file)?;
        spec.budget.trials = self.trials.unwrap_or(spec.budget.trials);
        spec.seed = self.seed.unwrap_or(spec.seed);
        let mut commands = commands(self.commands, &self.file)?;
        // a simulated run is another one than the run on the cloud itself
        let folder =
            if self.simulate.is_some() { format!("{}-simulated", spec.name) } else { spec.name.clone() };
        let state = self.state.unwrap_or_else(|| PathBuf::from(".autoopt").join(folder));
        std::fs::create_dir_all(&state)
            .map_err(|e| Fault::failed(format!("cannot make `{}`", state.display())).because(e))?;
        // the cluster has to be restored at the end, whoever reads
        go_on_unread();
        // they end when this ends
        let simulators = match &self.simulate {
            Some(file) => simulated::start(file.as_deref(), &state, &spec.clusters, &mut commands).await?,
            None => Vec::new(),
        };
        if !json {
            simulators.iter().for_each(say);
        }
        let services = Services::start(&state, &commands, &spec.name).await?;
        let mut events = services.handle.events();
        let experiment = match services.resumed {
            Some(id) => {
                if !json {
                    say(format_args!("going on with `{}` from `{}`", spec.name, state.display()));
                }
                id
            }
            None => {
                if let Err(fault) = reachable::check(&spec, &commands).await {
                    services.stop().await;
                    return Err(fault);
                }
                let id = ExperimentId::fresh();
                let submit = Input::Submit { id, spec: Arc::new(spec) };
                services.handle.input(submit).await.map_err(|e| Fault::failed("not submitted").because(e))?;
                id
            }
        };
        let mut progress = Progress { board: (!json).then(Board::new), closing: false };
        let mut interrupts = interrupts()?;
        let mut interrupted = false;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) if event.experiment_id == Some(experiment) => {
                        progress.tell(&services.handle, experiment, &event).await?;
                        if event.kind == EventKind::ExperimentEnded {
                            break;
                        }
                    }
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Err(Fault::failed("the coordinator ended early")),
                },
                _ = interrupts.recv() => {
                    if interrupted {
                        return Err(Fault::failed("left at once; the cluster may not be as it was found")
                            .next("run the same command again: it goes on, and restores at its end"));
                    }
                    interrupted = true;
                    if !json {
                        say("stopping: running epochs are given up, and the cluster is left as the experiment says");
                    }
                    stop(&services.handle, experiment).await;
                }
            }
        }
        progress.end();
        let told = read(services.handle.store(), experiment).await;
        services.stop().await;
        let (summary, report) = told?;
        let written = report::write(&report, &state)?;
        if json {
            say_json_line(&serde_json::json!({ "experiment": summary.view }));
        } else {
            say(summary.text());
            let experiment = &report.experiment;
            let tables = [status::front(experiment), status::values(experiment), report::placements(&report)];
            tables.iter().flatten().for_each(|table| say(format_args!("\n{table}")));
            say(format_args!("\nthe report is `{}`", written.display()));
            say(format_args!("everything is in `{}`", state.display()));
        }
        if usable(&summary.view) {
            return Ok(());
        }
        Err(Fault::new(Kind::NoResult, format!("`{}` ended without a usable result", summary.view.name))
            .next("see the reasons above; `autoopt validate` checks the file, not the programs"))
    }
}

/// What the experiment came to.
async fn read(store: &Store, experiment: ExperimentId) -> Result<(Summary, Report), Fault> {
    let summary = Summary::read(store, experiment).await?;
    let report = report::read(store, &summary).await?;
    Ok((summary, report))
}

/// The commands of a file, or of the one beside the experiment's, or none.
pub(super) fn commands(named: Option<PathBuf>, experiment: &Path) -> Result<Commands, Fault> {
    let beside = experiment.with_extension("commands.toml");
    match named.or_else(|| beside.exists().then_some(beside)) {
        Some(file) => Commands::load(&file).map_err(|e| Fault::new(Kind::Input, "the commands").because(e)),
        None => Ok(Commands::default()),
    }
}

async fn stop(handle: &Handle, experiment: ExperimentId) {
    let control = Input::Control { experiment, control: Control::Cancel };
    if let Err(error) = handle.input(control).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "not stopped");
    }
}

/// What is shown while it runs.
struct Progress {
    /// Absent where programs read.
    board: Option<Board>,
    /// All trials have ended.
    closing: bool,
}

impl Progress {
    async fn tell(&mut self, handle: &Handle, experiment: ExperimentId, event: &Event) -> Result<(), Fault> {
        let Some(board) = &mut self.board else {
            say_json_line(event);
            return Ok(());
        };
        board.tell(event);
        if matches!(
            event.kind,
            EventKind::TrialEnded | EventKind::EpochStarted | EventKind::ConfirmationStarted
        ) {
            let summary = Summary::read(handle.store(), experiment).await?;
            board.show(&Standing::of(&summary.view, Timestamp::now()));
        }
        self.closing |= event.kind == EventKind::ExperimentClosing;
        if let Some(cluster) = &event.cluster {
            board.cluster(cluster, &activity(event, self.closing));
        }
        Ok(())
    }

    fn end(&self) {
        if let Some(board) = &self.board {
            board.clear();
        }
    }
}

/// What a cluster is at, by the last event about it.
fn activity(event: &Event, closing: bool) -> String {
    let kind = match event.number {
        Some(0) if closing => TrialKind::Closing,
        Some(0) => TrialKind::Baseline,
        _ => TrialKind::Proposed,
    };
    match (event.number, event.stage) {
        (Some(number), Some(stage)) => format!("{}, {stage}", title(kind, number)),
        (Some(number), None) => title(kind, number),
        (None, _) => "-".into(),
    }
}
