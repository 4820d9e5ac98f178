//! What workers say, and what follows when they say nothing.

use autoopt_epoch::failure::{FailureKind, Outcome};
use autoopt_epoch::id::{EpochId, ExperimentId};
use autoopt_epoch::message::{Action, Cancel, Done, EventKind, Report, ReportState, TrialKind};
use autoopt_epoch::time::Timestamp;

use super::plan::undo;
use super::retry::next_attempt;
use super::{Attempt, Effect, Ending, Epoch, Experiment, Progress, Record, Verdict, World, events};

impl World {
    pub(super) fn report(&mut self, at: Timestamp, report: Report) -> Vec<Effect> {
        let experiment = self.index.get(&report.epoch).and_then(|id| self.experiments.get_mut(id));
        let Some(experiment) = experiment else { return ignored(at, None, &report, "its epoch has ended") };
        let id = report.epoch;
        let Some(epoch) = experiment.epochs.get_mut(&id) else { return Vec::new() };
        let current = (epoch.at, epoch.attempt) == (report.step, report.attempt)
            && matches!(epoch.progress, Progress::Handed { .. } | Progress::Leased { .. });
        if !current {
            return ignored(at, Some(experiment), &report, "its attempt is superseded");
        }
        let effects = match report.state {
            ReportState::Accepted | ReportState::Heartbeat { .. } => {
                return experiment.lease(at, id, report.worker);
            }
            ReportState::Done(done) => experiment.done(at, id, report.worker, done),
            ReportState::Failed(failure) => {
                let ending = Ending::Failed { kind: failure.kind, reason: failure.reason.clone() };
                let attempt = Attempt {
                    artifacts: failure.artifacts,
                    ..experiment.attempt(at, id, Some(report.worker), ending)
                };
                let mut effects = vec![Effect::Save(Record::Attempt(attempt))];
                effects.extend(experiment.fail(at, id, failure.kind, failure.reason));
                effects
            }
        };
        self.finish(at, id, effects)
    }

    /// Ends the epoch if its plan is done.
    pub(super) fn finish(&mut self, at: Timestamp, id: EpochId, mut effects: Vec<Effect>) -> Vec<Effect> {
        let Some(experiment_id) = self.index.get(&id).copied() else { return effects };
        let Some(experiment) = self.experiments.get_mut(&experiment_id) else { return effects };
        let Some(epoch) = experiment.epochs.get(&id).filter(|e| e.step().is_none()) else { return effects };
        let Some(cluster) = self.clusters.get_mut(&epoch.cluster) else { return effects };
        effects.extend(experiment.end_epoch(at, id, cluster));
        self.index.remove(&id);
        effects
    }

    /// Leases that ran out, pauses that are over.
    pub(super) fn timers(&mut self, at: Timestamp) -> Vec<Effect> {
        let due: Vec<(ExperimentId, EpochId)> = self
            .experiments
            .values()
            .flat_map(|e| e.epochs.values())
            .filter(|e| e.deadline().is_some_and(|deadline| deadline <= at))
            .map(|e| (e.experiment, e.id))
            .collect();
        let mut effects = Vec::new();
        for (experiment, epoch) in due {
            let Some(experiment) = self.experiments.get_mut(&experiment) else { continue };
            let followed = experiment.deadline_passed(at, epoch);
            effects.extend(self.finish(at, epoch, followed));
        }
        effects
    }
}

/// Recorded, and nothing else; a worker that is still at it is told to stop.
fn ignored(at: Timestamp, experiment: Option<&Experiment>, report: &Report, why: &str) -> Vec<Effect> {
    if matches!(report.state, ReportState::Accepted | ReportState::Heartbeat { .. }) {
        return vec![Effect::Cancel(Cancel {
            epoch: report.epoch,
            cluster: report.cluster.clone(),
            stage: report.stage,
            step: report.step,
            attempt: report.attempt,
            reason: why.into(),
        })];
    }
    let text = format!("a report of {} (attempt {}) changes nothing: {why}", report.stage, report.attempt);
    let mut event = experiment.map_or_else(
        || events::event(at, EventKind::ReportIgnored, text.clone()),
        |e| e.event(at, EventKind::ReportIgnored, text.clone()),
    );
    event.epoch = Some(report.epoch);
    event.cluster = Some(report.cluster.clone());
    event.stage = Some(report.stage);
    event.attempt = Some(report.attempt);
    vec![Effect::Log(event)]
}

impl Epoch {
    /// When something has to be done about it, if nobody says anything.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match self.progress {
            Progress::Leased { lease_until, timeout_at, .. } => Some(lease_until.min(timeout_at)),
            Progress::BackingOff { until } => Some(until),
            Progress::Handed { .. } | Progress::Ended { .. } => None,
        }
    }
}

impl Experiment {
    fn lease(&mut self, at: Timestamp, id: EpochId, worker: String) -> Vec<Effect> {
        let Some(epoch) = self.epochs.get_mut(&id) else { return Vec::new() };
        let Some(step) = epoch.step() else { return Vec::new() };
        let stage = self.spec.stage(step.stage);
        let renewed = at.after(stage.lease.0);
        if let Progress::Leased { lease_until, .. } = &mut epoch.progress {
            // a renewal is not written down: a restarted coordinator lets every lease run afresh
            *lease_until = renewed;
            return Vec::new();
        }
        epoch.progress = Progress::Leased {
            since: at,
            worker: worker.clone(),
            lease_until: renewed,
            timeout_at: at.after(stage.timeout.0).after(stage.lease.0),
        };
        let epoch = epoch.clone();
        let text = format!("{} was taken by {worker}", step.stage);
        vec![self.step_event(at, EventKind::StageAccepted, &epoch, text), Effect::Save(Record::Epoch(epoch))]
    }

    pub(super) fn attempt(
        &self,
        at: Timestamp,
        id: EpochId,
        worker: Option<String>,
        ending: Ending,
    ) -> Attempt {
        let epoch = &self.epochs[&id];
        let step = epoch.step().unwrap_or(epoch.plan[0]);
        let started = match epoch.progress {
            Progress::Leased { since, .. } => Some(since),
            _ => None,
        };
        Attempt {
            epoch: id,
            step: epoch.at,
            stage: step.stage,
            action: step.action,
            attempt: epoch.attempt,
            worker: worker.or_else(|| epoch.worker().map(Into::into)),
            started,
            ended: at,
            ending,
            outputs: serde_json::Map::new(),
            artifacts: Vec::new(),
        }
    }

    fn done(&mut self, at: Timestamp, id: EpochId, worker: String, done: Done) -> Vec<Effect> {
        let attempt = Attempt {
            started: Some(done.started),
            outputs: done.outputs.clone(),
            artifacts: done.artifacts,
            ..self.attempt(at, id, Some(worker), Ending::Done)
        };
        let Some(epoch) = self.epochs.get_mut(&id) else { return Vec::new() };
        let Some(step) = epoch.step() else { return Vec::new() };
        let mut effects = Vec::new();
        if !done.outputs.is_empty() {
            epoch.outputs.insert(step.stage, done.outputs);
        }
        if let Some(captured) = done.captured {
            self.captured(id, &captured);
            effects.push(Effect::Save(Record::Experiment(self.row())));
            effects.extend(
                self.trials.get(&attempt_trial(self, id)).cloned().map(|t| Effect::Save(Record::Trial(t))),
            );
        }
        let Some(epoch) = self.epochs.get_mut(&id) else { return effects };
        if let Some(measurement) = done.measurement {
            if let Some(violation) =
                measurement.violations.first().filter(|_| epoch.kind != TrialKind::Baseline)
            {
                let reason = format!("`{}` does not hold (by {})", violation.constraint, violation.by);
                epoch.verdict = Some(Verdict { outcome: Outcome::Violated, reason: Some(reason) });
                let rest = undo(&self.spec, epoch, Outcome::Violated);
                epoch.plan.truncate(epoch.at as usize + 1);
                epoch
                    .plan
                    .extend(rest.into_iter().filter(|s| s.stage != autoopt_epoch::message::Stage::Bench));
            }
            epoch.measurement = Some(measurement);
        }
        let text = match step.action {
            Action::Run => format!("{} is done", step.stage),
            Action::Capture => format!("{} found the values in force", step.stage),
            Action::Undo => format!("{} is undone", step.stage),
        };
        let snapshot = epoch.clone();
        effects.push(self.step_event(at, EventKind::StageDone, &snapshot, text));
        effects.push(Effect::Save(Record::Attempt(attempt)));
        effects.extend(self.advance(at, id));
        effects
    }

    /// The baseline is measured under what was found; a value that was not found is taken from the defaults.
    fn captured(&mut self, id: EpochId, captured: &autoopt_epoch::space::Parameters) {
        let Some(epoch) = self.epochs.get(&id) else { return };
        let Some(trial) = self.trials.get_mut(&epoch.trial) else { return };
        for (name, value) in captured {
            if let Some(own) = trial.parameters.get_mut(name) {
                value.clone_into(own);
            }
        }
        let site = self.sites.entry(epoch.cluster.clone()).or_default();
        site.captured = Some(trial.parameters.clone());
    }

    /// Hands out the next step; a finished plan is left to [`World::finish`].
    fn advance(&mut self, at: Timestamp, id: EpochId) -> Vec<Effect> {
        let Some(epoch) = self.epochs.get_mut(&id) else { return Vec::new() };
        epoch.at += 1;
        epoch.attempt = 1;
        epoch.progress = Progress::Handed { since: at };
        if epoch.step().is_none() {
            return Vec::new();
        }
        let epoch = epoch.clone();
        let mut effects: Vec<Effect> = self.hand(&epoch, at).into_iter().collect();
        effects.push(Effect::Save(Record::Epoch(epoch)));
        effects
    }

    /// The current step failed: it is tried again, or the rest of the plan becomes what undoes it.
    pub(super) fn fail(
        &mut self,
        at: Timestamp,
        id: EpochId,
        kind: FailureKind,
        reason: String,
    ) -> Vec<Effect> {
        let Some(epoch) = self.epochs.get_mut(&id) else { return Vec::new() };
        let policy = &self.spec.retry.transient;
        if kind == FailureKind::Transient && epoch.attempt < policy.attempts {
            let until = next_attempt(policy, id.0, epoch.attempt, at);
            epoch.progress = Progress::BackingOff { until };
            let epoch = epoch.clone();
            let text = format!("attempt {} failed ({reason}); again at {until}", epoch.attempt);
            return vec![
                self.step_event(at, EventKind::StageRetried, &epoch, text),
                Effect::Save(Record::Epoch(epoch)),
            ];
        }
        let snapshot = epoch.clone();
        let text = format!(
            "{} failed for good, {kind}: {reason}",
            snapshot.step().map_or("a step", |s| s.stage.as_str())
        );
        let mut effects = vec![self.step_event(at, EventKind::StageFailed, &snapshot, text)];
        effects.extend(self.unwind(at, id, kind.into(), reason));
        effects
    }

    /// Sets the verdict and replaces the rest of the plan by what undoes it. A failure while undoing ends the epoch as
    /// broken for its cluster; closing puts things right later.
    pub(super) fn unwind(
        &mut self,
        at: Timestamp,
        id: EpochId,
        outcome: Outcome,
        reason: String,
    ) -> Vec<Effect> {
        let Some(epoch) = self.epochs.get_mut(&id) else { return Vec::new() };
        let undoing = epoch.verdict.is_some();
        let rest = if undoing || epoch.kind == TrialKind::Closing {
            Vec::new()
        } else {
            undo(&self.spec, epoch, outcome)
        };
        epoch.plan.truncate(epoch.at as usize + 1);
        epoch.plan.extend(rest);
        if !undoing {
            epoch.verdict = Some(Verdict { outcome, reason: Some(reason) });
        }
        self.advance(at, id)
    }

    fn deadline_passed(&mut self, at: Timestamp, id: EpochId) -> Vec<Effect> {
        let Some(epoch) = self.epochs.get_mut(&id) else { return Vec::new() };
        if let Progress::Leased { worker, lease_until, .. } = &epoch.progress {
            let reason = if *lease_until <= at {
                format!("{worker} has been silent for longer than its lease")
            } else {
                format!("{worker} has not ended within the time-out")
            };
            let snapshot = epoch.clone();
            let ending = Ending::Superseded { reason: reason.clone() };
            let mut effects = vec![
                Effect::Save(Record::Attempt(self.attempt(at, id, None, ending))),
                self.step_event(at, EventKind::LeaseExpired, &snapshot, reason.clone()),
            ];
            effects.extend(Self::cancel(&snapshot, &reason));
            effects.extend(self.fail(at, id, FailureKind::Transient, reason));
            return effects;
        }
        epoch.attempt += 1;
        epoch.progress = Progress::Handed { since: at };
        let epoch = epoch.clone();
        let mut effects: Vec<Effect> = self.hand(&epoch, at).into_iter().collect();
        effects.push(Effect::Save(Record::Epoch(epoch)));
        effects
    }
}

fn attempt_trial(experiment: &Experiment, id: EpochId) -> autoopt_epoch::id::TrialId {
    experiment.epochs[&id].trial
}
