//! What a trial costs: the time that changes take, beside the time that every trial takes.
//!
//! A restart costs minutes, an API call nothing. Of two points of equal promise the one that leaves expensive parameters as they are is
//! the better buy: the acquisition is divided by the expected cost (expected improvement per second; Snoek, Larochelle, Adams
//! 2012). Divided all the way to the end it would leave the expensive parameters unexplored for ever, so the cost's exponent falls
//! with the budget that is left, from 1 to 0 (cost-cooling; Lee, Perrone, Archambeau, Seeger 2020).

use std::sync::Arc;

use autoopt_epoch::message::Ask;
use autoopt_epoch::space::{Parameters, Value};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::acquisition::Acquisition;
use crate::ascent::ascend;
use crate::known::Known;
use crate::propose::Proposal;
use crate::space::{Codec, Column, Point};
use crate::term::Term;

/// Candidates whose cheap relatives are looked at.
const CANDIDATES: usize = 40;
/// Cheap relatives that are refined, and steps of one refinement.
const STARTS: usize = 6;
const ASCENT: usize = 50;
/// Of so many parameters that cost something every combination is left as it is in turn; of more each by itself and all together.
const COMBINED: usize = 4;
/// Numbers that differ by less than this part are equal: a value may have gone through a column and back.
const EQUAL: f64 = 1e-9;

/// The expected length of a trial.
#[derive(Clone, Debug)]
pub struct Cost {
    codec: Codec,
    /// Seconds beside all changes.
    base: f64,
    /// Seconds for a change of each of these.
    prices: Vec<(String, f64)>,
    /// Values in force where the trial may run.
    in_force: Vec<Parameters>,
    /// The exponent of the cost: what is left of the budget, as a part of it.
    power: f64,
}

impl Cost {
    /// What `ask` tells of costs; `None` where no parameter has one, or nothing is known to be in force.
    pub fn new(ask: &Ask, codec: &Codec) -> Option<Self> {
        let priced = ask.parameters.iter().filter(|p| p.fixed.is_none());
        let prices: Vec<(String, f64)> = priced
            .filter_map(|p| Some((p.name.clone(), p.change_cost?.0.as_secs_f64())))
            .filter(|(_, seconds)| *seconds > 0.0)
            .collect();
        if prices.is_empty() || ask.in_force.is_empty() {
            return None;
        }
        let mut measured: Vec<f64> =
            ask.results.iter().filter_map(|r| r.seconds).filter(|s| s.is_finite() && *s >= 0.0).collect();
        measured.sort_by(f64::total_cmp);
        let dearest = prices.iter().map(|(_, seconds)| *seconds).fold(0.0, f64::max);
        // a trial takes some time, whatever clock said that it takes none
        let base = measured.get(measured.len() / 2).copied().unwrap_or(dearest).max(1e-3 * dearest);
        let budget = f64::from(ask.budget.max(1));
        let power = (1.0 - f64::from(ask.number.saturating_sub(1)) / budget).clamp(0.0, 1.0);
        Some(Self { codec: codec.clone(), base, prices, in_force: ask.in_force.clone(), power })
    }

    /// The expected seconds of a trial at `point`: where there are several clusters that it may run on, their mean.
    pub fn seconds(&self, point: &[f64]) -> f64 {
        let values = self.codec.decode(point);
        let changes = |before: &Parameters| -> f64 {
            let changed = |name: &str| match (before.get(name), values.get(name)) {
                (Some(a), Some(b)) => !equal(a, b),
                _ => true,
            };
            self.prices.iter().filter(|(name, _)| changed(name)).map(|(_, seconds)| seconds).sum()
        };
        self.base + self.in_force.iter().map(changes).sum::<f64>() / self.in_force.len() as f64
    }

    /// Points like `point` with expensive parameters left as they are somewhere.
    fn relatives(&self, point: &[f64]) -> Vec<Point> {
        let n = self.prices.len();
        let kept: Vec<Vec<usize>> = if n <= COMBINED {
            (1..1usize << n).map(|set| (0..n).filter(|i| set >> i & 1 == 1).collect()).collect()
        } else {
            let all: Vec<usize> = (0..n).collect();
            let but = |i: usize| all.iter().copied().filter(|j| *j != i).collect();
            let each = (0..n).map(|i| vec![i]).chain((0..n).map(but));
            each.chain(std::iter::once(all.clone())).collect()
        };
        let values = self.codec.decode(point);
        let mut relatives = Vec::new();
        for before in &self.in_force {
            for kept in &kept {
                let mut values = values.clone();
                for i in kept {
                    let name = &self.prices[*i].0;
                    if let Some(value) = before.get(name) {
                        values.insert(name.clone(), value.clone());
                    }
                }
                relatives.extend(self.codec.encode(&values).map(|p| self.codec.snap(&p)));
            }
        }
        relatives
    }

    /// Columns of numbers that can be moved without changing a parameter that costs something.
    fn cheap(&self, point: &[f64]) -> Vec<usize> {
        let columns = self.codec.columns();
        let dear: Vec<usize> = self.prices.iter().flat_map(|(name, _)| self.codec.columns_of(name)).collect();
        (0..columns.len())
            .filter(|j| matches!(columns[*j], Column::Number { .. }) && !dear.contains(j))
            .filter(|j| self.codec.active(point, *j))
            .collect()
    }

    /// `proposal`, or a relative of its candidates that is worth more: the search over the whole space hardly meets points at which an
    /// expensive parameter stays exactly as it is.
    pub fn thrifty(
        &self,
        acquisition: &Acquisition,
        known: &Known,
        proposal: Proposal,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Proposal {
        let codec = &self.codec;
        let from = std::iter::once(&proposal.point).chain(proposal.promising.iter().take(CANDIDATES));
        let mut pool: Vec<Point> = Vec::new();
        for relative in from.flat_map(|p| self.relatives(p)) {
            let allowed =
                if codec.satisfied(&relative) { Some(relative) } else { codec.repair(&relative, rng) };
            pool.extend(allowed.filter(|p| !known.is_taken(p)));
        }
        pool.sort_by(|a, b| compare(a, b));
        pool.dedup();
        let scores = acquisition.scores(&pool);
        let mut order: Vec<usize> = (0..pool.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
        let mut best = proposal.point.clone();
        let mut score = acquisition.scores(std::slice::from_ref(&best))[0];
        for i in order.into_iter().take(STARTS) {
            let free = self.cheap(&pool[i]);
            let (climbed, _) = ascend(&pool[i], &free, ASCENT, |x| {
                codec.at_canonical(x, |x| acquisition.score_with_gradient(x))
            });
            let exact = codec.snap(&climbed);
            let tried = [pool[i].clone(), exact];
            let allowed = tried.into_iter().filter(|p| codec.satisfied(p) && !known.is_taken(p));
            for point in allowed {
                let found = acquisition.scores(std::slice::from_ref(&point))[0];
                if found > score {
                    (best, score) = (point, found);
                }
            }
        }
        Proposal { point: best, ..proposal }
    }

    /// As a factor of the acquisition.
    pub fn term(&self) -> Arc<dyn Term> {
        Arc::new(self.clone())
    }
}

impl Term for Cost {
    fn logs(&self, points: &[Point]) -> Vec<f64> {
        points.iter().map(|p| -self.power * (self.seconds(p) / self.base).ln()).collect()
    }

    /// The cost is constant but for jumps.
    fn log_with_gradient(&self, x: &[f64]) -> (f64, Vec<f64>) {
        (-self.power * (self.seconds(x) / self.base).ln(), vec![0.0; x.len()])
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(x), Some(y)) => (x - y).abs() <= EQUAL * x.abs().max(y.abs()),
        _ => a == b,
    }
}

fn compare(a: &[f64], b: &[f64]) -> std::cmp::Ordering {
    a.iter().zip(b).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
}
