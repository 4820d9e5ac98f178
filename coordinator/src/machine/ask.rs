//! Questions to the optimizer: one at a time for each experiment, whenever a cluster would stand idle.

use std::time::Duration;

use autoopt_epoch::id::{AskId, ExperimentId};
use autoopt_epoch::message::{self, EventKind, Pending};
use autoopt_epoch::space::Parameters;
use serde_json::json;

use super::events::seconds;
use super::index::counts;
use super::turn::Turn;
use super::{Effect, Experiment, OpenAsk, retry};

/// A question without an answer for this long is asked again, after twice as long the next time.
pub(super) const SILENCE: Duration = Duration::from_secs(30);
const LONGEST_SILENCE: Duration = Duration::from_secs(300);
/// So many answers in a row that are no trial of the space stop the experiment.
const REFUSALS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

impl Turn<'_> {
    /// Asks for a trial if a cluster stands idle for want of one.
    pub(super) fn ask_if_idle(&mut self, id: ExperimentId) {
        let at = self.at;
        let Some(experiment) = self.experiment(id) else { return };
        let wanted = experiment.ask.is_none()
            && experiment.ask_after.is_none_or(|after| after <= at)
            && self.may_ask(experiment)
            && self.has_open_cluster(experiment);
        if !wanted {
            return;
        }
        let Some(experiment) = self.experiment_mut(id) else { return };
        experiment.asked += 1;
        experiment.ask_after = None;
        let ask = AskId::derived(id.0, &format!("ask/{}", experiment.asked));
        experiment.ask = Some(OpenAsk { id: ask, until: at.after(SILENCE), attempt: 1 });
        let (name, results) = (experiment.spec.algorithm.name.clone(), experiment.results.len());
        let message = format!("`{name}` is asked for a trial, with {results} results known");
        self.log_experiment(id, EventKind::OptimizerAsked, message, json!({"ask": ask, "results": results}));
        self.publish_ask(id, ask);
    }

    /// No answer yet, or the pause after a refused one is over.
    pub(super) fn ask_due(&mut self, id: ExperimentId) {
        let at = self.at;
        if self.experiment(id).is_none_or(|e| e.ask.is_none()) {
            self.curious.insert(id);
            return;
        }
        let Some(experiment) = self.experiment_mut(id) else { return };
        let Some(open) = &mut experiment.ask else { return };
        open.attempt += 1;
        let wait = retry::doubled(SILENCE, LONGEST_SILENCE, open.attempt);
        open.until = at.after(wait);
        let (ask, attempt) = (open.id, open.attempt);
        let name = experiment.spec.algorithm.name.clone();
        self.time_experiment(id);
        let message = format!(
            "`{name}` has not answered; asked again, and once more in {} (is an optimizer for `{name}` running?)",
            seconds(wait)
        );
        self.log_experiment(id, EventKind::OptimizerSilent, message, json!({"ask": ask, "attempt": attempt}));
        self.publish_ask(id, ask);
        // who waits for its clusters need not wait for the answer
        self.seek_all(id);
    }

    /// The answer was no trial of this space: another question after a pause.
    pub(super) fn answer_refused(&mut self, id: ExperimentId, reason: &str) {
        let at = self.at;
        let Some(experiment) = self.experiment_mut(id) else { return };
        experiment.ask = None;
        experiment.refused += 1;
        let refused = experiment.refused;
        experiment.ask_after = Some(at.after(retry::doubled(PAUSE, LONGEST_SILENCE, refused)));
        let name = experiment.spec.algorithm.name.clone();
        self.time_experiment(id);
        if refused >= REFUSALS {
            let why =
                format!("{refused} answers of `{name}` in a row were refused, the last one because {reason}");
            self.stop(id, &why);
        } else {
            self.seek_all(id);
        }
    }

    /// The same question each time, with what is known by now.
    fn publish_ask(&mut self, id: ExperimentId, ask: AskId) {
        self.time_experiment(id);
        let Some(experiment) = self.experiment(id) else { return };
        let question = question(experiment, ask, self.in_force(experiment));
        self.effects.push(Effect::Ask(Box::new(question)));
    }
}

/// What an optimizer is asked, with the results and the trials that `experiment` has at hand, and what is in force on its clusters.
pub(crate) fn question(experiment: &Experiment, ask: AskId, in_force: Vec<Parameters>) -> message::Ask {
    let spec = &experiment.spec;
    let in_use = experiment.sites.values().filter(|s| s.out_of_use.is_none()).count();
    let mut pending: Vec<_> = experiment.trials.values().filter(|t| counts(t.kind)).collect();
    pending.sort_by_key(|t| t.number);
    message::Ask {
        ask,
        experiment: spec.name.clone(),
        experiment_id: experiment.id,
        number: experiment.accepted + 1,
        algorithm: spec.algorithm.clone(),
        seed: spec.seed,
        goal: spec.objective.goal(),
        other_goals: spec.goals().split_off(1),
        parameters: spec.parameters.clone(),
        constraints: spec.constraints.clone(),
        scale_free: spec.scale_free.clone(),
        outcome_constraints: spec.outcome_constraints.clone(),
        in_force,
        budget: spec.budget.trials,
        parallel: u32::try_from(in_use).unwrap_or(u32::MAX),
        results: experiment.results.clone(),
        pending: pending
            .into_iter()
            .map(|t| Pending { trial: t.id, cluster: t.cluster.clone(), parameters: t.parameters.clone() })
            .collect(),
    }
}
