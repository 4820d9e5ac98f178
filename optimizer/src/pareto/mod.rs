//! Several goals: proposals by noisy expected hypervolume improvement.
//!
//! Each goal has a model of its own, independent of the others. Whole functions are drawn from each; a draw's front is that of its
//! values at the evaluated and the pending points, so that noise moves no point onto it and pending points are as good as done, and a point is
//! worth the volume that its values would add to the draw's front, on average over the draws (noisy expected hypervolume
//! improvement; Daulton, Balandat, Bakshy 2021). The draws are functions that can be looked at anywhere (Wilson et al. 2020), so
//! that each candidate costs one look at each.

mod volume;

use autoopt_epoch::experiment::{Algorithm, Earlier, WarmStart};
use autoopt_epoch::front::{Values, by_compromise, front, range};
use autoopt_epoch::message::{Ask, Compromise, Goal, Observation};
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::acquisition::Acquisition;
use crate::design;
use crate::known::{Known, Seen};
use crate::model::{self, Model};
use crate::outlook::Models;
use crate::propose::perturb;
use crate::space::{Codec, Point};
use crate::surrogate::warp::Warp;
use crate::surrogate::{GpError, Paths};

pub use volume::{added, reference, volume};

/// Functions drawn of each goal, and the same for more than two goals, where volumes are costly.
const DRAWS: usize = 32;
const FEW_DRAWS: usize = 12;
/// The front of a draw is that of no more than so many evaluated points, the best ones.
const MOST: usize = 300;
/// Points that are refined, rounds of it, and looks around each in one round.
const STARTS: usize = 6;
const ROUNDS: usize = 6;
const LOOKS: usize = 20;

/// What each goal is and the values of a result in their order; the first goal is the experiment's objective.
fn goals(ask: &Ask) -> Vec<Goal> {
    std::iter::once(ask.goal).chain(ask.other_goals.iter().copied()).collect()
}

/// `ask` with goal `m` for its only one.
fn only(ask: &Ask, m: usize) -> Ask {
    let Some(other) = m.checked_sub(1) else { return Ask { other_goals: Vec::new(), ..ask.clone() } };
    let of_other = |results: &[Observation]| -> Vec<Observation> {
        let of = |r: &Observation| Observation {
            objective: r.others.get(other).copied(),
            std_error: None,
            ..r.clone()
        };
        results.iter().map(of).collect()
    };
    // an earlier experiment that does not tell which way is better in this goal says nothing of it
    let earlier = ask.algorithm.warm_start.iter().filter_map(|given| match given {
        WarmStart::Earlier(earlier) => Some(WarmStart::Earlier(Earlier {
            goal: *earlier.other_goals.get(other)?,
            results: of_other(&earlier.results),
            ..earlier.clone()
        })),
        WarmStart::File(_) => None,
    });
    let algorithm = Algorithm { warm_start: earlier.collect(), ..ask.algorithm.clone() };
    let (goal, results) = (ask.other_goals[other], of_other(&ask.results));
    Ask { goal, other_goals: Vec::new(), results, algorithm, ..ask.clone() }
}

/// A model of each goal.
struct Goals {
    /// Of each, its acquisition, whose Gaussian process counts, and the transformation of its values.
    models: Vec<Model>,
    known: Vec<Known>,
}

impl Goals {
    /// `None` while nothing was measured.
    fn new(ask: &Ask, codec: &Codec, seed: u64) -> Result<Option<Self>, GpError> {
        let mut goals = Self { models: Vec::new(), known: Vec::new() };
        for m in 0..goals_of(ask) {
            let known = Known::new(&only(ask, m), codec).pooled();
            let Some(model) = model::model(codec, &known, seed)? else { return Ok(None) };
            goals.models.push(model);
            goals.known.push(known);
        }
        Ok(Some(goals))
    }

    /// What is expected of `point`, in the sense "smaller is better".
    fn expected(&self, point: &[f64]) -> Values {
        let mean = |m: &Model| m.warp.invert(m.acquisition.objective.mean_at(point));
        self.models.iter().map(mean).collect()
    }
}

/// What was evaluated and may be recommended, each point once.
fn recommendable(known: &Known) -> Vec<&Seen> {
    let mut seen: Vec<&Seen> = known.measured().filter(|s| s.allowed).collect();
    seen.dedup_by(|a, b| a.point == b.point);
    seen
}

/// The front of points with these values, the compromise first.
fn best_first(expected: &[Values]) -> Vec<usize> {
    let best = front(expected);
    let values: Vec<&Values> = best.iter().map(|i| &expected[*i]).collect();
    by_compromise(&values).into_iter().map(|i| best[i]).collect()
}

fn goals_of(ask: &Ask) -> usize {
    1 + ask.other_goals.len()
}

/// Draws of every goal, and each draw's front.
struct Trade<'a> {
    warps: Vec<&'a Warp>,
    /// By goal.
    paths: Vec<Paths>,
    /// By draw.
    fronts: Vec<Vec<Values>>,
    reference: Values,
    /// The model of the first goal: what works and what else counts is the same for all.
    beside: &'a Acquisition,
}

impl<'a> Trade<'a> {
    /// `expected` are the values that the models expect of `seen`.
    fn new(
        goals: &'a Goals,
        seen: &[&Seen],
        expected: &[Values],
        codec: &Codec,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Self {
        let draws = if goals.models.len() > 2 { FEW_DRAWS } else { DRAWS };
        let best: Vec<Values> = front(expected).into_iter().map(|i| expected[i].clone()).collect();
        let spread: Vec<f64> = (0..goals.models.len())
            .map(|m| {
                let (low, high) = range(expected.iter().map(|v| v[m]));
                if high > low { high - low } else { high.abs().max(1.0) }
            })
            .collect();
        let reference = reference(&best, &spread);
        let paths: Vec<Paths> = goals
            .models
            .iter()
            .map(|m| Paths::new(&m.acquisition.objective, codec.columns(), draws, rng))
            .collect();
        let warps = goals.models.iter().map(|m| &m.warp).collect();
        let beside = &goals.models[0].acquisition;
        let mut trade = Self { warps, paths, fronts: Vec::new(), reference, beside };
        // the volume counts within the reference, near which only good points are
        let mut order: Vec<usize> = (0..seen.len()).collect();
        let beyond = |v: &Values| -> f64 {
            (0..v.len()).map(|m| ((v[m] - trade.reference[m]) / spread[m]).max(0.0)).sum()
        };
        order.sort_by(|a, b| beyond(&expected[*a]).total_cmp(&beyond(&expected[*b])).then(a.cmp(b)));
        let points: Vec<Point> = order
            .into_iter()
            .take(MOST)
            .map(|i| seen[i].point.clone())
            .chain(goals.known[0].pending.iter().take(MOST).cloned())
            .collect();
        let values = trade.values(&points);
        trade.fronts = values
            .into_iter()
            .map(|of| {
                let inside: Vec<Values> =
                    of.into_iter().filter(|v| v.iter().zip(&trade.reference).all(|(x, r)| x < r)).collect();
                front(&inside).into_iter().map(|i| inside[i].clone()).collect()
            })
            .collect();
        trade
    }

    /// By draw and point.
    fn values(&self, points: &[Point]) -> Vec<Vec<Values>> {
        let drawn: Vec<_> = self.paths.iter().map(|p| p.at(points)).collect();
        let value = |m: usize, i: usize, s: usize| self.warps[m].invert(drawn[m][(i, s)]);
        (0..self.paths[0].count())
            .map(|s| (0..points.len()).map(|i| (0..drawn.len()).map(|m| value(m, i, s)).collect()).collect())
            .collect()
    }

    /// The logarithm of the mean volume that each point adds, times what else counts.
    fn scores(&self, points: &[Point]) -> Vec<f64> {
        let mut sums = vec![0.0; points.len()];
        for (values, front) in self.values(points).into_iter().zip(&self.fronts) {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += added(&value, front, &self.reference);
            }
        }
        let beside = self.beside.beside(points);
        // of points that add nothing in any draw the one that works most probably is the best
        sums.iter().zip(beside).map(|(sum, log)| (sum + f64::MIN_POSITIVE).ln() + log).collect()
    }
}

/// The point whose values are expected to add most to the front, neither evaluated nor pending, and what would be recommended by now;
/// `None` while there is no model, or if every candidate is taken. `prepare` may add to what counts beside the goals.
pub fn propose(
    ask: &Ask,
    codec: &Codec,
    known: &Known,
    candidates: usize,
    seed: u64,
    prepare: impl FnOnce(&mut Model) -> Result<(), GpError>,
) -> Result<Option<(Point, Option<Compromise>)>, GpError> {
    let Some(mut goals) = Goals::new(ask, codec, seed)? else { return Ok(None) };
    prepare(&mut goals.models[0])?;
    let mut rng = design::generator(seed);
    let seen = recommendable(&goals.known[0]);
    let expected: Vec<Values> = seen.iter().map(|s| goals.expected(&s.point)).collect();
    let trade = Trade::new(&goals, &seen, &expected, codec, &mut rng);
    let centres: Vec<&Point> = front(&expected).into_iter().map(|i| &seen[i].point).collect();
    let dimensions = codec.columns().len();
    let mut pool: Vec<Point> = Vec::with_capacity(candidates);
    for i in 0..candidates {
        let drawn = if i % 2 == 0 || centres.is_empty() {
            codec.sample(&design::sobol((i / 2) as u32, dimensions, seed))
        } else {
            let centre = centres[rng.random_range(0..centres.len())];
            codec.snap(&perturb(centre, codec.columns(), &mut rng))
        };
        pool.extend(allowed(codec, known, drawn, &mut rng));
    }
    let scores = trade.scores(&pool);
    let mut order: Vec<usize> = (0..pool.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    let mut best: Vec<(f64, Point)> =
        order.into_iter().take(STARTS).map(|i| (scores[i], pool[i].clone())).collect();
    for _ in 0..ROUNDS {
        let mut around: Vec<(usize, Point)> = Vec::new();
        for (start, (_, point)) in best.iter().enumerate() {
            for _ in 0..LOOKS {
                let near = codec.snap(&perturb(point, codec.columns(), &mut rng));
                around.extend(allowed(codec, known, near, &mut rng).map(|p| (start, p)));
            }
        }
        let points: Vec<Point> = around.iter().map(|(_, p)| p.clone()).collect();
        for ((start, point), score) in around.into_iter().zip(trade.scores(&points)) {
            if score > best[start].0 {
                best[start] = (score, point);
            }
        }
    }
    let best = best.into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
    let compromise = best_first(&expected).first().map(|i| Compromise {
        trial: seen[*i].trial,
        number: seen[*i].number,
        parameters: seen[*i].parameters.clone(),
    });
    Ok(best.map(|(_, point)| (point, compromise)))
}

fn allowed(codec: &Codec, known: &Known, point: Point, rng: &mut Xoshiro256PlusPlus) -> Option<Point> {
    let point = if codec.satisfied(&point) { Some(point) } else { codec.repair(&point, rng) };
    point.filter(|p| !known.is_taken(p))
}

/// An evaluated point that no other is expected to be better than in every goal.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    pub parameters: autoopt_epoch::space::Parameters,
    /// What the models expect of it, by goal.
    pub values: Vec<f64>,
}

/// The front of the evaluated points by the averaged models, which see through noise; the first of them is nearest to the best of
/// every goal, each seen as a part of the front's range. Empty while nothing was measured.
pub fn recommend(ask: &Ask, codec: &Codec) -> Result<Vec<Best>, GpError> {
    let mut ensembles = Vec::new();
    for m in 0..goals_of(ask) {
        let known = Known::new(&only(ask, m), codec).pooled();
        let Some(ensemble) = model::ensemble(codec, &known, ask.seed)? else { return Ok(Vec::new()) };
        ensembles.push(ensemble);
    }
    let known = Known::new(&only(ask, 0), codec);
    let seen = recommendable(&known);
    let expected: Vec<Values> = seen
        .iter()
        .map(|s| {
            let mean = |models: Models<'_>| models.warp.invert(models.mean_at(&s.point));
            ensembles.iter().map(|e| mean(e.models())).collect()
        })
        .collect();
    let goals = goals(ask);
    let told = |i: usize| Best {
        parameters: seen[i].parameters.clone(),
        values: expected[i].iter().zip(&goals).map(|(x, goal)| -goal.sign() * x).collect(),
    };
    Ok(best_first(&expected).into_iter().map(told).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn each_goal_hears_its_own_values_of_earlier_experiments_too() {
        let id = "0192a3b4-c5d6-7e8f-9012-000000000001";
        let result = |objective: f64, others: Value| {
            json!({
                "trial": id, "number": 0, "kind": "baseline", "cluster": "a", "outcome": "measured", "parameters": {},
                "objective": objective, "others": others,
            })
        };
        let told = json!({"name": "old", "goal": "minimize", "other_goals": ["maximize"], "results": [result(3.0, json!([4.0]))]});
        let untold = json!({"name": "older", "goal": "minimize", "results": [result(5.0, json!([]))]});
        let ask: Ask = serde_json::from_value(json!({
            "ask": id, "experiment": "e", "experiment_id": id, "number": 1, "seed": 0,
            "algorithm": {"name": "gp", "warm_start": [told, untold]}, "goal": "maximize", "other_goals": ["minimize"],
            "parameters": [], "budget": 1, "parallel": 1, "results": [result(1.0, json!([2.0]))], "pending": [],
        }))
        .unwrap();
        let heard = |m: usize| {
            let ask = only(&ask, m);
            assert_eq!(ask.other_goals, []);
            let earlier = ask.algorithm.warm_start.iter().map(|given| match given {
                WarmStart::Earlier(e) => (e.goal, e.results[0].objective),
                WarmStart::File(name) => panic!("{name} was read"),
            });
            (ask.goal, ask.results[0].objective, earlier.collect::<Vec<_>>())
        };
        let (most, least) = (Goal::Maximize, Goal::Minimize);
        assert_eq!(heard(0), (most, Some(1.0), vec![(least, Some(3.0)), (least, Some(5.0))]));
        assert_eq!(
            heard(1),
            (least, Some(2.0), vec![(most, Some(4.0))]),
            "of the other one nothing is known"
        );
    }
}
