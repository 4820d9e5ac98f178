//! Trials that come in: from the optimizer, or from a person.

use autoopt_epoch::experiment::Algorithm;
use autoopt_epoch::id::{ExperimentId, MessageId, TrialId};
use autoopt_epoch::message::{self, EventKind, TrialKind};
use autoopt_epoch::space::Parameters;
use serde_json::json;

use super::breaker::list;
use super::events::title;
use super::outlook::expected;
use super::turn::Turn;
use super::{Experiment, Phase, Trial};

impl Turn<'_> {
    pub(super) fn take_trial(&mut self, message: MessageId, trial: message::Trial) {
        let Some(experiment) = self.resolve(&trial.experiment) else {
            let open: Vec<&str> = self.world.index.names.keys().map(String::as_str).collect();
            let reason =
                format!("no open experiment is called `{}`; open are: {}", trial.experiment, list(&open));
            return self.refuse_trial(None, &trial, reason);
        };
        let id = trial.trial.unwrap_or_else(|| match trial.ask {
            Some(ask) => TrialId::derived(ask.0, "answer"),
            None => TrialId::derived(message.0, "trial"),
        });
        let parameters = self.conform(experiment, &trial.parameters);
        if let Some(known) = self.known(id) {
            // sent twice: once is enough
            if parameters.as_ref().is_ok_and(|p| known == (experiment, p)) {
                return;
            }
            let reason =
                format!("trial {id} is known already, with other values; give this one an id of its own");
            return self.refuse_trial(Some(experiment), &trial, reason);
        }
        match self.check(experiment, &trial).and(parameters) {
            Ok(parameters) => {
                if !self.take_outlook(experiment, &trial) {
                    self.accept(experiment, id, trial, parameters);
                }
            }
            Err(reason) => self.refuse_trial(Some(experiment), &trial, reason),
        }
    }

    /// By name, or by id.
    fn resolve(&self, name: &str) -> Option<ExperimentId> {
        let by_id = || name.parse().ok().filter(|id| self.world.experiments.contains_key(id));
        self.world.index.names.get(name).copied().or_else(by_id)
    }

    /// A trial that was accepted before, and its values.
    fn known(&self, id: TrialId) -> Option<(ExperimentId, &Parameters)> {
        if let Some(experiment) = self.world.index.trials.get(&id) {
            return Some((*experiment, &self.trial(*experiment, id)?.parameters));
        }
        self.world.experiments.values().find_map(|e| Some((e.id, e.settled.get(&id)?)))
    }

    fn conform(&self, experiment: ExperimentId, given: &Parameters) -> Result<Parameters, String> {
        let queue = self.world.index.queues.get(&experiment).ok_or("the experiment is not open")?;
        queue.space.conform(given).map_err(|problems| {
            let all: Vec<String> = problems
                .iter()
                .map(|p| match &p.hint {
                    Some(hint) => format!("{} ({hint})", p.message),
                    None => p.message.clone(),
                })
                .collect();
            all.join("; ")
        })
    }

    /// Everything but the values.
    fn check(&self, id: ExperimentId, trial: &message::Trial) -> Result<(), String> {
        let experiment = self.experiment(id).ok_or("the experiment is not open")?;
        if let Some(ask) = trial.ask
            && experiment.ask.as_ref().is_none_or(|open| open.id != ask)
        {
            return Err(format!(
                "it answers question {ask}, which is answered already or no longer of interest"
            ));
        }
        let by_outlook = trial.outlook.as_ref().map(|o| ("outlook", &o.recommended.parameters));
        let by_compromise = trial.compromise.as_ref().map(|c| ("compromise", &c.parameters));
        for (what, parameters) in by_outlook.into_iter().chain(by_compromise).filter(|_| trial.ask.is_some())
        {
            self.conform(id, parameters)
                .map_err(|reason| format!("what its {what} recommends cannot be used: {reason}"))?;
        }
        if experiment.confirmation.is_some() {
            return Err("the search is over; what it found is being confirmed".into());
        }
        if !matches!(experiment.phase, Phase::Running | Phase::Paused) {
            return Err("the experiment is ending and takes no new trials".into());
        }
        if experiment.accepted >= experiment.spec.budget.trials {
            return Err(format!("the budget of {} trials is used up", experiment.spec.budget.trials));
        }
        if experiment.wall_end().is_some_and(|end| end <= self.at) {
            return Err("the wall time of the experiment's budget is over".into());
        }
        let Some(cluster) = &trial.cluster else { return Ok(()) };
        match experiment.sites.get(cluster) {
            None => {
                let known: Vec<&str> = experiment.sites.keys().map(String::as_str).collect();
                Err(format!(
                    "`{cluster}` is no cluster of this experiment; its clusters are: {}",
                    list(&known)
                ))
            }
            Some(site) => match &site.out_of_use {
                Some(why) => Err(format!("`{cluster}` is out of use for this experiment: {why}")),
                None => Ok(()),
            },
        }
    }

    /// Takes a trial whose values are the space's into the experiment.
    pub(super) fn accept(
        &mut self,
        experiment: ExperimentId,
        id: TrialId,
        given: message::Trial,
        parameters: Parameters,
    ) {
        let at = self.at;
        let Some(found) = self.experiment_mut(experiment) else { return };
        found.accepted += 1;
        if given.ask.is_some() {
            found.refused = 0;
        }
        let spent = found.accepted >= found.spec.budget.trials;
        let asked = found.ask.is_some();
        let outlook = given.outlook.filter(|_| given.ask.is_some());
        if given.ask.is_some() || spent {
            found.ask = None;
        }
        let kind = if given.ask.is_some() { TrialKind::Proposed } else { TrialKind::Manual };
        let trial = Trial {
            number: found.accepted,
            cluster: given.cluster,
            ask: given.ask,
            note: given.note,
            ..Trial::new(id, experiment, kind, parameters, at)
        };
        found.trials.insert(id, trial.clone());
        if asked {
            self.time_experiment(experiment);
        }
        self.trial_mut(experiment, id);
        let from = if trial.ask.is_some() { "from the optimizer" } else { "by hand" };
        let note = trial.note.as_ref().map(|n| format!(": {n}")).unwrap_or_default();
        let left = outlook.as_ref().and_then(expected).map(|left| format!("; {left}")).unwrap_or_default();
        let message = format!("{} {from} accepted{note}{left}", title(trial.kind, trial.number, trial.pair));
        let detail =
            json!({"kind": trial.kind, "parameters": trial.parameters, "ask": trial.ask, "outlook": outlook});
        self.log_trial(&trial, EventKind::TrialAccepted, message, detail);
        self.wait(experiment, id);
        if spent {
            // others may have what it has no trials for
            self.seek_all(experiment);
        }
        self.curious.insert(experiment);
    }

    fn refuse_trial(&mut self, experiment: Option<ExperimentId>, trial: &message::Trial, reason: String) {
        let detail = json!({
            "experiment": trial.experiment, "trial": trial.trial, "ask": trial.ask, "parameters": trial.parameters,
        });
        let message = format!("a trial was refused: {reason}");
        match experiment {
            Some(id) => self.log_experiment(id, EventKind::TrialRejected, message, detail),
            None => self.log(EventKind::TrialRejected, message, detail),
        }
        if let Some(id) = experiment
            && trial.ask.is_some()
            && self.experiment(id).and_then(|e| e.ask.as_ref()).map(|a| a.id) == trial.ask
        {
            self.answer_refused(id, &reason);
        }
        self.reject(reason);
    }
}

/// Whether anybody is asked for trials.
pub(super) fn asks(experiment: &Experiment) -> bool {
    experiment.spec.algorithm.name != Algorithm::MANUAL
}
