//! Where the acquisition is largest.

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::acquisition::Acquisition;
use crate::ascent::ascend;
use crate::design;
use crate::known::Known;
use crate::space::{Codec, Column, Point};

/// Points that are refined.
const STARTS: usize = 8;
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
/// spread over the space and half around the best evaluated points, of which the best are refined by gradient in
/// continuous columns and by neighbours in discrete ones. `None` if every candidate is taken.
pub fn propose(
    acquisition: &Acquisition,
    codec: &Codec,
    known: &Known,
    candidates: usize,
    seed: u64,
    rng: &mut Xoshiro256PlusPlus,
) -> Option<Proposal> {
    let pool = pool(acquisition, codec, known, candidates, seed, rng);
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
    let mut best: Option<(f64, Point)> = None;
    for i in starts {
        let (point, score) = refine(acquisition, codec, known, pool[i].clone(), scores[i], rng);
        promising.push(point.clone());
        if best.as_ref().is_none_or(|(s, _)| score > *s) {
            best = Some((score, point));
        }
    }
    best.map(|(_, point)| Proposal { point, promising })
}

/// Candidates that may be proposed.
fn pool(
    acquisition: &Acquisition,
    codec: &Codec,
    known: &Known,
    candidates: usize,
    seed: u64,
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
            codec.sample(&bends.undo(&design::sobol((i / 2) as u32, dimensions, seed)))
        } else {
            let centre = centres[rng.random_range(0..centres.len())].1;
            codec.snap(&bends.undo(&perturb(&bends.at(centre), codec.columns(), rng)))
        };
        let allowed = if codec.satisfied(&drawn) { Some(drawn) } else { codec.repair(&drawn, rng) };
        pool.extend(allowed.filter(|point| !known.is_taken(point)));
    }
    pool
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

/// The best allowed point reached from `point`.
fn refine(
    acquisition: &Acquisition,
    codec: &Codec,
    known: &Known,
    mut point: Point,
    mut score: f64,
    rng: &mut Xoshiro256PlusPlus,
) -> (Point, f64) {
    let bends = &acquisition.objective.hyper().bends;
    for round in 0..2 {
        let free: Vec<usize> = (0..point.len())
            .filter(|j| matches!(codec.columns()[*j], Column::Number { .. }) && codec.active(&point, *j))
            .collect();
        if !free.is_empty() {
            let (climbed, _) = ascend(&bends.at(&point), &free, STEPS, |placed| {
                let x = bends.undo(placed);
                let (score, mut slope) = codec.at_canonical(&x, |x| acquisition.score_with_gradient(x));
                bends.by_place(&x, &mut slope);
                (score, slope)
            });
            accept(acquisition, codec, known, &bends.undo(&climbed), &mut point, &mut score, rng);
        }
        let mut moved = false;
        for _ in 0..MOVES {
            let neighbours: Vec<Point> = codec
                .neighbours(&point)
                .into_iter()
                .filter(|p| codec.satisfied(p) && !known.is_taken(p))
                .collect();
            let scores = acquisition.scores(&neighbours);
            let best = (0..neighbours.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
            match best.filter(|i| scores[*i] > score) {
                Some(i) => {
                    (point, score) = (neighbours[i].clone(), scores[i]);
                    moved = true;
                }
                None => break,
            }
        }
        if !moved || round == 1 {
            break;
        }
    }
    (point, score)
}

/// Takes `climbed`, made exact and allowed, if that is better than `point`.
fn accept(
    acquisition: &Acquisition,
    codec: &Codec,
    known: &Known,
    climbed: &[f64],
    point: &mut Point,
    score: &mut f64,
    rng: &mut Xoshiro256PlusPlus,
) {
    let exact = codec.snap(climbed);
    let allowed = if codec.satisfied(&exact) { Some(exact) } else { codec.repair(&exact, rng) };
    if let Some(exact) = allowed.filter(|p| !known.is_taken(p)) {
        let s = acquisition.scores(std::slice::from_ref(&exact))[0];
        if s > *score {
            (*point, *score) = (exact, s);
        }
    }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).abs().min(1.0)).fold(0.0, f64::max)
}
