//! Epochs and trials come to their outcome.

use std::collections::BTreeMap;

use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::{EpochId, TrialId};
use autoopt_epoch::message::{EventKind, Goal, Measurement, Observation, TrialKind};
use autoopt_epoch::time::Timestamp;

use super::retry::next_attempt;
use super::{Best, Breaker, Cluster, Effect, Epoch, Experiment, Phase, Progress, Record, Trial, TrialState};

impl Experiment {
    /// The plan of `id` is done: the cluster is free, and the trial goes on or ends.
    pub(super) fn end_epoch(&mut self, at: Timestamp, id: EpochId, cluster: &mut Cluster) -> Vec<Effect> {
        let Some(mut epoch) = self.epochs.remove(&id) else { return Vec::new() };
        epoch.progress = Progress::Ended { at };
        let mut effects = Vec::new();
        let (outcome, reason) =
            epoch.verdict.clone().map_or((Outcome::Measured, None), |v| (v.outcome, v.reason));
        cluster.holder = None;
        self.tell_breaker(at, outcome, reason.as_deref(), cluster, &mut effects);
        effects.push(Effect::Save(Record::Cluster(cluster.clone())));
        effects.push(Effect::Save(Record::Epoch(epoch.clone())));
        let Some(mut trial) = self.trials.remove(&epoch.trial) else { return effects };
        trial.measurements.extend(epoch.measurement.clone().filter(|_| outcome == Outcome::Measured));
        let again = self.again(at, &mut trial, outcome);
        if let Some(not_before) = again {
            trial.state = TrialState::Waiting { not_before };
            effects.push(Effect::Save(Record::Trial(trial.clone())));
            self.trials.insert(trial.id, trial);
        } else {
            if trial.kind == TrialKind::Closing {
                self.sites.entry(epoch.cluster.clone()).or_default().closed = true;
            }
            effects.extend(self.end_trial(at, trial, outcome, reason, Some(&epoch)));
        }
        effects
    }

    /// When the trial is evaluated again after an epoch with this outcome; `None` if its own outcome is certain.
    fn again(&self, at: Timestamp, trial: &mut Trial, outcome: Outcome) -> Option<Timestamp> {
        let retry = &self.spec.retry;
        match outcome {
            // a cloud that was changed has to be left as it was found, however often that takes
            _ if trial.kind == TrialKind::Closing => (outcome != Outcome::Measured)
                .then(|| next_attempt(&retry.broken, trial.id.0, trial.epochs, at)),
            Outcome::Measured => (trial.measurements.len() < self.spec.repeats as usize).then_some(at),
            Outcome::Invalid => {
                trial.invalid += 1;
                (trial.invalid < retry.invalid.attempts)
                    .then(|| next_attempt(&retry.invalid, trial.id.0, trial.invalid, at))
            }
            Outcome::Broken | Outcome::Transient => {
                trial.broken += 1;
                (trial.broken < retry.broken.attempts)
                    .then(|| next_attempt(&retry.broken, trial.id.0, trial.broken, at))
            }
            Outcome::Infeasible | Outcome::Violated | Outcome::Abandoned => None,
        }
    }

    fn tell_breaker(
        &self,
        at: Timestamp,
        outcome: Outcome,
        reason: Option<&str>,
        cluster: &mut Cluster,
        effects: &mut Vec<Effect>,
    ) {
        let was_closed = matches!(cluster.breaker, Breaker::Closed { .. });
        let failures = match cluster.breaker {
            Breaker::Closed { failures } => failures,
            Breaker::Open { .. } | Breaker::Trying { .. } => self.spec.retry.breaker_after,
        };
        let fails = matches!(outcome, Outcome::Broken | Outcome::Transient | Outcome::Invalid);
        if outcome == Outcome::Abandoned {
            // it says nothing about the cluster: one that was being tried out is tried out again
            if let Breaker::Trying { reason } = &cluster.breaker {
                cluster.breaker = Breaker::Open { until: at, reason: reason.clone() };
            }
        } else if !fails {
            cluster.breaker = Breaker::Closed { failures: 0 };
            if !was_closed {
                let text = format!("cluster `{}` works again", cluster.name);
                effects.push(self.cluster_event(at, EventKind::ClusterResumed, &cluster.name, text));
            }
        } else if outcome == Outcome::Broken || failures + 1 >= self.spec.retry.breaker_after {
            let reason = reason.unwrap_or("epochs failed").to_owned();
            let until = at.after(self.spec.retry.breaker_pause.0);
            let text = format!("cluster `{}` is paused until {until}: {reason}", cluster.name);
            effects.push(self.cluster_event(at, EventKind::ClusterPaused, &cluster.name, text));
            cluster.breaker = Breaker::Open { until, reason };
        } else {
            cluster.breaker = Breaker::Closed { failures: failures + 1 };
        }
    }

    fn cluster_event(&self, at: Timestamp, kind: EventKind, cluster: &str, message: String) -> Effect {
        let mut event = self.event(at, kind, message);
        event.cluster = Some(cluster.into());
        Effect::Log(event)
    }

    /// Gives an open trial, already taken out of `trials`, its one outcome.
    pub(super) fn end_trial(
        &mut self,
        at: Timestamp,
        mut trial: Trial,
        outcome: Outcome,
        reason: Option<String>,
        epoch: Option<&Epoch>,
    ) -> Vec<Effect> {
        let cluster = epoch.map(|e| e.cluster.clone()).or_else(|| trial.cluster.clone()).unwrap_or_default();
        let teaches = matches!(outcome, Outcome::Measured | Outcome::Infeasible | Outcome::Violated);
        let violating = epoch.and_then(|e| e.measurement.as_ref()).filter(|_| outcome == Outcome::Violated);
        let observation = (teaches && trial.kind != TrialKind::Closing)
            .then(|| observe(&trial, &cluster, outcome, violating));
        if trial.kind == TrialKind::Baseline {
            let site = self.sites.entry(cluster).or_default();
            site.baseline_ended = true;
            site.baseline = observation.as_ref().filter(|o| o.objective.is_some()).map(|o| o.metrics.clone());
        }
        if matches!(trial.kind, TrialKind::Proposed | TrialKind::Manual) {
            *self.outcomes.entry(outcome).or_default() += 1;
        }
        if let Some(observation) = observation.as_ref().filter(|_| outcome == Outcome::Measured) {
            self.consider(observation);
        }
        let text = ending_text(&trial, outcome, observation.as_ref(), reason.as_deref());
        let mut event = self.trial_event(at, EventKind::TrialEnded, &trial, text);
        if let Some(epoch) = epoch {
            event.cluster = Some(epoch.cluster.clone());
        }
        event.detail = serde_json::json!({
            "kind": trial.kind, "outcome": outcome, "objective": observation.as_ref().and_then(|o| o.objective),
            "parameters": trial.parameters, "reason": reason,
        });
        self.results.extend(observation.clone());
        trial.state = TrialState::Ended { at, outcome, reason, observation: observation.map(Box::new) };
        vec![
            Effect::Log(event),
            Effect::Save(Record::Trial(trial)),
            Effect::Save(Record::Experiment(self.row())),
        ]
    }

    fn consider(&mut self, observation: &Observation) {
        let Some(objective) = observation.objective else { return };
        let sign = self.spec.objective.goal().sign();
        if self.best.as_ref().is_none_or(|b| sign * objective > sign * b.objective) {
            self.best = Some(Best {
                trial: observation.trial,
                number: observation.number,
                objective,
                parameters: observation.parameters.clone(),
            });
        }
    }

    /// No new trials: those that wait are abandoned, those that run go on.
    pub(super) fn stop(&mut self, at: Timestamp, reason: &str) -> Vec<Effect> {
        if !matches!(self.phase, Phase::Running | Phase::Paused) {
            return Vec::new();
        }
        self.phase = Phase::Stopping;
        self.reason = Some(reason.into());
        self.ask = None;
        let waiting: Vec<TrialId> = self
            .trials
            .values()
            .filter(|t| matches!(t.state, TrialState::Waiting { .. }) && t.kind != TrialKind::Closing)
            .map(|t| t.id)
            .collect();
        let mut effects = vec![Effect::Log(self.event(at, EventKind::ExperimentStopping, reason))];
        for id in waiting {
            if let Some(trial) = self.trials.remove(&id) {
                effects.extend(self.end_trial(at, trial, Outcome::Abandoned, Some(reason.into()), None));
            }
        }
        effects.push(Effect::Save(Record::Experiment(self.row())));
        effects
    }

    /// Which way is better.
    pub fn goal(&self) -> Goal {
        self.spec.objective.goal()
    }
}

/// What the optimizer is told: means over the measured epochs, the standard error of the objective's mean.
fn observe(trial: &Trial, cluster: &str, outcome: Outcome, violating: Option<&Measurement>) -> Observation {
    let measurements: Vec<&Measurement> = trial.measurements.iter().chain(violating).collect();
    let n = measurements.len();
    let objectives: Vec<f64> = measurements.iter().map(|m| m.objective).collect();
    let objective = mean(&objectives);
    let std_error = objective.filter(|_| n > 1).map(|mean| {
        let squares: f64 = objectives.iter().map(|y| (y - mean).powi(2)).sum();
        (squares / (n - 1) as f64 / n as f64).sqrt()
    });
    let mut columns: BTreeMap<&String, Vec<f64>> = BTreeMap::new();
    for (name, value) in measurements.iter().flat_map(|m| &m.metrics) {
        columns.entry(name).or_default().push(*value);
    }
    Observation {
        trial: trial.id,
        number: trial.number,
        kind: trial.kind,
        cluster: cluster.into(),
        parameters: trial.parameters.clone(),
        outcome,
        objective,
        std_error,
        repeats: u32::try_from(n).unwrap_or(u32::MAX),
        metrics: columns.into_iter().filter_map(|(name, v)| Some((name.clone(), mean(&v)?))).collect(),
        violations: violating.map(|m| m.violations.clone()).unwrap_or_default(),
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn ending_text(
    trial: &Trial,
    outcome: Outcome,
    observation: Option<&Observation>,
    reason: Option<&str>,
) -> String {
    let who = match trial.kind {
        TrialKind::Baseline => "the baseline".to_owned(),
        TrialKind::Closing => "the closing".to_owned(),
        TrialKind::Proposed | TrialKind::Manual => format!("trial {}", trial.number),
    };
    match (outcome, observation.and_then(|o| o.objective), reason) {
        (Outcome::Measured, Some(objective), _) => format!("{who} was measured: {objective}"),
        (Outcome::Measured, None, _) => format!("{who} is done"),
        (_, _, Some(reason)) => format!("{who} ended {outcome}: {reason}"),
        (_, _, None) => format!("{who} ended {outcome}"),
    }
}
