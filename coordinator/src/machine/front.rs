//! Several objectives: the trials that no other is better than in everything.

use autoopt_epoch::message::Observation;

use super::{Experiment, FrontTrial};

impl Experiment {
    /// Takes a measured trial into the front if nothing there is at least as good in everything, and what it beats so out of it.
    pub(super) fn extend_front(&mut self, observation: &Observation) {
        let goals = self.spec.goals();
        let mut values: Vec<f64> = observation.objective.into_iter().collect();
        values.extend(&observation.others);
        if goals.len() < 2 || values.len() != goals.len() {
            return;
        }
        let covers = |a: &[f64], b: &[f64]| {
            a.iter().zip(b).zip(&goals).all(|((x, y), goal)| goal.sign() * x >= goal.sign() * y)
        };
        if self.front.iter().any(|f| covers(&f.values, &values)) {
            return;
        }
        self.front.retain(|f| !covers(&values, &f.values));
        let (trial, number, parameters) =
            (observation.trial, observation.number, observation.parameters.clone());
        self.front.push(FrontTrial { trial, number, values, parameters });
        let sign = goals[0].sign();
        self.front.sort_by(|a, b| (sign * b.values[0]).total_cmp(&(sign * a.values[0])));
    }
}
