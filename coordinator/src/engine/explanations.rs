//! The newest explanation of each experiment, for whoever shows it. Nothing is decided by it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::Explanation;
use autoopt_epoch::time::Timestamp;

/// Experiments whose explanation is kept; the one that was asked for longest ago makes room.
const MAX: usize = 64;

/// What is known of one experiment.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The latest answer.
    pub explanation: Option<Arc<Explanation>>,
    /// When it was asked for last, with how many results, of how many ended trials.
    pub asked: Timestamp,
    pub results: u32,
    pub trials: u32,
    /// Why the question did not go out.
    pub problem: Option<String>,
}

impl Explained {
    /// Whether the latest answer is the one to the latest question.
    pub fn answered(&self) -> bool {
        self.explanation.as_ref().is_some_and(|e| e.results == self.results)
    }
}

/// By experiment; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Explanations(Arc<Mutex<HashMap<ExperimentId, Explained>>>);

impl Explanations {
    /// What is known now.
    pub fn of(&self, experiment: ExperimentId) -> Option<Explained> {
        self.lock().get(&experiment).cloned()
    }

    /// Notes that it is asked for, with so many results of so many ended trials.
    pub fn asked(&self, experiment: ExperimentId, at: Timestamp, results: u32, trials: u32) {
        let mut all = self.lock();
        let explanation = all.get(&experiment).and_then(|known| known.explanation.clone());
        all.insert(experiment, Explained { explanation, asked: at, results, trials, problem: None });
        if all.len() > MAX {
            let oldest = all.iter().min_by_key(|(_, known)| known.asked).map(|(id, _)| *id);
            oldest.and_then(|id| all.remove(&id));
        }
    }

    /// Notes that the question did not go out.
    pub fn failed(&self, experiment: ExperimentId, problem: String) {
        if let Some(known) = self.lock().get_mut(&experiment) {
            known.problem = Some(problem);
        }
    }

    /// Takes an answer in; one that nobody asked this coordinator for is as good.
    pub(super) fn take(&self, at: Timestamp, explanation: Explanation) {
        let mut all = self.lock();
        let results = explanation.results;
        let known = all.entry(explanation.experiment_id);
        let known =
            known.or_insert(Explained { explanation: None, asked: at, results, trials: 0, problem: None });
        known.problem = None;
        // a late answer to an earlier question
        if known.explanation.as_ref().is_none_or(|newest| newest.results <= results) {
            known.explanation = Some(Arc::new(explanation));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ExperimentId, Explained>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
