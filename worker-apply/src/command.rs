//! The apply stage by programs: capture, apply, verify and restore.

use std::collections::BTreeMap;

use autoopt_epoch::command::{self, ApplyCommand, Call, Output, Program};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Action, Done, Epoch};
use autoopt_epoch::space::{Parameters, Value};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::{Backend, Context};
use tokio_util::sync::CancellationToken;

use crate::values;

/// Numbers that differ by less than this share of the larger one are the same.
const TOLERANCE: f64 = 1e-9;

/// The backend `command`: each experiment names one of these entries.
#[derive(Clone, Debug)]
pub struct Command {
    entries: BTreeMap<String, ApplyCommand>,
}

impl Command {
    /// Over the entries of `[apply.command]`.
    pub const fn new(entries: BTreeMap<String, ApplyCommand>) -> Self {
        Self { entries }
    }

    async fn run(&self, entry: &ApplyCommand, order: &Epoch, context: &Context) -> Result<(), Failure> {
        run(&entry.apply, "apply", order, &order.parameters, context, &context.cancelled).await?;
        let Some(verify) = &entry.verify else { return Ok(()) };
        let printed = run(verify, "verify", order, &order.parameters, context, &context.cancelled).await?;
        let found = values::read(&printed.stdout, &order.parameters)
            .map_err(|reason| unreadable("verify", verify, &reason, &printed))?;
        match mismatch(&order.parameters, &found) {
            None => Ok(()),
            Some(reason) => Err(Failure::new(FailureKind::Infeasible, reason)
                .with_artifact(printed.stdout.artifact("stdout"))),
        }
    }

    /// After a failure: the values may be in force in part.
    async fn put_back(&self, entry: &ApplyCommand, order: &Epoch, context: &Context) {
        let Some(captured) = &order.restore else { return };
        // it has to run although the order was cancelled
        let uncancelled = CancellationToken::new();
        let restored = run(&entry.restore, "restore", order, captured, context, &uncancelled).await;
        if let Err(failure) = restored {
            tracing::error!(
                experiment = order.experiment, epoch = %order.epoch, cluster = order.cluster, reason = failure.reason,
                "the values in force before could not be restored after a failure"
            );
        }
    }
}

#[async_trait::async_trait]
impl Backend for Command {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        let entry = command::entry(&self.entries, order)?;
        // where nothing is captured yet the defaults stand for what restore will get
        let captured = order.restore.as_ref().unwrap_or(&order.parameters);
        let state_dir = std::path::Path::new("");
        let call = |parameters, action| Call { order, parameters, state_dir, action };
        match order.action {
            Action::Capture => command::check(&entry.capture, &call(&order.parameters, "capture")),
            Action::Run => {
                command::check(&entry.apply, &call(&order.parameters, "apply"))?;
                if let Some(verify) = &entry.verify {
                    command::check(verify, &call(&order.parameters, "verify"))?;
                }
                command::check(&entry.restore, &call(captured, "restore"))
            }
            Action::Undo if order.restore.is_none() => Ok(()),
            Action::Undo => command::check(&entry.restore, &call(captured, "restore")),
        }
    }

    async fn perform(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        let started = Timestamp::now();
        let entry = command::entry(&self.entries, order)?;
        let captured = match order.action {
            Action::Capture => {
                let asked = &order.parameters;
                let printed =
                    run(&entry.capture, "capture", order, asked, context, &context.cancelled).await?;
                let found = values::read(&printed.stdout, asked)
                    .map_err(|reason| unreadable("capture", &entry.capture, &reason, &printed))?;
                Some(found)
            }
            Action::Run => {
                let result = self.run(entry, order, context).await;
                if result.is_err() {
                    self.put_back(entry, order, context).await;
                }
                result?;
                None
            }
            Action::Undo => {
                if let Some(captured) = &order.restore {
                    run(&entry.restore, "restore", order, captured, context, &context.cancelled).await?;
                }
                None
            }
        };
        Ok(Done { started, captured, ..Done::default() })
    }
}

async fn run(
    program: &Program,
    action: &str,
    order: &Epoch,
    parameters: &Parameters,
    context: &Context,
    cancelled: &CancellationToken,
) -> Result<Output, Failure> {
    context.note.send_replace(action.to_owned());
    let call = Call { order, parameters, state_dir: &context.state_dir, action };
    command::run(program, &call, cancelled, &context.on_start).await
}

fn unreadable(action: &str, program: &Program, reason: &str, printed: &Output) -> Failure {
    let name = program.program.display();
    Failure::new(FailureKind::Broken, format!("{action} (`{name}`): {reason}"))
        .with_artifact(printed.stdout.artifact("stdout"))
}

/// The first parameter that is not in force as asked.
fn mismatch(asked: &Parameters, found: &Parameters) -> Option<String> {
    asked.iter().find_map(|(name, asked)| {
        let found = found.get(name)?;
        let same = match (asked, found) {
            (Value::Int(a), Value::Int(b)) => a == b,
            _ => match (asked.as_f64(), found.as_f64()) {
                (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()),
                _ => asked == found,
            },
        };
        (!same).then(|| {
            format!("parameter `{name}` was asked to be `{asked}`, but `{found}` is in force after apply")
        })
    })
}
