//! Where the acquisition is largest.

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::acquisition::Acquisition;
use crate::ascent::ascend;
use crate::design;
use crate::known::Known;
use crate::region::Region;
use crate::space::{Codec, Column, Point};

/// Points from which the best are sought.
const STARTS: usize = 8;
/// Steps by gradient that each of them takes, and those of which the best are refined to the end.
const FIRST_STEPS: usize = 8;
const FINALISTS: usize = 3;
/// Steps of one refinement.
const STEPS: usize = 50;
/// Evaluated points around which candidates are drawn.
const CENTRES: usize = 4;
/// Moves between neighbours in discrete columns.
const MOVES: usize = 8;

/// What is proposed.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub point: Point,
    /// The most promising candidates that were looked at, itself among them.
    pub promising: Vec<Point>,
}

/// Candidates that are called promising, beside the refined ones.
const PROMISING: usize = 100;

/// The point of largest acquisition that keeps the constraints and is neither evaluated nor pending: many candidates, half
/// spread over the space, or the [`Region`] where there is one, and half around the best evaluated points, of which the best are refined by gradient in
/// continuous columns and by neighbours in discrete ones. `None` if every candidate is taken.
pub fn propose(
    acquisition: &Acquisition,
    codec: &Codec,
    known: &Known,
    candidates: usize,
    seed: u64,
    rng: &mut Xoshiro256PlusPlus,
) -> Option<Proposal> {
    let region = Region::new(&acquisition.objective, codec.columns(), known);
    let pool = pool(acquisition, codec, known, region.as_ref(), (candidates, seed), rng);
    if pool.is_empty() {
        return None;
    }
    let scores = acquisition.scores(&pool);
    let mut order: Vec<usize> = (0..pool.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let mut promising: Vec<Point> = order.iter().take(PROMISING).map(|i| pool[*i].clone()).collect();
    let mut starts: Vec<usize> = Vec::new();
    for i in order {
        // starts from one valley would all end at its bottom
        if starts.iter().all(|s| distance(&pool[*s], &pool[i]) > 0.1) {
            starts.push(i);
        }
        if starts.len() == STARTS {
            break;
        }
    }
    let refiner = Refiner { acquisition, codec, known, region: region.as_ref() };
    let mut climbed: Vec<(Point, f64)> = Vec::with_capacity(STARTS);
    for i in starts {
        let (mut point, mut score) = (pool[i].clone(), scores[i]);
        refiner.climb(&mut point, &mut score, FIRST_STEPS, rng);
        climbed.push((point, score));
    }
    climbed.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (point, score) in climbed.iter_mut().take(FINALISTS) {
        refiner.refine(point, score, rng);
    }
    promising.extend(climbed.iter().map(|(point, _)| point.clone()));
    let best = climbed.into_iter().reduce(|a, b| if b.1 > a.1 { b } else { a });
    best.map(|(point, _)| Proposal { point, promising })
}

/// Candidates that may be proposed.
fn pool(
    acquisition: &Acquisition,
    codec: &Codec,
    known: &Known,
    region: Option<&Region>,
    (candidates, seed): (usize, u64),
    rng: &mut Xoshiro256PlusPlus,
) -> Vec<Point> {
    let dimensions = codec.columns().len();
    let bends = &acquisition.objective.hyper().bends;
    let mut centres: Vec<(f64, &Point)> = known
        .measured()
        .filter(|s| s.allowed)
        .map(|s| (acquisition.objective.mean_at(&s.point), &s.point))
        .collect();
    centres.sort_by(|a, b| a.0.total_cmp(&b.0));
    centres.truncate(CENTRES);
    let mut pool = Vec::with_capacity(candidates);
    for i in 0..candidates {
        let drawn = if i % 2 == 0 || centres.is_empty() {
            let cube = design::sobol((i / 2) as u32, dimensions, seed);
            let drawn = match region {
                Some(region) => region.shrunk(cube),
                None => cube,
            };
            codec.sample(&bends.undo(&drawn))
        } else {
            let centre = centres[rng.random_range(0..centres.len())].1;
            let near = perturb(&bends.at(centre), codec.columns(), rng);
            codec.snap(&bends.undo(&within(region, near)))
        };
        let allowed = if codec.satisfied(&drawn) { Some(drawn) } else { codec.repair(&drawn, rng) };
        pool.extend(allowed.filter(|point| !known.is_taken(point)));
    }
    pool
}

/// `point`, or the nearest one of the region.
fn within(region: Option<&Region>, point: Point) -> Point {
    match region {
        Some(region) => region.nearest(point),
        None => point,
    }
}

/// Moves some columns of `centre` by a normal deviate, over scales from a fifth to a thousandth of the range.
pub(crate) fn perturb(centre: &[f64], columns: &[Column], rng: &mut Xoshiro256PlusPlus) -> Point {
    let scale = 0.2 * 10f64.powf(-2.3 * rng.random::<f64>());
    // few columns at a time reach along valleys that all of them together miss
    let share = if rng.random::<bool>() { 1.0 } else { (2.0 / columns.len() as f64).min(1.0) };
    let chosen = rng.random_range(0..columns.len().max(1));
    columns
        .iter()
        .enumerate()
        .map(|(j, column)| match column {
            _ if j != chosen && rng.random::<f64>() >= share => centre[j],
            Column::Number { levels } => {
                let step = levels.map_or(0.0, |n| 1.0 / n).max(scale);
                (centre[j] + step * design::normal(rng)).clamp(0.0, 1.0)
            }
            Column::Nominal { count } if j == chosen || rng.random::<f64>() < 0.2 => {
                rng.random_range(0..*count) as f64
            }
            Column::Nominal { .. } => centre[j],
        })
        .collect()
}

/// Improves points that may be proposed.
struct Refiner<'a> {
    acquisition: &'a Acquisition,
    codec: &'a Codec,
    known: &'a Known,
    region: Option<&'a Region>,
}

impl Refiner<'_> {
    /// Moves `point`, which has this `score`, to the best allowed one that it reaches.
    fn refine(&self, point: &mut Point, score: &mut f64, rng: &mut Xoshiro256PlusPlus) {
        for _ in 0..2 {
            self.climb(point, score, STEPS, rng);
            if !self.walk(point, score) {
                break;
            }
        }
    }

    /// By gradient in continuous columns, at most so many `steps`.
    fn climb(&self, point: &mut Point, score: &mut f64, steps: usize, rng: &mut Xoshiro256PlusPlus) {
        let Self { acquisition, codec, known, region } = self;
        let bends = &acquisition.objective.hyper().bends;
        let number = |j: &usize| matches!(codec.columns()[*j], Column::Number { .. });
        let free: Vec<usize> = (0..point.len()).filter(number).filter(|j| codec.active(point, *j)).collect();
        if free.is_empty() {
            return;
        }
        let (climbed, _) = ascend(&bends.at(point), &free, steps, |placed| {
            let x = bends.undo(placed);
            let (score, mut slope) = codec.at_canonical(&x, |x| acquisition.score_with_gradient(x));
            bends.by_place(&x, &mut slope);
            (score, slope)
        });
        // made exact and allowed
        let exact = codec.snap(&bends.undo(&within(*region, climbed)));
        let allowed = if codec.satisfied(&exact) { Some(exact) } else { codec.repair(&exact, rng) };
        if let Some(exact) = allowed.filter(|p| !known.is_taken(p)) {
            let reached = acquisition.scores(std::slice::from_ref(&exact))[0];
            if reached > *score {
                (*point, *score) = (exact, reached);
            }
        }
    }

    /// From neighbour to neighbour in discrete columns; whether there was a better one.
    fn walk(&self, point: &mut Point, score: &mut f64) -> bool {
        let Self { acquisition, codec, known, .. } = self;
        for moves in 0..MOVES {
            let mut neighbours = codec.neighbours(point);
            neighbours.retain(|p| codec.satisfied(p) && !known.is_taken(p));
            let scores = acquisition.scores(&neighbours);
            let best = (0..neighbours.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
            match best.filter(|i| scores[*i] > *score) {
                Some(i) => (*point, *score) = (neighbours.swap_remove(i), scores[i]),
                None => return moves > 0,
            }
        }
        true
    }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).abs().min(1.0)).fold(0.0, f64::max)
}
