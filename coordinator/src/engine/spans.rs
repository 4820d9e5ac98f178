//! The coordinator's part of traces: spans of what a committed batch has ended.

use std::collections::HashMap;

use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::{AskId, EpochId, TrialId};
use autoopt_epoch::message::{Event, EventKind};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::trace::{self, Context, Role, Span};

use crate::machine::{Attempt, Ending, Epoch, Progress, Record, Trial, TrialState};
use crate::store::Batch;

/// Questions that are remembered at most; each experiment has one open, so that those beyond are of experiments that ended.
const MOST_ASKED: usize = 10_000;

/// When what is open began, as far as this process knows.
#[derive(Default)]
pub(super) struct Spans {
    /// The current step of an epoch.
    handed: HashMap<EpochId, Timestamp>,
    asked: HashMap<AskId, Timestamp>,
}

impl Spans {
    /// Records what has ended.
    pub(super) fn note(&mut self, batch: &Batch) {
        if !trace::wanted() {
            return;
        }
        let (mut epochs, mut trials) = (HashMap::new(), HashMap::new());
        for record in &batch.records {
            match record {
                Record::Epoch(epoch) => drop(epochs.insert(epoch.id, epoch)),
                Record::Trial(trial) => drop(trials.insert(trial.id, trial)),
                _ => {}
            }
        }
        for record in &batch.records {
            // whatever ends an attempt saves its epoch as well
            if let Record::Attempt(attempt) = record
                && let Some(epoch) = epochs.get(&attempt.epoch)
            {
                self.attempt(attempt, epoch);
            }
        }
        for epoch in epochs.values() {
            match epoch.progress {
                Progress::Handed { since } => drop(self.handed.insert(epoch.id, since)),
                Progress::Ended { at } => {
                    self.handed.remove(&epoch.id);
                    trace::record(whole(epoch, at));
                }
                _ => {}
            }
        }
        for event in &batch.events {
            match event.kind {
                EventKind::TrialEnded => {
                    let ended = event.trial.and_then(|id| trials.get(&id).copied());
                    ended.and_then(trial).into_iter().for_each(trace::record);
                }
                EventKind::OptimizerAsked | EventKind::TrialAccepted => self.question(event),
                _ => {}
            }
        }
    }

    fn attempt(&mut self, attempt: &Attempt, epoch: &Epoch) {
        let Attempt { step, stage, action, .. } = attempt;
        // before a restart it was another process that handed it out
        let began = self.handed.insert(epoch.id, attempt.ended).or(attempt.started).unwrap_or(attempt.ended);
        let error = match &attempt.ending {
            Ending::Done => None,
            Ending::Failed { kind, reason } => Some(format!("{kind}: {reason}")),
            Ending::Superseded { reason } => Some(format!("superseded: {reason}")),
        };
        let mut attributes = about(epoch);
        attributes.push(("autoopt.stage", stage.to_string()));
        attributes.push(("autoopt.attempt", attempt.attempt.to_string()));
        attributes.extend(attempt.worker.clone().map(|worker| ("autoopt.worker", worker)));
        trace::record(Span {
            context: Context::attempt(epoch.trial, epoch.id, *step, attempt.attempt),
            parent: Some(Context::epoch(epoch.trial, epoch.id)),
            name: format!("hand out {stage} {}", action.as_str()),
            role: Role::Producer,
            began,
            ended: attempt.ended,
            error,
            attributes,
        });
    }

    /// From a question to the optimizer to its accepted answer.
    fn question(&mut self, event: &Event) {
        let Some(ask) = event.detail["ask"].as_str().and_then(|text| text.parse::<AskId>().ok()) else {
            return;
        };
        if event.kind == EventKind::OptimizerAsked {
            if self.asked.len() >= MOST_ASKED {
                self.asked.clear();
            }
            self.asked.insert(ask, event.at);
            return;
        }
        let Some(began) = self.asked.remove(&ask) else { return };
        let trial = trace::answer(ask);
        trace::record(Span {
            context: Context::ask(ask),
            parent: Some(Context::trial(trial)),
            name: "ask".into(),
            role: Role::Producer,
            began,
            ended: event.at,
            error: None,
            attributes: vec![("autoopt.trial", trial.to_string())],
        });
    }
}

/// An epoch that ended at `at`.
fn whole(epoch: &Epoch, at: Timestamp) -> Span {
    let verdict = epoch.verdict.as_ref();
    Span {
        context: Context::epoch(epoch.trial, epoch.id),
        parent: Some(Context::trial(epoch.trial)),
        name: format!("epoch on {}", epoch.cluster),
        role: Role::Internal,
        began: epoch.started,
        ended: at,
        error: verdict.and_then(|v| failed(v.outcome, v.reason.as_deref())),
        attributes: about(epoch),
    }
}

fn trial(trial: &Trial) -> Option<Span> {
    let TrialState::Ended { at, outcome, reason, .. } = &trial.state else { return None };
    Some(Span {
        context: Context::trial(trial.id),
        parent: None,
        name: format!("{} trial", trial.kind.as_str()),
        role: Role::Internal,
        began: trial.submitted,
        ended: *at,
        error: failed(*outcome, reason.as_deref()),
        attributes: vec![
            ("autoopt.experiment.id", trial.experiment.to_string()),
            ("autoopt.trial", trial.id.to_string()),
            ("autoopt.trial.number", trial.number.to_string()),
            ("autoopt.outcome", outcome.to_string()),
        ],
    })
}

fn failed(outcome: Outcome, reason: Option<&str>) -> Option<String> {
    match outcome {
        Outcome::Measured => None,
        _ => Some(reason.map_or_else(|| outcome.to_string(), |reason| format!("{outcome}: {reason}"))),
    }
}

fn about(epoch: &Epoch) -> Vec<(&'static str, String)> {
    let trial: TrialId = epoch.trial;
    vec![
        ("autoopt.experiment.id", epoch.experiment.to_string()),
        ("autoopt.trial", trial.to_string()),
        ("autoopt.trial.number", epoch.number.to_string()),
        ("autoopt.epoch", epoch.id.to_string()),
        ("autoopt.cluster", epoch.cluster.clone()),
    ]
}
