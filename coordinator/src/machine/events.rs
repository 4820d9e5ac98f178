//! Lines of the event log.

use autoopt_epoch::message::{Event, EventKind};
use autoopt_epoch::time::Timestamp;
use serde_json::{Value, json};

use super::{Effect, Epoch, Experiment, Trial};

/// An event that belongs to no experiment.
pub(super) fn event(at: Timestamp, kind: EventKind, message: impl Into<String>) -> Event {
    Event {
        seq: 0,
        at,
        kind,
        experiment: None,
        experiment_id: None,
        trial: None,
        number: None,
        epoch: None,
        cluster: None,
        stage: None,
        attempt: None,
        message: message.into(),
        detail: Value::Null,
    }
}

impl Experiment {
    /// An event of this experiment.
    pub(super) fn event(&self, at: Timestamp, kind: EventKind, message: impl Into<String>) -> Event {
        Event {
            experiment: Some(self.spec.name.clone()),
            experiment_id: Some(self.id),
            ..event(at, kind, message)
        }
    }

    /// An event of one of its trials.
    pub(super) fn trial_event(
        &self,
        at: Timestamp,
        kind: EventKind,
        trial: &Trial,
        message: impl Into<String>,
    ) -> Event {
        Event {
            trial: Some(trial.id),
            number: Some(trial.number),
            cluster: trial.cluster.clone(),
            detail: json!({"kind": trial.kind}),
            ..self.event(at, kind, message)
        }
    }

    /// An event of the current step of one of its epochs.
    pub(super) fn step_event(
        &self,
        at: Timestamp,
        kind: EventKind,
        epoch: &Epoch,
        message: impl Into<String>,
    ) -> Effect {
        Effect::Log(Event {
            stage: epoch.step().map(|s| s.stage),
            attempt: Some(epoch.attempt),
            detail: epoch.step().map_or(Value::Null, |s| json!({"step": epoch.at, "action": s.action})),
            ..self.epoch_event(at, kind, epoch, message)
        })
    }

    /// An event of one of its epochs.
    pub(super) fn epoch_event(
        &self,
        at: Timestamp,
        kind: EventKind,
        epoch: &Epoch,
        message: impl Into<String>,
    ) -> Event {
        Event {
            trial: Some(epoch.trial),
            number: Some(epoch.number),
            epoch: Some(epoch.id),
            cluster: Some(epoch.cluster.clone()),
            ..self.event(at, kind, message)
        }
    }
}
