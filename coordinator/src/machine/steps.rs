//! Handing steps out, retrying them, and unwinding when one fails for good.

use std::sync::Arc;

use autoopt_epoch::failure::{FailureKind, Outcome};
use autoopt_epoch::id::{EpochId, ExperimentId};
use autoopt_epoch::message::{self, Action, Cancel, EventKind, Measure, Stage, TrialKind};
use serde_json::json;

use super::events::{seconds, title};
use super::turn::Turn;
use super::{Attempt, Effect, Ending, Epoch, Experiment, Leaked, Progress, Step, Verdict, plan, retry};

impl Epoch {
    /// The current step.
    pub fn step(&self) -> Option<Step> {
        self.plan.get(self.at as usize).copied()
    }

    /// Who has the current step.
    pub fn worker(&self) -> Option<&str> {
        match &self.progress {
            Progress::Leased { worker, .. } => Some(worker),
            _ => None,
        }
    }
}

impl Turn<'_> {
    /// Publishes the current step.
    pub(super) fn hand_out(&mut self, experiment: ExperimentId, id: EpochId) {
        let at = self.at;
        let Some(epoch) = self.epoch_mut(experiment, id) else { return };
        epoch.progress = Progress::Handed { since: at };
        self.watch_epoch(experiment, id);
        let Some(found) = self.experiment(experiment) else { return };
        let Some(epoch) = found.epochs.get(&id) else { return };
        let Some(step) = epoch.step() else { return };
        let cluster = epoch.cluster.clone();
        let known = self.world.clusters.get(&cluster).and_then(|c| c.leaked.as_ref());
        let order = order(found, epoch, step, known.filter(|_| epoch.looks()), at);
        let marks = step.action == Action::Run && matches!(step.stage, Stage::Apply | Stage::Load);
        if marks && found.sites.get(&cluster).is_some_and(|s| !s.dirty.contains(&step.stage)) {
            self.mark(experiment, &cluster, step.stage, true);
        }
        self.effects.push(Effect::Hand(Box::new(order)));
    }

    /// Notes whether a stage may have left something in force.
    pub(super) fn mark(&mut self, experiment: ExperimentId, cluster: &str, stage: Stage, dirty: bool) {
        let Some(site) = self.site_mut(experiment, cluster) else { return };
        if dirty {
            site.dirty.insert(stage);
        } else {
            site.dirty.remove(&stage);
        }
    }

    /// The current step is behind; on with the next, or the end.
    pub(super) fn advance(&mut self, experiment: ExperimentId, id: EpochId) {
        let Some(epoch) = self.epoch_mut(experiment, id) else { return };
        epoch.at += 1;
        epoch.attempt = 1;
        if epoch.step().is_some() {
            self.hand_out(experiment, id);
        } else {
            self.end_epoch(experiment, id);
        }
    }

    /// Sets the verdict, and replaces the rest of the plan by what undoes it.
    pub(super) fn unwind(&mut self, experiment: ExperimentId, id: EpochId, verdict: Verdict) {
        let Some(spec) = self.experiment(experiment).map(|e| Arc::clone(&e.spec)) else { return };
        let Some(epoch) = self.epoch_mut(experiment, id) else { return };
        epoch.plan.truncate(epoch.at as usize + 1);
        // a closing is what undoes; what it could not undo, the next one does
        if epoch.kind != TrialKind::Closing {
            let measured = epoch.measurement.is_some();
            let rest = plan::undoing(&epoch.plan, verdict.outcome, measured, &spec);
            epoch.plan.extend(rest);
        }
        epoch.verdict = Some(verdict);
        self.advance(experiment, id);
    }

    /// The current attempt has failed (and is recorded): another one, or what follows.
    pub(super) fn attempt_failed(
        &mut self,
        experiment: ExperimentId,
        id: EpochId,
        kind: FailureKind,
        reason: String,
    ) {
        let Some(found) = self.experiment(experiment) else { return };
        let (spec, Some(epoch)) = (Arc::clone(&found.spec), found.epochs.get(&id)) else { return };
        let Some(step) = epoch.step() else { return };
        let (number, attempt) = (epoch.at, epoch.attempt);
        let epoch = epoch.clone();
        let policy = &spec.retry.transient;
        let what = format!(
            "{} of {} on `{}`",
            phrase(step),
            title(epoch.kind, epoch.number, epoch.pair),
            epoch.cluster
        );
        if kind == FailureKind::Transient && attempt < policy.attempts {
            let pause = retry::pause(policy, attempt, id.0, &format!("{number}/{attempt}"));
            let until = self.at.after(pause);
            let message = format!("{what} failed: {reason}; tried again in {}", seconds(pause));
            let detail =
                json!({"kind": kind, "reason": reason, "retry_at": until, "attempts": policy.attempts});
            self.log_step(&epoch, EventKind::StageFailed, message, detail);
            if let Some(epoch) = self.epoch_mut(experiment, id) {
                epoch.attempt += 1;
                epoch.progress = Progress::BackingOff { until };
            }
            self.watch_epoch(experiment, id);
            return;
        }
        let times = if attempt > 1 { format!(" after {attempt} attempts") } else { String::new() };
        self.log_step(
            &epoch,
            EventKind::StageFailed,
            format!("{what} failed as {kind}{times}: {reason}"),
            json!({"kind": kind, "reason": reason, "attempt": attempt}),
        );
        let reason = format!("{} failed{times}: {reason}", phrase(step));
        if epoch.verdict.is_some() {
            self.open_breaker(&epoch.cluster, experiment, &reason);
            self.mark(experiment, &epoch.cluster, step.stage, true);
            self.advance(experiment, id);
        } else {
            self.unwind(experiment, id, Verdict { outcome: kind.into(), reason: Some(reason) });
        }
    }

    /// An epoch's deadline has come.
    pub(super) fn epoch_due(&mut self, id: EpochId) {
        let Some(experiment) = self.world.index.epochs.get(&id).copied() else { return };
        let Some(epoch) = self.open_epoch(experiment, id).cloned() else { return };
        let Some(step) = epoch.step() else { return };
        let (stage, cluster) = (step.stage, &epoch.cluster);
        match &epoch.progress {
            Progress::Handed { since } => {
                let waited = self.at.since(*since);
                let message = format!(
                    "no worker has taken {} on `{cluster}` for {}; is worker-{stage} running for this cluster? It goes on by itself once one is, unless the queue was deleted meanwhile: then give the trial up (`autoopt trial cancel`)",
                    phrase(step),
                    seconds(waited)
                );
                let detail = json!({"waiting_since": since});
                self.log_step(&epoch, EventKind::StageRetried, message, detail);
            }
            Progress::BackingOff { .. } => {
                let message =
                    format!("{} on `{cluster}` is tried again, attempt {}", phrase(step), epoch.attempt);
                self.log_step(&epoch, EventKind::StageRetried, message, json!({}));
                self.hand_out(experiment, id);
            }
            Progress::Leased { worker, timeout_at, .. } => {
                let reason = if self.at >= *timeout_at {
                    format!("`{worker}` did not end {} within its time-out", phrase(step))
                } else {
                    format!("`{worker}` has not been heard of for the length of a lease")
                };
                let message = format!("{reason}; whatever it still reports changes nothing");
                self.log_step(&epoch, EventKind::LeaseExpired, message, json!({"worker": worker}));
                self.supersede(&epoch, &reason);
                self.attempt_failed(experiment, id, FailureKind::Transient, reason);
            }
            Progress::Ended { .. } => {}
        }
    }

    /// Gives a running epoch up; what it began is undone. One that is being undone already goes on.
    pub(super) fn abandon(&mut self, experiment: ExperimentId, id: EpochId, reason: &str) {
        let Some(epoch) = self.open_epoch(experiment, id).cloned() else { return };
        if epoch.kind == TrialKind::Closing {
            return;
        }
        let verdict = Verdict { outcome: Outcome::Abandoned, reason: Some(reason.to_owned()) };
        let Some(found) = self.experiment(experiment) else { return };
        let Some(trial) = found.trials.get(&epoch.trial) else { return };
        let (repeats, measured) = (found.repeats(trial), trial.measurements.len());
        let returns = |outcome| match outcome {
            Outcome::Transient | Outcome::Broken | Outcome::Invalid => true,
            Outcome::Measured => measured + 1 < repeats,
            Outcome::Infeasible | Outcome::Violated | Outcome::Abandoned => false,
        };
        match &epoch.verdict {
            // it would go back to the queue
            Some(v) if returns(v.outcome) => {
                if let Some(epoch) = self.epoch_mut(experiment, id) {
                    epoch.verdict = Some(verdict);
                }
            }
            Some(_) => {}
            None => {
                if !matches!(epoch.progress, Progress::BackingOff { .. }) {
                    self.supersede(&epoch, reason);
                }
                self.unwind(experiment, id, verdict);
            }
        }
    }

    /// Ends the epoch of a closing as it is.
    pub(super) fn abandon_closing(&mut self, experiment: ExperimentId, id: EpochId, reason: &str) {
        let Some(epoch) = self.open_epoch(experiment, id).cloned() else { return };
        if !matches!(epoch.progress, Progress::BackingOff { .. }) {
            self.supersede(&epoch, reason);
        }
        let verdict = Verdict { outcome: Outcome::Abandoned, reason: Some(reason.to_owned()) };
        self.unwind(experiment, id, verdict);
    }

    /// Records that the current attempt no longer counts, and tells its worker.
    fn supersede(&mut self, epoch: &Epoch, reason: &str) {
        let Some(step) = epoch.step() else { return };
        let started = match epoch.progress {
            Progress::Leased { since, .. } => Some(since),
            _ => None,
        };
        self.record_attempt(Attempt {
            epoch: epoch.id,
            step: epoch.at,
            stage: step.stage,
            action: step.action,
            attempt: epoch.attempt,
            worker: epoch.worker().map(str::to_owned),
            started,
            ended: self.at,
            ending: Ending::Superseded { reason: reason.to_owned() },
            outputs: serde_json::Map::new(),
            artifacts: Vec::new(),
        });
        self.effects.push(Effect::Cancel(Cancel {
            epoch: epoch.id,
            cluster: epoch.cluster.clone(),
            stage: step.stage,
            step: epoch.at,
            attempt: epoch.attempt,
            reason: reason.to_owned(),
        }));
    }
}

/// How a step is called in a sentence.
pub(super) fn phrase(step: Step) -> String {
    format!("`{}` of stage `{}`", step.action.as_str(), step.stage)
}

fn order(
    experiment: &Experiment,
    epoch: &Epoch,
    step: Step,
    leaked: Option<&Leaked>,
    at: autoopt_epoch::time::Timestamp,
) -> message::Epoch {
    let spec = &experiment.spec;
    let backend = leaked.map_or_else(|| spec.stage(step.stage), |leaked| &leaked.bench);
    let site = experiment.sites.get(&epoch.cluster);
    let measure = (step == plan::step(Stage::Collect, Action::Run)).then(|| Measure {
        metrics: spec.metrics.clone(),
        objective: spec.objective.clone(),
        other_objectives: spec.other_objectives.clone(),
        outcome_constraints: spec.outcome_constraints.clone(),
        baseline: site.and_then(|s| s.baseline.clone()),
    });
    message::Epoch {
        experiment: spec.name.clone(),
        experiment_id: experiment.id,
        trial: epoch.trial,
        number: epoch.number,
        kind: epoch.kind,
        epoch: epoch.id,
        cluster: epoch.cluster.clone(),
        step: epoch.at,
        stage: step.stage,
        action: step.action,
        attempt: epoch.attempt,
        issued: at,
        lease: backend.lease,
        timeout: backend.timeout,
        parameters: experiment.trials.get(&epoch.trial).map(|t| t.parameters.clone()).unwrap_or_default(),
        backend: backend.clone(),
        restore: site.and_then(|s| s.captured.clone()),
        outputs: epoch.outputs.clone(),
        artifacts: Vec::new(),
        leaks: leaked.map(|leaked| leaked.leaks.clone()).unwrap_or_default(),
        measure,
    }
}
