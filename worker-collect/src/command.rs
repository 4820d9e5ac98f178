//! The collect stage: raw output in, perhaps with more from a program, a measurement out.

use std::collections::BTreeMap;
use std::path::Path;

use autoopt_epoch::command::{self, Call, CollectCommand};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::measure::measure;
use autoopt_epoch::message::{Action, Artifact, Done, Epoch, Measure, Measurement};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::{Backend, Context};

use crate::readings;

/// What a metric names in `from` to read the output of this stage's own program.
pub const ARTIFACT: &str = "collect";

/// The backend `command`: it reads what the bench stage printed. An experiment may name one of these entries, a program
/// whose output is there to be read too.
#[derive(Clone, Debug)]
pub struct Command {
    entries: BTreeMap<String, CollectCommand>,
}

impl Command {
    /// Over the entries of `[collect.command]`.
    pub const fn new(entries: BTreeMap<String, CollectCommand>) -> Self {
        Self { entries }
    }

    /// What the program that the experiment names prints, if it names one.
    pub(crate) async fn collect(
        &self,
        order: &Epoch,
        context: &Context,
    ) -> Result<Option<Artifact>, Failure> {
        let Some(entry) = self.entry(order)? else { return Ok(None) };
        context.note.send_replace("collecting".into());
        let call = call(order, &context.state_dir);
        let output = command::run(&entry.run, &call, &context.cancelled, &context.on_start).await?;
        Ok(Some(output.stdout.artifact(ARTIFACT)))
    }

    fn entry(&self, order: &Epoch) -> Result<Option<&CollectCommand>, Failure> {
        if order.backend.settings.is_empty() {
            return Ok(None);
        }
        command::entry(&self.entries, order).map(Some)
    }
}

#[async_trait::async_trait]
impl Backend for Command {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        match order.action {
            Action::Run => {
                if let Some(entry) = self.entry(order)? {
                    command::check(&entry.run, &call(order, Path::new("")))?;
                }
                readings::check(asked(order)?)
            }
            Action::Capture | Action::Undo => Ok(()),
        }
    }

    async fn perform(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        let started = Timestamp::now();
        match order.action {
            Action::Run => {
                let asked = asked(order)?.clone();
                let collected = self.collect(order, context).await?;
                let artifacts = order.artifacts.iter().chain(&collected).cloned().collect();
                match read(asked, artifacts).await {
                    Ok(measurement) => Ok(Done {
                        started,
                        measurement: Some(measurement),
                        artifacts: collected.into_iter().collect(),
                        ..Done::default()
                    }),
                    Err(failure) => Err(collected.into_iter().fold(failure, Failure::with_artifact)),
                }
            }
            // what bench left is bench's to remove; this stage leaves nothing
            Action::Undo => Ok(Done { started, ..Done::default() }),
            Action::Capture => {
                Err(Failure::new(FailureKind::Abandoned, "the collect stage has nothing to capture"))
            }
        }
    }
}

fn call<'a>(order: &'a Epoch, state_dir: &'a Path) -> Call<'a> {
    Call { order, parameters: &order.parameters, state_dir, action: "collect" }
}

async fn read(asked: Measure, artifacts: Vec<Artifact>) -> Result<Measurement, Failure> {
    // unpacking and parsing megabytes would hold up heartbeats
    let work = move || measure(&asked, &readings::raw_values(&asked, &artifacts)?);
    let broke_off = |error| Failure::new(FailureKind::Transient, format!("reading broke off: {error}"));
    tokio::task::spawn_blocking(work).await.map_err(broke_off)?
}

fn asked(order: &Epoch) -> Result<&Measure, Failure> {
    order.measure.as_ref().ok_or_else(|| {
        Failure::new(FailureKind::Invalid, "the order does not say what to measure (`measure` is missing)")
    })
}
