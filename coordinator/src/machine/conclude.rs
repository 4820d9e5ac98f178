//! How epochs and trials end, and what is learned.

use std::collections::BTreeMap;

use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::{EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::{EventKind, Measurement, Observation, TrialKind, Violation};
use autoopt_epoch::statistics::Run;
use autoopt_epoch::time::Timestamp;
use serde_json::json;

use super::class::{only_placement, placement};
use super::events::title;
use super::index::counts;
use super::turn::Turn;
use super::{Best, Epoch, Phase, Progress, Trial, TrialState, Verdict, retry};

/// What becomes of a trial whose epoch has ended.
enum Next {
    End(Outcome),
    Again(Timestamp),
}

impl Turn<'_> {
    /// The plan is done: frees the cluster, and decides about the trial.
    pub(super) fn end_epoch(&mut self, experiment: ExperimentId, id: EpochId) {
        let Some(found) = self.world.experiments.get_mut(&experiment) else { return };
        let Some(mut epoch) = found.epochs.remove(&id) else { return };
        epoch.progress = Progress::Ended { at: self.at };
        // a closing has nothing to measure: its plan being done is its success
        let verdict =
            epoch.verdict.get_or_insert(Verdict { outcome: Outcome::Measured, reason: None }).clone();
        self.world.index.epochs.remove(&id);
        self.world.index.timers.set(super::index::Timer::Epoch(id), None);
        let cluster = epoch.cluster.clone();
        let reason = verdict.reason.clone().unwrap_or_else(|| format!("it ended {}", verdict.outcome));
        if epoch.kind == TrialKind::Closing && verdict.outcome != Outcome::Measured {
            self.open_breaker(&cluster, experiment, &reason);
        } else {
            self.judge(&cluster, experiment, verdict.outcome, &reason);
        }
        self.change_cluster(&cluster, |c| c.holder = None);
        if epoch.kind == TrialKind::Closing {
            self.conclude_closing(&epoch, &verdict);
        } else {
            self.conclude(&epoch, verdict);
        }
        self.close_if_left(experiment, &cluster);
        self.record_ended_epoch(epoch);
        self.due.insert(experiment);
    }

    fn conclude(&mut self, epoch: &Epoch, verdict: Verdict) {
        let experiment = epoch.experiment;
        let Some(found) = self.experiment(experiment) else { return };
        let retries = found.spec.retry.clone();
        let repeats = found.trials.get(&epoch.trial).map_or(1, |t| found.repeats(t));
        let left = found.sites.get(&epoch.cluster).is_some_and(|site| site.left);
        let pinned = found.trials.get(&epoch.trial).is_some_and(|trial| trial.cluster.is_some());
        let goes_on =
            matches!(found.phase, Phase::Running | Phase::Paused | Phase::Confirming) && !(left && pinned);
        let at = self.at;
        if epoch.kind == TrialKind::Baseline
            && let Some(measured) = &epoch.measurement
            && let Some(site) = self.site_mut(experiment, &epoch.cluster)
        {
            let (objective, others) = (measured.objective, measured.others.clone());
            site.runs.push(Run { at, objective, others });
        }
        let seconds = self.note_values(epoch, verdict.outcome);
        let Some(trial) = self.trial_mut(experiment, epoch.trial) else { return };
        if let Some(measurement) = &epoch.measurement {
            trial.measurements.push(measurement.clone());
            trial.placements.extend(placement(&epoch.outputs));
            trial.seconds.push(seconds);
        }
        let again = |policy, failed, limit| {
            if goes_on && failed < limit {
                Next::Again(at.after(retry::pause(policy, failed, epoch.trial.0, "again")))
            } else {
                Next::End(verdict.outcome)
            }
        };
        let next = match verdict.outcome {
            Outcome::Measured if trial.measurements.len() < repeats && !(left && pinned) => Next::Again(at),
            Outcome::Invalid => {
                trial.invalid += 1;
                again(&retries.invalid, trial.invalid, retries.invalid.attempts)
            }
            // nothing was done of it
            Outcome::Broken | Outcome::Transient if goes_on && epoch.only_looked() => Next::Again(at),
            Outcome::Broken | Outcome::Transient => {
                trial.broken += 1;
                again(&retries.broken, trial.broken, retries.broken.attempts)
            }
            outcome => Next::End(outcome),
        };
        match next {
            Next::End(outcome) => {
                self.end_trial(experiment, epoch.trial, outcome, verdict.reason, Some(&epoch.cluster))
            }
            Next::Again(not_before) => {
                let why = match verdict.outcome {
                    Outcome::Measured => format!("measured {} of {repeats} times", trial.measurements.len()),
                    outcome => {
                        format!("ended {outcome}: {}", verdict.reason.as_deref().unwrap_or("no reason given"))
                    }
                };
                trial.state = TrialState::Waiting { not_before };
                let message = format!(
                    "an epoch of {} on `{}` {why}; the trial goes on waiting for its next one",
                    title(epoch.kind, epoch.number, epoch.pair),
                    epoch.cluster
                );
                let detail = json!({"outcome": verdict.outcome, "not_before": not_before});
                self.log_epoch(epoch, EventKind::EpochEnded, message, detail);
                self.wait(experiment, epoch.trial);
            }
        }
    }

    /// Takes a trial of the experiment's own in; it waits from now on.
    pub(super) fn add_trial(&mut self, trial: Trial) -> TrialId {
        let (experiment, id) = (trial.experiment, trial.id);
        if let Some(found) = self.world.experiments.get_mut(&experiment) {
            found.trials.insert(id, trial);
        }
        self.trial_mut(experiment, id);
        self.wait(experiment, id);
        id
    }

    /// Puts a waiting trial into the queue, now or when its back-off is over.
    pub(super) fn wait(&mut self, experiment: ExperimentId, id: TrialId) {
        let Some(trial) = self.world.experiments.get(&experiment).and_then(|e| e.trials.get(&id)) else {
            return;
        };
        self.world.index.add_trial(trial, self.at);
        if matches!(trial.state, TrialState::Waiting { not_before } if not_before <= self.at) {
            self.seek(experiment, id);
        }
    }

    /// Ends a trial for good.
    pub(super) fn end_trial(
        &mut self,
        experiment: ExperimentId,
        id: TrialId,
        outcome: Outcome,
        reason: Option<String>,
        cluster: Option<&str>,
    ) {
        let at = self.at;
        let Some(found) = self.experiment_mut(experiment) else { return };
        let Some(mut trial) = found.trials.remove(&id) else { return };
        let observation = cluster.and_then(|c| observation(&trial, outcome, c));
        let objective = observation.as_ref().and_then(|o| o.objective);
        let sign = found.spec.objective.goal().sign();
        if counts(trial.kind) {
            *found.outcomes.entry(outcome).or_default() += 1;
        }
        let one_goal = found.spec.other_objectives.is_empty();
        let mut leads = false;
        // the best of many runs of one configuration is no better configuration
        if let (Outcome::Measured, Some(objective), Some(cluster), false) =
            (outcome, objective, cluster, trial.again)
        {
            let terms = found.terms(0);
            let of = |cluster: &str, value| sign * terms.of(cluster, value);
            let beats = |b: &Best| of(cluster, objective) > of(&b.cluster, b.objective);
            leads = found.best.as_ref().is_none_or(beats);
            if leads {
                let (number, parameters) = (trial.number, trial.parameters.clone());
                found.best =
                    Some(Best { trial: id, number, cluster: cluster.to_owned(), objective, parameters });
            }
        }
        found.results.extend(observation.clone());
        // what is measured to confirm is not part of the search, which is over
        if observation.is_some() && trial.pair.is_none() {
            found.find_front();
        }
        found.settled.insert(id, trial.parameters.clone());
        let hands_over = found.phase != Phase::Closing
            && trial.cluster.as_ref().and_then(|c| found.sites.get(c)).is_some_and(|s| !s.left);
        let unit = found.spec.objective.unit.clone().map(|u| format!(" {u}")).unwrap_or_default();
        self.world.index.forget_trial(&trial);
        let value = objective.map(|o| format!(" with {o}{unit}")).unwrap_or_default();
        let best =
            if leads && one_goal && trial.kind != TrialKind::Baseline { ", the best so far" } else { "" };
        let because = reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
        let message = match (trial.kind, &trial.cluster) {
            (TrialKind::Closing, Some(cluster)) if outcome == Outcome::Measured => match hands_over {
                true => format!("`{cluster}` has been restored, for another experiment"),
                false => format!("`{cluster}` has been left as the experiment says"),
            },
            _ => format!(
                "{} ended {outcome}{value}{best}{because}",
                title(trial.kind, trial.number, trial.pair)
            ),
        };
        let detail = json!({
            "outcome": outcome, "objective": objective, "std_error": observation.as_ref().and_then(|o| o.std_error),
            "repeats": trial.measurements.len(), "epochs": trial.epochs, "best": leads, "reason": reason, "cluster": cluster,
        });
        self.log_trial(&trial, EventKind::TrialEnded, message, detail);
        if trial.kind == TrialKind::Baseline && !trial.again {
            self.conclude_baseline(&trial, outcome, reason.as_deref(), observation.as_ref());
        }
        self.conclude_half(&trial, outcome, reason.as_deref());
        if matches!(trial.state, TrialState::Waiting { .. }) {
            // clusters may have been kept for it
            self.seek_all(experiment);
        }
        trial.state = TrialState::Ended { at, outcome, reason, observation: observation.map(Box::new) };
        self.record_ended_trial(trial);
        self.due.insert(experiment);
    }

    /// With its baseline behind, a cluster is open to other trials; or it is out of use.
    fn conclude_baseline(
        &mut self,
        trial: &Trial,
        outcome: Outcome,
        reason: Option<&str>,
        observation: Option<&Observation>,
    ) {
        let Some(cluster) = trial.cluster.as_deref() else { return };
        let Some(site) = self.site_mut(trial.experiment, cluster) else {
            return;
        };
        site.baseline_ended = true;
        site.baseline = observation.filter(|o| !o.metrics.is_empty()).map(|o| o.metrics.clone());
        // values that do not work can still be tuned away from; a cluster nothing is known of cannot be restored
        if site.captured.is_some() && (site.baseline.is_some() || observation.is_some()) {
            self.free.insert(cluster.to_owned());
            return;
        }
        let why = reason.map(|r| format!(": {r}")).unwrap_or_default();
        let why = format!("its baseline ended {outcome}{why}");
        let why = site.out_of_use.get_or_insert(why).clone();
        let pinned: Vec<TrialId> = self
            .experiment(trial.experiment)
            .into_iter()
            .flat_map(|e| e.trials.values())
            // while it is handed over, it is left all the same
            .filter(|t| t.cluster.as_deref() == Some(cluster) && t.kind != TrialKind::Closing)
            .map(|t| t.id)
            .collect();
        for id in pinned {
            let reason = format!("`{cluster}` is out of use for this experiment: {why}");
            self.end_trial(trial.experiment, id, Outcome::Broken, Some(reason), None);
        }
    }

    /// A person gives a trial up.
    pub(super) fn cancel_trial(&mut self, id: TrialId) {
        let found = self.world.index.trials.get(&id).and_then(|e| self.trial(*e, id));
        let Some(trial) = found.cloned() else {
            return self.reject(format!("no open trial has the id {id}; it may have ended already"));
        };
        if trial.kind == TrialKind::Closing {
            return self.give_up_closing(&trial);
        }
        let reason = "cancelled by a person";
        match trial.state {
            TrialState::Waiting { .. } => {
                self.end_trial(trial.experiment, id, Outcome::Abandoned, Some(reason.into()), None);
                self.seek_all(trial.experiment);
            }
            TrialState::Running { epoch } => {
                let message = format!(
                    "{} is given up by a person: what runs is cleaned up",
                    title(trial.kind, trial.number, trial.pair)
                );
                self.log_trial(&trial, EventKind::TrialCancelled, message, json!({}));
                self.abandon(trial.experiment, epoch, reason);
            }
            TrialState::Ended { .. } => {}
        }
    }
}

/// What the optimizer is told of a trial, if it teaches something.
fn observation(trial: &Trial, outcome: Outcome, cluster: &str) -> Option<Observation> {
    if !matches!(outcome, Outcome::Measured | Outcome::Violated | Outcome::Infeasible) {
        return None;
    }
    let objectives: Vec<f64> = trial.measurements.iter().map(|m| m.objective).collect();
    let count = objectives.len();
    Some(Observation {
        trial: trial.id,
        number: trial.number,
        kind: trial.kind,
        cluster: cluster.to_owned(),
        parameters: trial.parameters.clone(),
        outcome,
        objective: mean(&objectives),
        others: mean_others(&trial.measurements),
        std_error: std_error(&objectives),
        repeats: u32::try_from(count).unwrap_or(u32::MAX),
        metrics: mean_metrics(&trial.measurements),
        placement: only_placement(trial),
        seconds: mean(&trial.seconds),
        violations: mean_violations(&trial.measurements),
    })
}

pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Standard error of the mean: the sample standard deviation over the root of the count.
fn std_error(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Some((squares / (n - 1.0) / n).sqrt())
}

/// Of each further objective.
pub(super) fn mean_others(measurements: &[Measurement]) -> Vec<f64> {
    let count = measurements.iter().map(|m| m.others.len()).min().unwrap_or(0);
    let of = |i: usize| mean(&measurements.iter().map(|m| m.others[i]).collect::<Vec<f64>>());
    (0..count).filter_map(of).collect()
}

/// Of the metrics that every repeat has.
fn mean_metrics(measurements: &[Measurement]) -> BTreeMap<String, f64> {
    let Some(first) = measurements.first() else { return BTreeMap::new() };
    let of = |name: &String| {
        let values: Option<Vec<f64>> = measurements.iter().map(|m| m.metrics.get(name).copied()).collect();
        Some((name.clone(), mean(&values?)?))
    };
    first.metrics.keys().filter_map(of).collect()
}

/// A constraint that one repeat breaks is broken; by how much is the mean over all repeats, with 0 where it held.
fn mean_violations(measurements: &[Measurement]) -> Vec<Violation> {
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for violation in measurements.iter().flat_map(|m| &m.violations) {
        *sums.entry(&violation.constraint).or_default() += violation.by;
    }
    let count = measurements.len() as f64;
    sums.into_iter().map(|(c, sum)| Violation { constraint: c.to_owned(), by: sum / count }).collect()
}
