//! An experiment comes in, and trials for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::id::{ExperimentId, MessageId, TrialId};
use autoopt_epoch::message::{self, EventKind, TrialKind};
use autoopt_epoch::space::{Parameters, Space};
use autoopt_epoch::time::Timestamp;

use super::{Breaker, Cluster, Effect, Experiment, Phase, Record, Site, Trial, TrialState, World};

/// How often an optimizer's answer may be refused before the experiment stops.
const MAX_REFUSED_ANSWERS: u32 = 5;

impl World {
    pub(super) fn submit(
        &mut self,
        at: Timestamp,
        id: ExperimentId,
        spec: Arc<ExperimentSpec>,
    ) -> Vec<Effect> {
        if self.experiments.contains_key(&id) {
            return Vec::new();
        }
        if self.experiments.values().any(|e| e.spec.name == spec.name) {
            let reason = format!(
                "an experiment named `{}` is open; stop it first (`autoopt stop {}`), or choose another name",
                spec.name, spec.name
            );
            return vec![Effect::Reject(reason)];
        }
        let mut effects = Vec::new();
        let mut experiment = Experiment {
            id,
            submitted: at,
            phase: Phase::Running,
            reason: None,
            ended: None,
            accepted: 0,
            outcomes: BTreeMap::new(),
            asked: 0,
            ask: None,
            sites: spec.clusters.iter().map(|c| (c.clone(), Site::default())).collect(),
            best: None,
            trials: BTreeMap::new(),
            epochs: BTreeMap::new(),
            results: Vec::new(),
            spec,
        };
        let defaults: Parameters =
            experiment.spec.parameters.iter().map(|p| (p.name.clone(), p.default.clone())).collect();
        for name in experiment.sites.keys().cloned().collect::<Vec<_>>() {
            if !self.clusters.contains_key(&name) {
                let cluster =
                    Cluster { name: name.clone(), holder: None, breaker: Breaker::Closed { failures: 0 } };
                effects.push(Effect::Save(Record::Cluster(cluster.clone())));
                self.clusters.insert(name.clone(), cluster);
            }
            let trial = Trial::new(
                TrialId::derived(id.0, &format!("baseline/{name}")),
                &experiment,
                TrialKind::Baseline,
                defaults.clone(),
                Some(name),
                at,
            );
            effects.push(Effect::Save(Record::Trial(trial.clone())));
            experiment.trials.insert(trial.id, trial);
        }
        let message = format!(
            "`{}` was submitted: {} trials on {}",
            experiment.spec.name,
            experiment.spec.budget.trials,
            experiment.spec.clusters.join(", ")
        );
        effects.push(Effect::Log(experiment.event(at, EventKind::ExperimentSubmitted, message)));
        effects.push(Effect::Save(Record::Experiment(experiment.row())));
        self.experiments.insert(id, experiment);
        effects
    }

    pub(super) fn accept(&mut self, at: Timestamp, id: MessageId, message: message::Trial) -> Vec<Effect> {
        let by_id: Option<ExperimentId> = message.experiment.parse().ok();
        let Some(experiment) =
            self.experiments.values_mut().find(|e| e.spec.name == message.experiment || Some(e.id) == by_id)
        else {
            let open: Vec<String> = self.experiments.values().map(|e| format!("`{}`", e.spec.name)).collect();
            let open =
                if open.is_empty() { "none is open".into() } else { format!("open: {}", open.join(", ")) };
            return vec![Effect::Reject(format!("no open experiment `{}` ({open})", message.experiment))];
        };
        experiment.accept(at, id, message)
    }
}

impl Trial {
    /// A trial that waits from now on; its number is 0 until it is given one.
    pub(super) const fn new(
        id: TrialId,
        experiment: &Experiment,
        kind: TrialKind,
        parameters: Parameters,
        cluster: Option<String>,
        at: Timestamp,
    ) -> Self {
        Self {
            id,
            experiment: experiment.id,
            number: 0,
            kind,
            parameters,
            cluster,
            ask: None,
            note: None,
            submitted: at,
            state: TrialState::Waiting { not_before: at },
            measurements: Vec::new(),
            epochs: 0,
            invalid: 0,
            broken: 0,
        }
    }
}

impl Experiment {
    fn accept(&mut self, at: Timestamp, message_id: MessageId, message: message::Trial) -> Vec<Effect> {
        let derived = message.ask.map_or(message_id.0, |ask| ask.0);
        let id = message.trial.unwrap_or_else(|| TrialId::derived(derived, "trial"));
        if self.trials.contains_key(&id) || self.results.iter().rev().any(|r| r.trial == id) {
            return Vec::new();
        }
        if matches!(self.phase, Phase::Stopping | Phase::Closing | Phase::Ended) {
            return vec![Effect::Reject(format!("`{}` is ending and takes no more trials", self.spec.name))];
        }
        if message.ask.is_some() && self.ask.as_ref().map(|a| a.id) != message.ask {
            return vec![Effect::Reject("it answers a question that is no longer open".into())];
        }
        if self.accepted >= self.spec.budget.trials {
            let reason = format!("the budget of `{}` ({} trials) is used up", self.spec.name, self.accepted);
            return vec![Effect::Reject(reason)];
        }
        if let Some(cluster) = message.cluster.as_ref().filter(|c| !self.sites.contains_key(*c)) {
            let known = self.spec.clusters.join(", ");
            return vec![Effect::Reject(format!(
                "`{}` has no cluster `{cluster}`; it has {known}",
                self.spec.name
            ))];
        }
        let conformed = Space::new(self.spec.parameters.clone(), &self.spec.constraints)
            .and_then(|space| space.conform(&message.parameters));
        let parameters = match conformed {
            Ok(parameters) => parameters,
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                return self.refuse(at, message.ask.is_some(), &problems.join("; "));
            }
        };
        let kind = if message.ask.is_some() { TrialKind::Proposed } else { TrialKind::Manual };
        self.accepted += 1;
        let trial = Trial {
            number: self.accepted,
            ask: message.ask,
            note: message.note,
            ..Trial::new(id, self, kind, parameters, message.cluster, at)
        };
        if kind == TrialKind::Proposed {
            self.ask = None;
        }
        let text = format!("trial {} was accepted ({})", trial.number, kind.as_str());
        let effects = vec![
            Effect::Log(self.trial_event(at, EventKind::TrialAccepted, &trial, text)),
            Effect::Save(Record::Trial(trial.clone())),
            Effect::Save(Record::Experiment(self.row())),
        ];
        self.trials.insert(id, trial);
        effects
    }

    /// A trial outside the space. An optimizer that goes on proposing such ends the experiment.
    fn refuse(&mut self, at: Timestamp, answer: bool, problems: &str) -> Vec<Effect> {
        let mut effects = vec![Effect::Reject(problems.into())];
        if let Some(ask) = self.ask.as_mut().filter(|_| answer) {
            ask.attempt += 1;
            if ask.attempt > MAX_REFUSED_ANSWERS {
                let reason =
                    format!("`{}` proposes only unusable trials: {problems}", self.spec.algorithm.name);
                effects.extend(self.stop(at, &reason));
            }
        }
        effects
    }
}
