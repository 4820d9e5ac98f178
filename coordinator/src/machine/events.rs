//! Lines of the log: one sentence for people, the same as fields for programs.

use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::{Event, EventKind, Stage, TrialKind};
use serde_json::Value as Json;

use super::turn::Turn;
use super::{Effect, Epoch, Trial};

impl Turn<'_> {
    fn event_of(&self, id: ExperimentId, kind: EventKind, message: String, detail: Json) -> Event {
        let mut event = Event::new(self.at, kind, message, detail);
        event.experiment = self.experiment(id).map(|e| e.spec.name.clone());
        event.experiment_id = Some(id);
        event
    }

    pub(super) fn log(&mut self, kind: EventKind, message: impl Into<String>, detail: Json) {
        let event = Event::new(self.at, kind, message, detail);
        self.effects.push(Effect::Log(event));
    }

    pub(super) fn log_experiment(
        &mut self,
        id: ExperimentId,
        kind: EventKind,
        message: impl Into<String>,
        detail: Json,
    ) {
        let event = self.event_of(id, kind, message.into(), detail);
        self.effects.push(Effect::Log(event));
    }

    pub(super) fn log_cluster(
        &mut self,
        id: ExperimentId,
        cluster: &str,
        kind: EventKind,
        message: impl Into<String>,
        detail: Json,
    ) {
        let mut event = self.event_of(id, kind, message.into(), detail);
        event.cluster = Some(cluster.to_owned());
        self.effects.push(Effect::Log(event));
    }

    pub(super) fn log_trial(
        &mut self,
        trial: &Trial,
        kind: EventKind,
        message: impl Into<String>,
        detail: Json,
    ) {
        let mut event = self.event_of(trial.experiment, kind, message.into(), detail);
        event.trial = Some(trial.id);
        event.number = Some(trial.number);
        event.cluster.clone_from(&trial.cluster);
        self.effects.push(Effect::Log(event));
    }

    /// About an epoch as a whole.
    pub(super) fn log_epoch(
        &mut self,
        epoch: &Epoch,
        kind: EventKind,
        message: impl Into<String>,
        detail: Json,
    ) {
        self.push_epoch_event(epoch, None, kind, message.into(), detail);
    }

    /// About the current step of an epoch.
    pub(super) fn log_step(
        &mut self,
        epoch: &Epoch,
        kind: EventKind,
        message: impl Into<String>,
        detail: Json,
    ) {
        let stage = epoch.step().map(|s| s.stage);
        self.push_epoch_event(epoch, stage, kind, message.into(), detail);
    }

    fn push_epoch_event(
        &mut self,
        epoch: &Epoch,
        stage: Option<Stage>,
        kind: EventKind,
        message: String,
        detail: Json,
    ) {
        let mut event = self.event_of(epoch.experiment, kind, message, detail);
        event.trial = Some(epoch.trial);
        event.number = Some(epoch.number);
        event.epoch = Some(epoch.id);
        event.cluster = Some(epoch.cluster.clone());
        event.stage = stage;
        event.attempt = stage.map(|_| epoch.attempt);
        self.effects.push(Effect::Log(event));
    }
}

/// How a trial is called in a sentence.
pub(super) fn title(kind: TrialKind, number: u32, pair: Option<u32>) -> String {
    let of_pair = pair.map(|n| format!(" of pair {n}")).unwrap_or_default();
    match kind {
        TrialKind::Baseline => format!("the baseline{of_pair}"),
        TrialKind::Recommended => format!("the best values{of_pair}"),
        TrialKind::Closing => "the closing".into(),
        TrialKind::Proposed | TrialKind::Manual => format!("trial {number}"),
    }
}

/// A length of time in a sentence.
pub(super) fn seconds(period: std::time::Duration) -> String {
    format!("{:.1} s", period.as_secs_f64())
}
