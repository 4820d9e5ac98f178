//! What workers say.

use autoopt_epoch::failure::{FailureKind, Outcome};
use autoopt_epoch::id::{EpochId, ExperimentId};
use autoopt_epoch::message::{Action, Cancel, Done, EventKind, Report, ReportState, Stage, TrialKind};
use autoopt_epoch::space::Parameters;
use autoopt_epoch::time::Timestamp;
use serde_json::json;

use super::events::{seconds, title};
use super::steps::phrase;
use super::turn::Turn;
use super::{Attempt, Effect, Ending, Epoch, Progress, Step, Verdict, World, plan};

impl World {
    /// Whether `report` ends the attempt that its epoch waits for. Taken in once, it would not: such a report cannot be
    /// a duplicate.
    pub fn awaits(&self, report: &Report) -> bool {
        let ends = matches!(report.state, ReportState::Done(_) | ReportState::Failed(_));
        let experiment = self.index.epochs.get(&report.epoch).and_then(|e| self.experiments.get(e));
        let epoch = experiment.and_then(|e| e.epochs.get(&report.epoch));
        ends && epoch.is_some_and(|epoch| mismatch(epoch, report).is_none())
    }
}

impl Turn<'_> {
    pub(super) fn take_report(&mut self, report: Report) {
        let experiment = self.world.index.epochs.get(&report.epoch).copied();
        let epoch = experiment.and_then(|e| self.open_epoch(e, report.epoch));
        let reason = match epoch {
            None => "its epoch has ended or is unknown".to_owned(),
            Some(epoch) => match mismatch(epoch, &report) {
                Some(reason) => reason,
                None => return self.take_current(epoch.experiment, report),
            },
        };
        self.ignore(&report, &reason, epoch_of(self, experiment, report.epoch));
    }

    /// A report that changes nothing: its sender is told to stop, the log tells people.
    fn ignore(&mut self, report: &Report, reason: &str, epoch: Option<Epoch>) {
        let state = state_name(&report.state);
        if matches!(report.state, ReportState::Heartbeat { .. } | ReportState::Accepted) {
            self.effects.push(Effect::Cancel(Cancel {
                epoch: report.epoch,
                cluster: report.cluster.clone(),
                stage: report.stage,
                step: report.step,
                attempt: report.attempt,
                reason: reason.to_owned(),
            }));
        }
        if matches!(report.state, ReportState::Heartbeat { .. }) {
            return;
        }
        let step = Step { stage: report.stage, action: report.action };
        let message = format!(
            "ignored: `{}` reports {} on `{}` as {state} (step {}, attempt {}), but {reason}",
            report.worker,
            phrase(step),
            report.cluster,
            report.step,
            report.attempt
        );
        let detail = json!({
            "epoch": report.epoch, "state": state, "worker": report.worker, "stage": report.stage,
            "step": report.step, "attempt": report.attempt, "cluster": report.cluster,
        });
        match epoch {
            Some(epoch) => self.log_epoch(&epoch, EventKind::ReportIgnored, message, detail),
            None => self.log(EventKind::ReportIgnored, message, detail),
        }
    }

    fn take_current(&mut self, experiment: ExperimentId, report: Report) {
        let id = report.epoch;
        match report.state {
            ReportState::Accepted | ReportState::Heartbeat { .. } => {
                self.lease(experiment, id, &report.worker)
            }
            ReportState::Done(done) => self.take_done(experiment, id, report.worker, report.at, done),
            ReportState::Failed(failure) => {
                let ending = Ending::Failed { kind: failure.kind, reason: failure.reason.clone() };
                let done = Done { artifacts: failure.artifacts, ..Done::default() };
                self.end_attempt(experiment, id, &report.worker, done, ending);
                self.attempt_failed(experiment, id, failure.kind, failure.reason);
            }
        }
    }

    /// A worker has the step, or has it still.
    fn lease(&mut self, experiment: ExperimentId, id: EpochId, from: &str) {
        let at = self.at;
        let Some(found) = self.world.experiments.get_mut(&experiment) else { return };
        let Some(epoch) = found.epochs.get_mut(&id) else { return };
        let Some(step) = epoch.step() else { return };
        let spec = found.spec.stage(step.stage);
        let until = at.after(spec.lease.0);
        if let Progress::Leased { worker, lease_until, .. } = &mut epoch.progress
            && worker == from
        {
            // not written down: after a restart every lease runs afresh anyway
            *lease_until = until;
            self.watch_epoch(experiment, id);
            return;
        }
        let other = match &epoch.progress {
            Progress::Leased { worker, .. } => Some(worker.clone()),
            _ => None,
        };
        let timeout_at = at.after(spec.timeout.0).after(spec.lease.0);
        epoch.progress =
            Progress::Leased { since: at, worker: from.to_owned(), lease_until: until, timeout_at };
        let epoch = epoch.clone();
        self.epoch_mut(experiment, id);
        self.watch_epoch(experiment, id);
        let cluster = &epoch.cluster;
        let mut message = format!("`{from}` has taken {} on `{cluster}`", phrase(step));
        if let Some(other) = &other {
            message.push_str(&format!(
                ", which `{other}` has taken already; unless that one has ended, two groups of workers serve `{cluster}`: give one of two clusters another name"
            ));
        }
        self.log_step(&epoch, EventKind::StageAccepted, message, json!({"worker": from, "also": other}));
    }

    fn take_done(
        &mut self,
        experiment: ExperimentId,
        id: EpochId,
        worker: String,
        ended: Timestamp,
        mut done: Done,
    ) {
        let Some(epoch) = self.open_epoch(experiment, id) else { return };
        let Some(step) = epoch.step() else { return };
        let (kind, cluster) = (epoch.kind, epoch.cluster.clone());
        let title = title(kind, epoch.number, epoch.pair);
        let others = self.experiment(experiment).map_or(0, |e| e.spec.other_objectives.len());
        if let Some((kind, reason)) = lacks(step, &done, others) {
            let ending = Ending::Failed { kind, reason: reason.clone() };
            self.end_attempt(experiment, id, &worker, done, ending);
            return self.attempt_failed(experiment, id, kind, reason);
        }
        let measurement = done.measurement.take();
        let captured = done.captured.take();
        let leaks = std::mem::take(&mut done.leaks);
        let mut verdict = None;
        if let Some(epoch) = self.epoch_mut(experiment, id) {
            if !done.outputs.is_empty() {
                epoch.outputs.insert(step.stage, done.outputs.clone());
            }
            if let Some(measurement) = measurement {
                let crossed = measurement
                    .violations
                    .first()
                    .map(|v| format!("`{}` does not hold; it is off by {}", v.constraint, v.by));
                let outcome = if crossed.is_some() { Outcome::Violated } else { Outcome::Measured };
                verdict = Some(Verdict { outcome, reason: crossed });
                epoch.measurement = Some(measurement);
            }
        }
        let took = (done.started.as_millis() > 0).then(|| ended.since(done.started));
        self.end_attempt(experiment, id, &worker, done, Ending::Done);
        if let Some(epoch) = self.open_epoch(experiment, id).cloned() {
            let time = took.map(|t| format!(" in {}", seconds(t))).unwrap_or_default();
            let message = format!("{} of {title} on `{cluster}` done{time}", phrase(step));
            let detail = json!({
                "worker": worker, "duration_ms": took.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX)),
            });
            self.log_step(&epoch, EventKind::StageDone, message, detail);
        }
        if let Some(captured) = captured {
            self.take_captured(experiment, id, &cluster, captured);
        }
        if kind == TrialKind::Closing && step.action == Action::Undo {
            self.mark(experiment, &cluster, step.stage, false);
        }
        if let Some(verdict) = self.take_leaks(experiment, id, leaks) {
            return self.unwind(experiment, id, verdict);
        }
        match verdict {
            Some(verdict) if verdict.outcome == Outcome::Violated && kind != TrialKind::Baseline => {
                self.unwind(experiment, id, verdict);
            }
            Some(verdict) => {
                if let Some(epoch) = self.epoch_mut(experiment, id) {
                    epoch.verdict = Some(verdict);
                }
                self.advance(experiment, id);
            }
            None => self.advance(experiment, id),
        }
    }

    /// The restore point is what was found first; the baseline is measured under it.
    fn take_captured(&mut self, experiment: ExperimentId, id: EpochId, cluster: &str, captured: Parameters) {
        let Some(found) = self.experiment(experiment) else { return };
        let Some(trial) = found.epochs.get(&id).map(|e| e.trial) else { return };
        if found.sites.get(cluster).is_none_or(|s| s.captured.is_some()) {
            return;
        }
        let mut values = Parameters::new();
        for parameter in &found.spec.parameters {
            let found = captured.get(&parameter.name).unwrap_or(&parameter.default);
            // what was found need not lie within the bounds of the search
            let value = parameter.conform(found).unwrap_or_else(|_| found.clone());
            values.insert(parameter.name.clone(), value);
        }
        if let Some(trial) = self.trial_mut(experiment, trial) {
            trial.parameters = values;
        }
        if let Some(site) = self.site_mut(experiment, cluster) {
            site.captured = Some(captured);
        }
    }

    fn end_attempt(
        &mut self,
        experiment: ExperimentId,
        id: EpochId,
        worker: &str,
        done: Done,
        ending: Ending,
    ) {
        let Some(epoch) = self.open_epoch(experiment, id) else { return };
        let Some(step) = epoch.step() else { return };
        let leased = match epoch.progress {
            Progress::Leased { since, .. } => Some(since),
            _ => None,
        };
        let attempt = Attempt {
            epoch: id,
            step: epoch.at,
            stage: step.stage,
            action: step.action,
            attempt: epoch.attempt,
            worker: Some(worker.to_owned()),
            started: Some(done.started).filter(|s| s.as_millis() > 0).or(leased),
            ended: self.at,
            ending,
            outputs: done.outputs,
            artifacts: done.artifacts,
        };
        self.record_attempt(attempt);
    }
}

fn epoch_of(turn: &Turn<'_>, experiment: Option<ExperimentId>, id: EpochId) -> Option<Epoch> {
    turn.open_epoch(experiment?, id).cloned()
}

/// Why a report is not about what its epoch waits for.
fn mismatch(epoch: &Epoch, report: &Report) -> Option<String> {
    if (report.step, report.attempt) != (epoch.at, epoch.attempt) {
        return Some(format!(
            "the epoch is at step {}, attempt {}; that attempt was given up or is finished",
            epoch.at, epoch.attempt
        ));
    }
    let Some(step) = epoch.step() else { return Some("the epoch's plan is done".into()) };
    if (report.stage, report.action) != (step.stage, step.action) {
        return Some(format!("step {} is {}", epoch.at, phrase(step)));
    }
    if report.cluster != epoch.cluster {
        return Some(format!("the epoch is on cluster `{}`", epoch.cluster));
    }
    matches!(epoch.progress, Progress::BackingOff { .. })
        .then(|| "that attempt has not been handed out yet".into())
}

/// What a finished step should have brought and did not.
fn lacks(step: Step, done: &Done, others: usize) -> Option<(FailureKind, String)> {
    if step == plan::step(Stage::Apply, Action::Capture) && done.captured.is_none() {
        let reason = "the worker gave no captured values, so there would be nothing to restore";
        return Some((FailureKind::Broken, reason.into()));
    }
    if step == plan::step(Stage::Collect, Action::Run) {
        match &done.measurement {
            None => return Some((FailureKind::Invalid, "the worker gave no measurement".into())),
            Some(m) if !m.objective.is_finite() => {
                return Some((
                    FailureKind::Invalid,
                    format!("the objective is {}, not a number", m.objective),
                ));
            }
            Some(m) if m.others.len() != others || !m.others.iter().all(|x| x.is_finite()) => {
                let reason = format!(
                    "the worker gave {} of {others} further objectives as numbers; is it of an older release?",
                    m.others.iter().filter(|x| x.is_finite()).count()
                );
                return Some((FailureKind::Invalid, reason));
            }
            Some(_) => {}
        }
    }
    None
}

const fn state_name(state: &ReportState) -> &'static str {
    match state {
        ReportState::Accepted => "accepted",
        ReportState::Heartbeat { .. } => "running",
        ReportState::Done(_) => "done",
        ReportState::Failed(_) => "failed",
    }
}
