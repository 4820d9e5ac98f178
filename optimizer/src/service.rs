//! The optimizer as a service: takes asks from the bus, answers each with one trial.

use std::time::Duration;

use anyhow::Context;
use autoopt_epoch::bus::topology::{EXPLAIN, Subscription, TRIAL_KEY, ask_key, explanation_key};
use autoopt_epoch::bus::{Bus, Delivery, Outgoing};
use autoopt_epoch::id::MessageId;
use autoopt_epoch::message::{Ask, Explanation, Trial, decode};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::trace::{self, Context as Place, Role, Span, trace_id};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::settings::Method;
use crate::{explain, suggest};

/// An answer that could not be published is tried again after this long.
const RETRY: Duration = Duration::from_secs(1);

/// Answers asks for every algorithm until `shutdown` fires; an ask that is being answered then is finished first.
///
/// An answer is a pure function of its ask, ids included, so asks may be delivered twice, and to any number of these
/// services. An ask that cannot be answered goes to the dead letters with the reason.
///
/// # Errors
/// If a queue cannot be declared.
pub async fn serve(bus: Bus, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut queues = JoinSet::new();
    for name in names() {
        // one at a time from each queue: an answer is a matter of milliseconds, and of one core
        let mut incoming = bus
            .subscribe(Subscription::optimizer(&name, 1))
            .await
            .with_context(|| format!("cannot take asks for `{name}`"))?;
        let (bus, shutdown) = (bus.clone(), shutdown.clone());
        queues.spawn(async move {
            loop {
                let delivery = tokio::select! {
                    () = shutdown.cancelled() => break,
                    delivery = incoming.next() => delivery,
                };
                let Some(delivery) = delivery else { break };
                answer(&bus, delivery, &shutdown).await;
            }
        });
    }
    while let Some(ended) = queues.join_next().await {
        ended.context("a task of the optimizer ended early")?;
    }
    Ok(())
}

/// What it answers asks for: its algorithms, and [`EXPLAIN`].
pub fn names() -> Vec<String> {
    Method::ALL.iter().map(|method| method.as_str()).chain([EXPLAIN]).map(str::to_owned).collect()
}

async fn answer(bus: &Bus, delivery: Delivery, shutdown: &CancellationToken) {
    let ask: Ask = match decode(delivery.kind.as_deref(), &delivery.body) {
        Ok(ask) => ask,
        Err(error) => return reject(&delivery, &error.to_string()).await,
    };
    if delivery.routing_key == ask_key(EXPLAIN) {
        return tell(bus, &delivery, ask).await;
    }
    let (id, name, experiment, number) = (ask.ask, ask.experiment.clone(), ask.experiment_id, ask.number);
    let (algorithm, began) = (ask.algorithm.name.clone(), Timestamp::now());
    let computed = tokio::task::spawn_blocking(move || suggest(&ask)).await;
    let suggestion = match computed {
        Ok(Ok(suggestion)) => suggestion,
        Ok(Err(error)) => {
            return reject(&delivery, &format!("no suggestion {number} for {experiment}: {error}")).await;
        }
        Err(error) => return reject(&delivery, &format!("a defect of the optimizer: {error}")).await,
    };
    let trial = trace::answer(id);
    tracing::info!(experiment = name, experiment.id = %experiment, trial.number = number, trace_id = trace_id(trial), "{}", suggestion.note);
    let place = Place::suggestion(id);
    trace::record(Span {
        context: place,
        parent: Some(Place::from_headers(&delivery.headers).unwrap_or_else(|| Place::ask(id))),
        name: format!("suggest by {algorithm}"),
        role: Role::Consumer,
        began,
        ended: Timestamp::now(),
        error: None,
        attributes: vec![("autoopt.experiment", name), ("autoopt.trial", trial.to_string())],
    });
    let message = Trial {
        experiment: experiment.to_string(),
        parameters: suggestion.parameters,
        trial: Some(trial),
        ask: Some(id),
        cluster: None,
        note: Some(suggestion.note),
        outlook: suggestion.outlook,
        compromise: suggestion.compromise,
    };
    let message = Outgoing::new(TRIAL_KEY, MessageId::derived(id.0, "answer"), &message).traced(place);
    let published = match bus.publish(message).await {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    match published {
        Ok(()) => {
            // otherwise it comes again, and the same answer with the same message id changes nothing
            let _ = delivery.verdict.ack().await;
        }
        Err(error) => {
            tracing::warn!(ask = %id, "the answer could not be published, trying again: {error}");
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(RETRY) => {}
            }
            let _ = delivery.verdict.requeue().await;
        }
    }
}

/// What the model thinks of the results, for whoever shows it. An answer that is lost is asked for again.
async fn tell(bus: &Bus, delivery: &Delivery, ask: Ask) {
    let (id, experiment_id, results) = (ask.ask, ask.experiment_id, ask.results.len());
    let empty = Explanation {
        experiment_id,
        results: u32::try_from(results).unwrap_or(u32::MAX),
        problem: None,
        effects: Vec::new(),
        interactions: Vec::new(),
        r_squared: None,
        caveats: Vec::new(),
    };
    let explanation = match tokio::task::spawn_blocking(move || explain(&ask)).await {
        Ok(Ok(told)) => Explanation {
            effects: told.effects,
            interactions: told.interactions,
            r_squared: Some(told.calibration.r_squared),
            caveats: told.caveats,
            ..empty
        },
        Ok(Err(error)) => Explanation { problem: Some(error.to_string()), ..empty },
        Err(error) => return reject(delivery, &format!("a defect of the optimizer: {error}")).await,
    };
    let key = explanation_key(experiment_id);
    // nobody has to wait for it any more
    let message = Outgoing::new(key, MessageId::derived(id.0, "explanation"), &explanation).optional();
    let published = match bus.publish(message).await {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    if let Err(error) = published {
        tracing::warn!(ask = %id, "an explanation could not be published: {error}");
    }
    let _ = delivery.verdict.ack().await;
}

async fn reject(delivery: &Delivery, reason: &str) {
    tracing::error!(routing_key = delivery.routing_key, "an ask was rejected: {reason}");
    if let Err(error) = delivery.verdict.dead_letter(reason).await {
        tracing::warn!("the dead letter could not be published: {error}");
    }
}
