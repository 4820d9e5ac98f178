//! What the optimizer makes of the results, and the end of a search that has little left to find.

use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::{self, Outlook};

use super::turn::Turn;

/// One answer that expects little may be chance: a model that has just changed its mind.
const ANSWERS: u32 = 3;

impl Turn<'_> {
    /// Keeps an answer's outlook. `true` if the search ends with it, so that the answer's trial is not begun.
    pub(super) fn take_outlook(&mut self, id: ExperimentId, answer: &message::Trial) -> bool {
        if answer.ask.is_none() {
            return false;
        }
        let Some(experiment) = self.experiment_mut(id) else { return false };
        // an answer without one is that of an optimizer that has no model, yet or at all
        experiment.outlook = answer.outlook.clone().map(Box::new);
        experiment.compromise = answer.compromise.clone().map(Box::new);
        let left = answer.outlook.as_ref().and_then(|o| o.gain_left);
        let limit = experiment.spec.budget.stop_below;
        let calm = left.zip(limit).filter(|(left, limit)| left < limit);
        experiment.calm = if calm.is_some() { experiment.calm + 1 } else { 0 };
        let Some((left, limit)) = calm.filter(|_| experiment.calm >= ANSWERS) else { return false };
        let reason = format!(
            "expected gain left: {}, in {ANSWERS} answers in a row below the {} of `budget.stop_below`",
            percent(left),
            percent(limit)
        );
        self.stop(id, &reason);
        true
    }
}

/// An outlook in a sentence.
pub(super) fn expected(outlook: &Outlook) -> Option<String> {
    outlook.gain_left.map(|left| format!("expected gain left: {}", percent(left)))
}

fn percent(part: f64) -> String {
    format!("{:.2} %", part * 100.0)
}
