//! What an ask tells, by column and in an order of its own, so that the order of arrival changes nothing.

use std::collections::HashSet;

use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::TrialId;
use autoopt_epoch::message::Ask;
use autoopt_epoch::space::Parameters;

use crate::space::{Codec, Point};

/// One ended trial.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its parameters by column.
    pub point: Point,
    /// The objective in the sense "smaller is better"; absent if it has none.
    pub value: Option<f64>,
    /// Whether it worked and kept its outcome constraints.
    pub feasible: bool,
    /// Measurements behind `value`; at least 1.
    pub repeats: f64,
    /// Whether it may be proposed and recommended: inside the space, constraints kept.
    pub allowed: bool,
    /// As they came.
    pub parameters: Parameters,
    /// Which trial it was, and its number.
    pub trial: TrialId,
    pub number: u32,
}

/// Everything an ask tells.
#[derive(Clone, Debug)]
pub struct Known {
    /// Ended trials that have a place in the space, sorted by point, then value.
    pub seen: Vec<Seen>,
    /// Points being evaluated, sorted.
    pub pending: Vec<Point>,
    evaluated_keys: HashSet<Vec<u64>>,
    pending_keys: HashSet<Vec<u64>>,
}

impl Known {
    /// Reads `ask`. Results that have no place in the space (an unknown choice, a number far outside) are left out, as is
    /// an objective that is not finite.
    pub fn new(ask: &Ask, codec: &Codec) -> Self {
        let mut seen: Vec<Seen> = ask
            .results
            .iter()
            .filter_map(|result| {
                let feasible = result.outcome == Outcome::Measured && result.violations.is_empty();
                let value = result.objective.filter(|x| x.is_finite()).map(|x| -ask.goal.sign() * x);
                let teaches =
                    matches!(result.outcome, Outcome::Measured | Outcome::Infeasible | Outcome::Violated)
                        && (value.is_some() || !feasible);
                Some(Seen {
                    point: codec.encode(&result.parameters).filter(|_| teaches)?,
                    value,
                    feasible,
                    repeats: f64::from(result.repeats.max(1)),
                    allowed: codec.allows(&result.parameters),
                    parameters: result.parameters.clone(),
                    trial: result.trial,
                    number: result.number,
                })
            })
            .collect();
        seen.sort_by(|a, b| {
            order(&a.point, &b.point)
                .then(a.value.unwrap_or(f64::NAN).total_cmp(&b.value.unwrap_or(f64::NAN)))
                .then(a.feasible.cmp(&b.feasible))
                .then(a.repeats.total_cmp(&b.repeats))
                .then(a.number.cmp(&b.number))
                .then(a.trial.cmp(&b.trial))
        });
        let mut pending: Vec<Point> =
            ask.pending.iter().filter_map(|p| codec.encode(&p.parameters)).collect();
        pending.sort_by(|a, b| order(a, b));
        let evaluated_keys = seen.iter().map(|s| key(&codec.snap(&s.point))).collect();
        let pending_keys = pending.iter().map(|p| key(&codec.snap(p))).collect();
        Self { seen, pending, evaluated_keys, pending_keys }
    }

    /// Whether `point` is being evaluated now.
    pub fn is_pending(&self, point: &[f64]) -> bool {
        self.pending_keys.contains(&key(point))
    }

    /// Whether `point` was evaluated, or is.
    pub fn is_taken(&self, point: &[f64]) -> bool {
        self.is_pending(point) || self.evaluated_keys.contains(&key(point))
    }

    /// Feasible results with a value.
    pub fn measured(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(|s| s.feasible && s.value.is_some())
    }
}

fn order(a: &[f64], b: &[f64]) -> std::cmp::Ordering {
    a.iter().zip(b).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
}

/// Equal for points that decode to the same values, up to a millionth of a millionth of a range.
fn key(point: &[f64]) -> Vec<u64> {
    point.iter().map(|x| (x * 1e12).round().to_bits()).collect()
}
