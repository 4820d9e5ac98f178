//! The load stage by a program that stays alive, on its own, across restarts of this worker.

use std::collections::BTreeMap;
use std::time::Duration;

use autoopt_epoch::command::{self, Call, LoadCommand};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Action, Done, Epoch};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::{Backend, Context};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::running::{Place, Running};

/// A load that cannot work ends within this time.
const SETTLES: Duration = Duration::from_millis(300);
/// Between two questions whether the load is ready.
const POLL: Duration = Duration::from_millis(500);

/// The backend `command`: each experiment names one of these entries.
#[derive(Clone, Debug)]
pub struct Command {
    entries: BTreeMap<String, LoadCommand>,
}

impl Command {
    /// Over the entries of `[load.command]`.
    pub const fn new(entries: BTreeMap<String, LoadCommand>) -> Self {
        Self { entries }
    }

    async fn run(&self, entry: &LoadCommand, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        let started = Timestamp::now();
        let deadline = Instant::now() + order.timeout.0;
        let place = Place::of(order, context);
        let call = call(order, context, "start");
        let identity = command::identity(&entry.start, &call)?;
        let found = place.read()?;
        let (running, reused) = match found {
            Some(running) if running.identity == identity && running.is_alive()? => (running, true),
            found => {
                if let Some(old) = found {
                    old.end().await?;
                }
                context.note.send_replace("starting the load".into());
                (place.start(&entry.start, &call, identity)?, false)
            }
        };
        let settled = if reused { Ok(()) } else { self.settle(&place, &running, context).await };
        let ready = match settled {
            Ok(()) => self.ready(entry, order, context, &place, &running, deadline).await,
            failed => failed,
        };
        if let Err(failure) = ready {
            // a load that is not known to be settled would be taken for a good one next time
            running.end().await?;
            place.forget()?;
            return Err(failure);
        }
        let facts =
            [("process_group".to_owned(), json!(running.family.pgid)), ("reused".to_owned(), json!(reused))];
        Ok(Done { started, outputs: facts.into_iter().collect(), ..Done::default() })
    }

    async fn settle(&self, place: &Place, running: &Running, context: &Context) -> Result<(), Failure> {
        tokio::select! {
            () = sleep(SETTLES) => alive(place, running),
            () = context.cancelled.cancelled() => Err(cancelled()),
        }
    }

    async fn ready(
        &self,
        entry: &LoadCommand,
        order: &Epoch,
        context: &Context,
        place: &Place,
        running: &Running,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let Some(program) = &entry.ready else { return Ok(()) };
        context.note.send_replace("waiting for the load to be ready".into());
        loop {
            let call = call(order, context, "ready");
            let failure = tokio::select! {
                answer = command::run(program, &call, &context.cancelled, &context.on_start) => match answer {
                    Ok(_) => return alive(place, running),
                    Err(failure) => failure,
                },
                () = tokio::time::sleep_until(deadline) => late(order, "it did not answer"),
            };
            // a program that is not there will not be there next time
            if matches!(failure.kind, FailureKind::Abandoned | FailureKind::Broken) {
                return Err(failure);
            }
            alive(place, running)?;
            if Instant::now() + POLL >= deadline {
                return Err(late(order, &failure.reason));
            }
            tokio::select! {
                () = sleep(POLL) => {}
                () = context.cancelled.cancelled() => return Err(cancelled()),
            }
        }
    }
}

#[async_trait::async_trait]
impl Backend for Command {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        match order.action {
            Action::Run => {
                let entry = command::entry(&self.entries, order)?;
                let state_dir = std::path::Path::new("");
                let call = |action| Call { order, parameters: &order.parameters, state_dir, action };
                command::check(&entry.start, &call("start"))?;
                entry.ready.as_ref().map_or(Ok(()), |ready| command::check(ready, &call("ready")))
            }
            // what was started can be removed even if its entry is gone
            Action::Undo => Ok(()),
            Action::Capture => Err(nothing_to_capture()),
        }
    }

    async fn perform(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        match order.action {
            Action::Run => self.run(command::entry(&self.entries, order)?, order, context).await,
            Action::Undo => {
                let started = Timestamp::now();
                let place = Place::of(order, context);
                if let Some(running) = place.read()? {
                    running.end().await?;
                    place.forget()?;
                }
                Ok(Done { started, ..Done::default() })
            }
            Action::Capture => Err(nothing_to_capture()),
        }
    }
}

fn call<'a>(order: &'a Epoch, context: &'a Context, action: &'a str) -> Call<'a> {
    Call { order, parameters: &order.parameters, state_dir: &context.state_dir, action }
}

fn alive(place: &Place, running: &Running) -> Result<(), Failure> {
    if running.is_alive()? {
        return Ok(());
    }
    let (log, said) = (place.log().display().to_string(), place.log_tail());
    let said = if said.is_empty() { "it printed nothing".to_owned() } else { format!("it printed: {said}") };
    Err(Failure::new(
        FailureKind::Transient,
        format!("the load ended by itself; {said} (all of it in {log})"),
    ))
}

fn late(order: &Epoch, last: &str) -> Failure {
    let reason = format!("the load was not ready within {}; last: {last}", order.timeout);
    Failure::new(FailureKind::Transient, reason)
}

fn cancelled() -> Failure {
    Failure::new(FailureKind::Abandoned, "cancelled while the load was being started")
}

fn nothing_to_capture() -> Failure {
    Failure::new(FailureKind::Abandoned, "the load stage has nothing to capture")
}
