//! The bench stage by a program: run, and clean.

use std::collections::BTreeMap;

use autoopt_epoch::command::{self, BenchCommand, Call};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Action, Done, Epoch};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::{Backend, Context};
use serde_json::json;

/// The backend `command`: each experiment names one of these entries.
#[derive(Clone, Debug)]
pub struct Command {
    entries: BTreeMap<String, BenchCommand>,
}

impl Command {
    /// Over the entries of `[bench.command]`.
    pub const fn new(entries: BTreeMap<String, BenchCommand>) -> Self {
        Self { entries }
    }
}

#[async_trait::async_trait]
impl Backend for Command {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        let entry = command::entry(&self.entries, order)?;
        let state_dir = std::path::Path::new("");
        let call = |action| Call { order, parameters: &order.parameters, state_dir, action };
        match (order.action, &entry.clean) {
            (Action::Run, _) => command::check(&entry.run, &call("run")),
            (Action::Undo, Some(clean)) => command::check(clean, &call("clean")),
            (Action::Undo, None) => Ok(()),
            (Action::Capture, _) => Err(nothing_to_capture()),
        }
    }

    async fn perform(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        let started = Timestamp::now();
        let entry = command::entry(&self.entries, order)?;
        let call = |action| {
            context.note.send_replace(String::from(action));
            Call { order, parameters: &order.parameters, state_dir: &context.state_dir, action }
        };
        match (order.action, &entry.clean) {
            (Action::Run, _) => {
                let output =
                    command::run(&entry.run, &call("run"), &context.cancelled, &context.on_start).await?;
                let (stdout, stderr) = (&output.stdout, &output.stderr);
                let artifacts = vec![stdout.artifact("stdout"), stderr.artifact("stderr")];
                let facts = [
                    ("exit".to_owned(), json!(output.exit)),
                    ("duration_s".to_owned(), json!(output.duration.as_secs_f64())),
                ];
                Ok(Done { started, outputs: facts.into_iter().collect(), artifacts, ..Done::default() })
            }
            (Action::Undo, Some(clean)) => {
                command::run(clean, &call("clean"), &context.cancelled, &context.on_start).await?;
                Ok(Done { started, ..Done::default() })
            }
            (Action::Undo, None) => Ok(Done { started, ..Done::default() }),
            (Action::Capture, _) => Err(nothing_to_capture()),
        }
    }
}

fn nothing_to_capture() -> Failure {
    Failure::new(FailureKind::Abandoned, "the bench stage has nothing to capture")
}
