//! From deliveries and wishes to a transaction.

use std::collections::HashSet;

use autoopt_epoch::bus::topology::{TRIAL_KEY, ask_key, cancel_key, epoch_key};
use autoopt_epoch::bus::{Delivery, Outgoing};
use autoopt_epoch::id::MessageId;
use autoopt_epoch::message::{
    self, Action, Event, EventKind, Explanation, Report, ReportState, Stage, decode,
};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::trace::Context;
use uuid::Uuid;

use super::{Engine, Refusal, Wanted, Wish};
use crate::machine::{Effect, Ending, Input, Record};
use crate::store::{Batch, StoreError};

/// What is decided together.
#[derive(Default)]
pub(super) struct Work {
    pub(super) deliveries: Vec<Delivery>,
    pub(super) wishes: Vec<Wish>,
    pub(super) tick: bool,
    /// For the log.
    pub(super) news: Vec<Event>,
}

/// What follows from it.
#[derive(Default)]
pub(super) struct Prepared {
    pub(super) batch: Batch,
    /// For each delivery: why it is not usable, if it is not.
    pub(super) rejected: Vec<Option<String>>,
    /// For each wish.
    pub(super) answers: Vec<Result<(), Refusal>>,
}

/// A delivery, understood.
struct Taken {
    input: Input,
    /// What the inbox knows it by; several where a person's tool gave it no id, none for a heartbeat.
    ids: Vec<MessageId>,
    /// It is a duplicate if the inbox has this.
    duplicate_of: Option<MessageId>,
}

impl Engine {
    pub(super) async fn prepare(&mut self, at: Timestamp, work: &Work) -> Result<Prepared, StoreError> {
        let taken: Vec<Result<Option<Taken>, String>> =
            work.deliveries.iter().map(|delivery| self.understand(at, delivery)).collect();
        let news = |t: &&Taken| matches!(&t.input, Input::Report(report) if self.world.awaits(report));
        let doubtful = taken.iter().flatten().flatten().filter(|t| !news(t));
        let asked: Vec<MessageId> = doubtful.filter_map(|t| t.duplicate_of).collect();
        let mut known: HashSet<MessageId> = self.store.seen(&asked).await?;
        let mut prepared = Prepared { batch: Batch { at, ..Batch::default() }, ..Prepared::default() };
        prepared.batch.sent.clone_from(&self.sent);
        prepared.batch.events.clone_from(&work.news);
        for (taken, delivery) in taken.into_iter().zip(&work.deliveries) {
            let rejected = match taken {
                Ok(None) => None,
                Ok(Some(taken)) if taken.duplicate_of.is_some_and(|id| known.contains(&id)) => None,
                Ok(Some(taken)) => {
                    if let Input::Report(report) = &taken.input {
                        self.roster.note(at, report, &delivery.headers);
                    }
                    known.extend(&taken.ids);
                    prepared.batch.inbox.extend(taken.ids);
                    // the machine has logged what it refuses
                    self.decide(at, taken.input, &mut prepared.batch).await?
                }
                Err(reason) => {
                    prepared.batch.events.push(rejection(at, delivery, &reason));
                    Some(reason)
                }
            };
            prepared.rejected.push(rejected);
        }
        for wish in &work.wishes {
            let before = prepared.batch.events.len();
            let refused = match &wish.wanted {
                Wanted::Input(input) => self.decide(at, input.clone(), &mut prepared.batch).await?,
                Wanted::Note(event) => {
                    prepared.batch.events.push(event.clone());
                    None
                }
            };
            for event in &mut prepared.batch.events[before..] {
                event.by.clone_from(&wish.by);
            }
            prepared.answers.push(refused.map_or(Ok(()), |reason| Err(Refusal::Refused(reason))));
        }
        if work.tick {
            self.decide(at, Input::Tick, &mut prepared.batch).await?;
        }
        Ok(prepared)
    }

    /// Nothing for the machine in an explanation: it is kept for whoever shows it.
    fn understand(&self, at: Timestamp, delivery: &Delivery) -> Result<Option<Taken>, String> {
        if !delivery.routing_key.starts_with("explanation.") {
            return understand(delivery).map(Some);
        }
        let kind = delivery.kind.as_deref();
        let explanation: Explanation = decode(kind, &delivery.body).map_err(|e| e.to_string())?;
        self.explanations.take(at, explanation);
        Ok(None)
    }

    /// Runs the machine and puts its effects into `batch`; the reason if the input was refused.
    async fn decide(
        &mut self,
        at: Timestamp,
        input: Input,
        batch: &mut Batch,
    ) -> Result<Option<String>, StoreError> {
        let mut refused = None;
        for effect in self.world.step(at, input) {
            match effect {
                Effect::Save(record) => {
                    self.remember(&record);
                    batch.records.push(record);
                }
                Effect::Log(event) => batch.events.push(event),
                Effect::Hand(mut order) => {
                    if order.stage == Stage::Collect && order.action == Action::Run {
                        order.artifacts = match self.artifacts.get(&order.epoch) {
                            Some(artifacts) => artifacts.clone(),
                            None => self.store.artifacts(order.epoch, Stage::Bench).await?,
                        };
                    }
                    let label = format!("{}/{}", order.step, order.attempt);
                    let id = MessageId::derived(order.epoch.0, &label);
                    let place = Context::attempt(order.trial, order.epoch, order.step, order.attempt);
                    let message = Outgoing::new(epoch_key(&order.cluster, order.stage), id, &*order);
                    batch.outbox.push(message.traced(place));
                }
                Effect::Cancel(cancel) => {
                    let key = cancel_key(&cancel.cluster, cancel.stage);
                    batch.outbox.push(Outgoing::new(key, MessageId::fresh(), &cancel).optional());
                }
                Effect::Ask(ask) => {
                    let message = Outgoing::new(ask_key(&ask.algorithm.name), MessageId::fresh(), &*ask);
                    batch.outbox.push(message.traced(Context::ask(ask.ask)));
                }
                Effect::Reject(reason) => refused = Some(reason),
            }
        }
        Ok(refused)
    }

    /// Keeps the raw output of an open epoch at hand.
    fn remember(&mut self, record: &Record) {
        match record {
            Record::Attempt(a) if a.stage == Stage::Bench && a.ending == Ending::Done => {
                self.artifacts.insert(a.epoch, a.artifacts.clone());
            }
            Record::Epoch(e) if e.step().is_none() => {
                self.artifacts.remove(&e.id);
            }
            _ => {}
        }
    }
}

fn understand(delivery: &Delivery) -> Result<Taken, String> {
    let kind = delivery.kind.as_deref();
    if delivery.routing_key != TRIAL_KEY {
        let report: Report = decode(kind, &delivery.body).map_err(|e| e.to_string())?;
        let alive = matches!(report.state, ReportState::Heartbeat { .. });
        let ids: Vec<MessageId> = delivery.id.into_iter().filter(|_| !alive).collect();
        return Ok(Taken { duplicate_of: ids.first().copied(), ids, input: Input::Report(report) });
    }
    let trial: message::Trial = decode(kind, &delivery.body).map_err(|e| e.to_string())?;
    if let Some(id) = delivery.id {
        let input = Input::Trial { message: id, trial };
        return Ok(Taken { input, ids: vec![id], duplicate_of: Some(id) });
    }
    // a person's tool gave it no id: its content stands in, but only for a delivery that the broker repeats, since a
    // person may well send the same trial twice
    let content = MessageId(Uuid::new_v5(&Uuid::NAMESPACE_OID, &delivery.body));
    let own = MessageId::fresh();
    Ok(Taken {
        input: Input::Trial { message: own, trial },
        ids: vec![own, content],
        duplicate_of: delivery.redelivered.then_some(content),
    })
}

fn rejection(at: Timestamp, delivery: &Delivery, reason: &str) -> Event {
    let of_trial = delivery.routing_key == TRIAL_KEY;
    let text = String::from_utf8_lossy(&delivery.body);
    let excerpt: String = text.chars().take(500).collect();
    let kind = if of_trial { EventKind::TrialRejected } else { EventKind::MessageRejected };
    let detail = serde_json::json!({"routing_key": delivery.routing_key, "body": excerpt});
    Event::new(at, kind, reason, detail)
}

pub(super) fn queue_missing(at: Timestamp, key: &str) -> Event {
    let message = format!(
        "no queue takes messages for `{key}`; start the service they are for: they wait, and go out once it is there"
    );
    Event::new(at, EventKind::QueueMissing, message, serde_json::json!({"routing_key": key}))
}

pub(super) fn queue_found(at: Timestamp, key: &str) -> Event {
    let message = format!("a queue takes messages for `{key}` again; those that waited are on their way");
    Event::new(at, EventKind::QueueFound, message, serde_json::json!({"routing_key": key}))
}
