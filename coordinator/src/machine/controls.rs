//! What people want.

use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::{EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::{EventKind, TrialKind};
use autoopt_epoch::time::Timestamp;

use super::{
    Breaker, Control, Effect, Ending, Experiment, Phase, Progress, Record, TrialState, World, events,
};

impl World {
    pub(super) fn control(&mut self, at: Timestamp, id: ExperimentId, control: Control) -> Vec<Effect> {
        let Some(experiment) = self.experiments.get_mut(&id) else {
            return vec![Effect::Reject("the experiment has ended".into())];
        };
        let (to, kind, text) = match (control, experiment.phase) {
            (Control::Pause, Phase::Running) => {
                (Phase::Paused, EventKind::ExperimentPaused, "paused; running epochs go on")
            }
            (Control::Resume, Phase::Paused) => (Phase::Running, EventKind::ExperimentResumed, "resumed"),
            (Control::Pause, Phase::Paused) | (Control::Resume, Phase::Running) => return Vec::new(),
            (Control::Pause | Control::Resume, _) => {
                return vec![Effect::Reject(
                    "the experiment is ending; it can be neither paused nor resumed".into(),
                )];
            }
            (Control::Stop, _) => return experiment.stop(at, "stopped by a person"),
            (Control::Cancel, _) => {
                let mut effects = experiment.stop(at, "cancelled by a person");
                let running: Vec<EpochId> = experiment
                    .epochs
                    .values()
                    .filter(|e| e.kind != TrialKind::Closing)
                    .map(|e| e.id)
                    .collect();
                for epoch in running {
                    let followed = self
                        .experiments
                        .get_mut(&id)
                        .map(|e| e.abandon(at, epoch, "cancelled by a person"))
                        .unwrap_or_default();
                    effects.extend(self.finish(at, epoch, followed));
                }
                return effects;
            }
        };
        experiment.phase = to;
        vec![
            Effect::Log(experiment.event(at, kind, text)),
            Effect::Save(Record::Experiment(experiment.row())),
        ]
    }

    pub(super) fn cancel_trial(&mut self, at: Timestamp, id: TrialId) -> Vec<Effect> {
        let reason = "cancelled by a person";
        let Some(experiment) = self.experiments.values_mut().find(|e| e.trials.contains_key(&id)) else {
            return vec![Effect::Reject("no open trial has this id".into())];
        };
        let Some(trial) = experiment.trials.get(&id) else { return Vec::new() };
        if !matches!(trial.kind, TrialKind::Proposed | TrialKind::Manual) {
            return vec![Effect::Reject(
                "a baseline or a closing cannot be cancelled; cancel the experiment".into(),
            )];
        }
        if let TrialState::Running { epoch } = trial.state {
            let followed = experiment.abandon(at, epoch, reason);
            return self.finish(at, epoch, followed);
        }
        experiment.trials.remove(&id).map_or_else(Vec::new, |trial| {
            experiment.end_trial(at, trial, Outcome::Abandoned, Some(reason.into()), None)
        })
    }

    pub(super) fn resume_cluster(&mut self, at: Timestamp, name: &str) -> Vec<Effect> {
        let Some(cluster) = self.clusters.get_mut(name) else {
            return vec![Effect::Reject(format!("no cluster `{name}` is known"))];
        };
        if matches!(cluster.breaker, Breaker::Closed { .. }) {
            return Vec::new();
        }
        cluster.breaker = Breaker::Closed { failures: 0 };
        let mut event =
            events::event(at, EventKind::ClusterResumed, format!("cluster `{name}` was resumed by a person"));
        event.cluster = Some(name.into());
        vec![Effect::Log(event), Effect::Save(Record::Cluster(cluster.clone()))]
    }
}

impl Experiment {
    /// Gives up what an epoch is doing; what it did is undone. One that is undoing already goes on.
    fn abandon(&mut self, at: Timestamp, id: EpochId, reason: &str) -> Vec<Effect> {
        let Some(epoch) = self.epochs.get(&id).filter(|e| e.verdict.is_none()) else { return Vec::new() };
        let epoch = epoch.clone();
        let mut effects: Vec<Effect> = Self::cancel(&epoch, reason).into_iter().collect();
        if !matches!(epoch.progress, Progress::BackingOff { .. }) {
            let ending = Ending::Superseded { reason: reason.into() };
            effects.push(Effect::Save(Record::Attempt(self.attempt(at, id, None, ending))));
        }
        effects.extend(self.unwind(at, id, Outcome::Abandoned, reason.into()));
        effects
    }
}
