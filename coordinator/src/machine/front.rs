//! Several objectives: the trials that no other is better than in everything.
//!
//! With several clusters each value is seen beside its own cluster's baseline of that objective, as the best trial of one objective is.
//! Baselines are better known with each of their runs, so the front is found anew among all results.

use std::collections::BTreeMap;

use autoopt_epoch::failure::Outcome;
use autoopt_epoch::front::{Values, by_compromise, front};
use autoopt_epoch::id::TrialId;
use autoopt_epoch::message::{Goal, Observation, TrialKind};
use autoopt_epoch::statistics::Terms;

use super::{Experiment, FrontTrial};

impl Experiment {
    /// Finds the front among what was measured so far.
    pub(super) fn find_front(&mut self) {
        let goals = self.spec.goals();
        if goals.len() < 2 {
            return;
        }
        let terms: Vec<Terms<'_>> = (0..goals.len()).map(|objective| self.terms(objective)).collect();
        let searched = self.results.iter().filter(|r| self.is_candidate(r));
        let measured: Vec<(&Observation, Vec<f64>)> =
            searched.filter_map(|r| Some((r, in_terms(&terms, r)?))).collect();
        let costs: Vec<Values> = measured.iter().map(|(_, values)| costs(&goals, values)).collect();
        let of_front = |i: usize| {
            let (result, values) = &measured[i];
            FrontTrial {
                trial: result.trial,
                number: result.number,
                cluster: result.cluster.clone(),
                values: values.clone(),
                parameters: result.parameters.clone(),
            }
        };
        let mut best: Vec<FrontTrial> = front(&costs).into_iter().map(of_front).collect();
        let first = |t: &FrontTrial| -goals[0].sign() * t.values[0];
        best.sort_by(|a, b| first(a).total_cmp(&first(b)));
        let mut factors = BTreeMap::new();
        if self.sites.len() > 1 {
            for (cluster, _) in self.sites.iter().filter(|(_, site)| !site.runs.is_empty()) {
                factors.insert(cluster.clone(), terms.iter().map(|t| t.factor(cluster)).collect());
            }
        }
        self.front = best;
        self.factors = factors;
    }

    /// The trial of the front that is nearest to the best of every objective.
    pub(super) fn measured_compromise(&self) -> Option<&FrontTrial> {
        let goals = self.spec.goals();
        let costs: Vec<Values> = self.front.iter().map(|t| costs(&goals, &t.values)).collect();
        let nearest = *by_compromise(&costs.iter().collect::<Vec<_>>()).first()?;
        self.front.get(nearest)
    }

    /// Whether a result is of the search: the best of many runs of one configuration is no better configuration.
    fn is_candidate(&self, result: &Observation) -> bool {
        let kind = match result.kind {
            TrialKind::Proposed | TrialKind::Manual => true,
            TrialKind::Baseline => {
                result.trial == TrialId::derived(self.id.0, &Self::first_baseline(&result.cluster))
            }
            TrialKind::Recommended | TrialKind::Closing => false,
        };
        kind && result.outcome == Outcome::Measured
    }
}

/// The values of a result in the common terms, if it has all of them.
fn in_terms(terms: &[Terms<'_>], result: &Observation) -> Option<Vec<f64>> {
    let measured = result.objective.iter().chain(&result.others);
    let values: Vec<f64> =
        measured.zip(terms).map(|(value, terms)| terms.of(&result.cluster, *value)).collect();
    (values.len() == terms.len()).then_some(values)
}

/// In the sense "smaller is better".
fn costs(goals: &[Goal], values: &[f64]) -> Values {
    goals.iter().zip(values).map(|(goal, value)| -goal.sign() * value).collect()
}
