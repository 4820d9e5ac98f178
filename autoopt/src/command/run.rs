//! `autoopt run`: the whole system in one process.

mod services;
mod summary;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use autoopt_coordinator::engine::Handle;
use autoopt_coordinator::machine::{Control, Input};
use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::{Event, EventKind};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::broadcast::error::RecvError;

use super::{say, validate};
use crate::fault::Fault;
use services::Services;

/// Run an experiment to its end, everything in this process
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Interrupting it once stops the experiment and leaves the cluster as the experiment says; twice ends the process at once.
The same command then goes on where it stopped.

Example:
  autoopt run examples/quadratic.toml
")]
pub(crate) struct Run {
    /// The experiment file
    file: PathBuf,
    /// What the workers may run (FILE with `.commands.toml` in place of `.toml`, if there is one)
    #[arg(long)]
    commands: Option<PathBuf>,
    /// Where the store and the workers' state are (`.autoopt/NAME`)
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
    pub(crate) async fn run(self) -> Result<(), Fault> {
        let mut spec = validate::load(&self.file)?;
        spec.budget.trials = self.trials.unwrap_or(spec.budget.trials);
        spec.seed = self.seed.unwrap_or(spec.seed);
        let beside = self.file.with_extension("commands.toml");
        let commands = self.commands.or_else(|| beside.exists().then_some(beside));
        let state = self.state.unwrap_or_else(|| PathBuf::from(".autoopt").join(&spec.name));
        let services = Services::start(&state, commands.as_deref(), &spec.name).await?;
        let mut events = services.handle.events();
        let trials = spec.budget.trials;
        let experiment = match services.resumed {
            Some(id) => {
                say(format_args!("going on with `{}` from `{}`", spec.name, state.display()));
                id
            }
            None => {
                let id = ExperimentId::fresh();
                let submit = Input::Submit { id, spec: Arc::new(spec) };
                services.handle.input(submit).await.map_err(|e| Fault::failed("not submitted").because(e))?;
                id
            }
        };
        let progress = Progress::new(trials);
        let mut interrupted = false;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) if event.experiment_id == Some(experiment) => {
                        progress.tell(&event);
                        if event.kind == EventKind::ExperimentEnded {
                            break;
                        }
                    }
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Err(Fault::failed("the coordinator ended early")),
                },
                result = tokio::signal::ctrl_c() => {
                    result.map_err(|e| Fault::failed("no signals").because(e))?;
                    if interrupted {
                        return Err(Fault::failed("left at once; the cluster may not be as it was found")
                            .next("run the same command again: it goes on, and restores at its end"));
                    }
                    interrupted = true;
                    stop(&services.handle, experiment).await;
                }
            }
        }
        progress.bar.finish_and_clear();
        let told = summary::summary(services.handle.store(), experiment).await;
        services.stop().await;
        say(told?);
        say(format_args!("everything is in `{}`", state.display()));
        Ok(())
    }
}

async fn stop(handle: &Handle, experiment: ExperimentId) {
    say("stopping: running epochs are given up, and the cluster is left as the experiment says");
    let control = Input::Control { experiment, control: Control::Cancel };
    if let Err(error) = handle.input(control).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "not stopped");
    }
}

/// A bar on a terminal; a line for each trial elsewhere.
struct Progress {
    bar: ProgressBar,
    terminal: bool,
}

impl Progress {
    fn new(trials: u32) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if terminal { ProgressBar::new(trials.into()) } else { ProgressBar::hidden() };
        let template = "{bar:30} {pos}/{len} trials, {eta} left; {msg}";
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        Self { bar, terminal }
    }

    fn tell(&self, event: &Event) {
        let ended = event.kind == EventKind::TrialEnded;
        if ended && event.number.is_some_and(|n| n > 0) {
            self.bar.inc(1);
        }
        let worth_a_line = ended
            || matches!(
                event.kind,
                EventKind::StageFailed
                    | EventKind::StageRetried
                    | EventKind::ClusterPaused
                    | EventKind::OptimizerSilent
                    | EventKind::ExperimentStopping
                    | EventKind::ExperimentEnded
            );
        if self.terminal {
            self.bar.set_message(event.message.clone());
        } else if worth_a_line {
            say(&event.message);
        }
    }
}
