//! What an ask tells, by column and in an order of its own, so that the order of arrival changes nothing.

use std::collections::{BTreeMap, HashSet};

use autoopt_epoch::experiment::{Earlier, WarmStart};
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::TrialId;
use autoopt_epoch::message::{Ask, Goal, Observation};
use autoopt_epoch::space::Parameters;

use crate::align::{Baselines, by_cluster};
use crate::constraint::margins;
use crate::placement::share;
use crate::space::{Codec, Point};
use crate::surrogate::Relation;

/// One ended trial.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its parameters by column.
    pub point: Point,
    /// The objective in the sense "smaller is better"; absent if it has none.
    pub value: Option<f64>,
    /// Whether it worked and kept its outcome constraints.
    pub feasible: bool,
    /// Whether it worked, as far as nothing else tells: false also for a broken constraint of which no number is known.
    pub works: bool,
    /// Measurements of average noise that `value` is worth: their number, more or less where its standard error is known.
    pub repeats: f64,
    /// Whether it may be proposed and recommended: inside the space, constraints kept.
    pub allowed: bool,
    /// As they came.
    pub parameters: Parameters,
    /// Which trial it was, and its number.
    pub trial: TrialId,
    pub number: u32,
    /// Where it was measured: an index of [`Known::places`].
    pub place: usize,
    /// Which placement it had there.
    pub placement: Option<String>,
}

/// A cluster, of this experiment or of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// 0 for the function that is sought, `t` for task `t − 1`.
    pub task: usize,
}

/// Everything an ask tells.
#[derive(Clone, Debug)]
pub struct Known {
    /// Ended trials that have a place in the space, sorted by point, then value.
    pub seen: Vec<Seen>,
    /// Points being evaluated, sorted.
    pub pending: Vec<Point>,
    /// Ended trials of earlier experiments that have a place in the space, sorted in the same way.
    pub earlier: Vec<Seen>,
    /// Clusters, those of the experiment first.
    pub places: Vec<Place>,
    /// Their baselines.
    pub baselines: Baselines,
    /// The tasks of the places. The clusters of an experiment are tasks where there are several.
    pub relations: Vec<Relation>,
    evaluated_keys: HashSet<Vec<u64>>,
    pending_keys: HashSet<Vec<u64>>,
}

impl Known {
    /// Reads `ask`. Results that have no place in the space (an unknown choice, a number far outside) are left out, as is
    /// an objective that is not finite.
    pub fn new(ask: &Ask, codec: &Codec) -> Self {
        let (mut places, mut baselines, mut relations) = (Vec::new(), Baselines::default(), Vec::new());
        let own = by_cluster(&ask.results);
        let mut seen = Vec::new();
        let spread = noise(&ask.results);
        let margins = margins(ask);
        let numbered: HashSet<TrialId> = margins.keys().map(|i| ask.results[*i].trial).collect();
        for results in own.values() {
            if own.len() > 1 {
                relations.push(Relation::Cluster);
            }
            let place = places.len();
            places.push(Place { task: relations.len() });
            baselines.add(results.iter().copied());
            seen.extend(results.iter().filter_map(|r| see(r, place, ask.goal, spread, codec)));
        }
        baselines.refer();
        seen.iter_mut().for_each(|s: &mut Seen| s.works |= numbered.contains(&s.trial));
        seen.sort_by(in_order);
        let mut earlier = Vec::new();
        for other in ask.algorithm.warm_start.iter().filter_map(told) {
            relations.push(Relation::Earlier);
            let spread = noise(&other.results);
            for results in by_cluster(&other.results).values() {
                let place = places.len();
                places.push(Place { task: relations.len() });
                baselines.add(results.iter().copied());
                let known = results.iter().filter_map(|r| {
                    see(&within(r, codec), place, other.goal, spread, codec).filter(|s| s.value.is_some())
                });
                earlier.extend(known);
            }
        }
        earlier.sort_by(in_order);
        let mut pending: Vec<Point> =
            ask.pending.iter().filter_map(|p| codec.encode(&p.parameters)).collect();
        pending.sort_by(|a, b| order(a, b));
        let evaluated_keys = seen.iter().map(|s| key(&codec.snap(&s.point))).collect();
        let pending_keys = pending.iter().map(|p| key(&codec.snap(p))).collect();
        Self { seen, pending, earlier, places, baselines, relations, evaluated_keys, pending_keys }
    }

    /// With the results of one placement for measurements of one value, as far as the placement decides: each is drawn to their mean
    /// by the share of the results' ranks that placements explain, so that noise is averaged out. Below a half, where parameters do
    /// more than place servers or everything is placed alike, and where placements are not told, nothing changes.
    pub fn pooled(&self) -> Self {
        let mut pooled = self.clone();
        let mut classes: BTreeMap<(usize, String), Vec<(f64, f64)>> = BTreeMap::new();
        let class = |s: &Seen| s.placement.clone().filter(|_| s.feasible).map(|p| (s.place, p));
        for s in &self.seen {
            if let (Some(class), Some(value)) = (class(s), s.value) {
                classes.entry(class).or_default().push((value, s.repeats));
            }
        }
        let mut sorted: Vec<f64> = classes.values().flatten().map(|(value, _)| *value).collect();
        sorted.sort_by(f64::total_cmp);
        let rank = |(value, _): &(f64, f64)| sorted.partition_point(|v| v < value) as f64;
        let ranks: Vec<Vec<f64>> = classes.values().map(|of| of.iter().map(rank).collect()).collect();
        let share = share(&ranks);
        if share < 0.5 {
            return pooled;
        }
        for s in &mut pooled.seen {
            let Some((of, value)) = class(s).and_then(|c| Some((classes.get(&c)?, s.value?))) else {
                continue;
            };
            // alone, it is exactly what was measured
            if of.len() > 1 {
                let weight: f64 = of.iter().map(|(_, w)| w).sum();
                let mean: f64 = of.iter().map(|(v, w)| v * (w / weight)).sum();
                s.value = Some(share * mean + (1.0 - share) * value);
            }
        }
        pooled.seen.sort_by(in_order);
        pooled
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

/// What is told of an earlier experiment; a file that nobody has read tells nothing.
fn told(warm_start: &WarmStart) -> Option<&Earlier> {
    match warm_start {
        WarmStart::Earlier(earlier) => Some(earlier),
        WarmStart::File(_) => None,
    }
}

/// `result` of another space as one of this: what cannot vary here is left out, and what is missing has its default.
fn within(result: &Observation, codec: &Codec) -> Observation {
    Observation { parameters: codec.varying(&result.parameters), ..result.clone() }
}

/// A result, if it teaches something and has a place in the space.
fn see(result: &Observation, place: usize, goal: Goal, noise: Option<f64>, codec: &Codec) -> Option<Seen> {
    let feasible = result.outcome == Outcome::Measured && result.violations.is_empty();
    let value = result.objective.filter(|x| x.is_finite()).map(|x| -goal.sign() * x);
    let teaches = matches!(result.outcome, Outcome::Measured | Outcome::Infeasible | Outcome::Violated)
        && (value.is_some() || !feasible);
    Some(Seen {
        point: codec.encode(&result.parameters).filter(|_| teaches)?,
        value,
        feasible,
        works: feasible,
        repeats: worth(result, noise),
        allowed: codec.allows(&result.parameters),
        parameters: result.parameters.clone(),
        trial: result.trial,
        number: result.number,
        place,
        placement: result.placement.clone(),
    })
}

fn in_order(a: &Seen, b: &Seen) -> std::cmp::Ordering {
    order(&a.point, &b.point)
        .then(a.value.unwrap_or(f64::NAN).total_cmp(&b.value.unwrap_or(f64::NAN)))
        .then(a.feasible.cmp(&b.feasible))
        .then(a.repeats.total_cmp(&b.repeats))
        .then(a.place.cmp(&b.place))
        .then(a.number.cmp(&b.number))
        .then(a.trial.cmp(&b.trial))
}

/// Degrees of freedom at which the noise of all results is held against that of one: few repeats that happen to lie close to each
/// other are no proof of precision. The form is that of Smyth (2004), where it is estimated from thousands of cases.
const SHRINKAGE: f64 = 4.0;
/// Degrees of freedom of a standard error that comes with a single measurement: it is somebody's knowledge, not an estimate.
const TOLD: f64 = 1000.0;
/// One result counts for no more, and no less, than so many times its measurements.
const MOST: f64 = 100.0;

/// The variance of one measurement behind a result, and its degrees of freedom, where there is a standard error.
fn variance(result: &Observation) -> Option<(f64, f64)> {
    let repeats = f64::from(result.repeats.max(1));
    let variance = result.std_error.map(|e| repeats * e * e).filter(|v| v.is_finite())?;
    Some((variance, if result.repeats > 1 { repeats - 1.0 } else { TOLD }))
}

/// The variance of one measurement over all results; `None` where no result tells one.
fn noise(results: &[Observation]) -> Option<f64> {
    let each: Vec<(f64, f64)> = results.iter().filter_map(variance).collect();
    let freedom: f64 = each.iter().map(|(_, d)| d).sum();
    // parts of it are summed, which may be in any order of arrival
    let mut parts: Vec<f64> = each.iter().map(|(v, d)| v * (d / freedom)).collect();
    parts.sort_by(f64::total_cmp);
    Some(parts.iter().sum::<f64>()).filter(|v| *v > 0.0 && v.is_finite())
}

/// Measurements of average noise that a result is worth: the model learns how much that noise is.
fn worth(result: &Observation, noise: Option<f64>) -> f64 {
    let repeats = f64::from(result.repeats.max(1));
    let (Some(noise), Some((variance, freedom))) = (noise, variance(result)) else { return repeats };
    let own = (freedom * variance / noise + SHRINKAGE) / (freedom + SHRINKAGE);
    repeats * own.recip().clamp(MOST.recip(), MOST)
}

fn order(a: &[f64], b: &[f64]) -> std::cmp::Ordering {
    a.iter().zip(b).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
}

/// Equal for points that decode to the same values, up to a millionth of a millionth of a range.
fn key(point: &[f64]) -> Vec<u64> {
    point.iter().map(|x| (x * 1e12).round().to_bits()).collect()
}
