//! From what is known to models of it: transformed outputs, fitted hyperparameters, draws for what is pending.

use rand_xoshiro::Xoshiro256PlusPlus;

use crate::acquisition::Acquisition;
use crate::design;
use crate::known::Known;
use crate::outlook::Models;
use crate::space::{Codec, Column};
use crate::surrogate::fit::{default_start, sample, search};
use crate::surrogate::warp::{CURVATURES, Warp};
use crate::surrogate::{Data, Draws, Gp, GpError, Hyper, Pairs};

/// With more results than this, hyperparameters are searched on a part of them and finished on all.
const SUBSET: usize = 70;
/// Steps of a search, and of one that starts near its end.
const STEPS: u64 = 30;
const FEW_STEPS: u64 = 8;
/// A model is conditioned on no more results than this, the time being cubic in them.
const MOST: usize = 1000;
/// Pending points of which more are not looked at by the model; it proposes none of them anyway.
const MOST_PENDING: usize = 200;
/// Sets of hyperparameters in an ensemble, and steps between two of them.
const SAMPLES: usize = 10;
const THIN: usize = 5;
/// Best points of which the function's value is drawn, and how often.
const BASELINE: usize = 16;
const DRAWS: usize = 16;
/// Results from which on curved transformations are tried.
const CURVED_FROM: usize = 8;

/// What to maximise over the space, and the transformation of the outputs.
#[derive(Clone, Debug)]
pub struct Model {
    pub acquisition: Acquisition,
    pub warp: Warp,
}

/// The model with its most probable hyperparameters; `None` while nothing was measured.
pub fn model(codec: &Codec, known: &Known, seed: u64) -> Result<Option<Model>, GpError> {
    let columns = codec.columns();
    if known.measured().next().is_none() || columns.is_empty() {
        return Ok(None);
    }
    let (data, feasible) = observations(known);
    let fitted = Fitted::new(columns, &data);
    let objective = fitted.model(columns, &data)?;
    let mut baseline: Vec<(f64, usize)> = (0..feasible.len())
        .filter(|i| feasible[*i])
        .map(|i| (objective.mean_at(&data.points[i]), i))
        .collect();
    baseline.sort_by(|a, b| a.0.total_cmp(&b.0));
    // the same point again has the same mean
    baseline.dedup_by(|a, b| data.points[a.1] == data.points[b.1]);
    baseline.truncate(BASELINE);
    let baseline: Vec<usize> = baseline.into_iter().map(|(_, i)| i).collect();
    let pending = &known.pending[..known.pending.len().min(MOST_PENDING)];
    let draws = Draws::new(&objective, &baseline, pending, DRAWS, seed)?;
    let acquisition = Acquisition { objective, draws, feasibility: feasibility(columns, known)? };
    Ok(Some(Model { acquisition, warp: fitted.warp }))
}

/// Models of the objective (transformed, smaller is better) with hyperparameters from their posterior, to be averaged.
#[derive(Clone, Debug)]
pub struct Ensemble {
    pub gps: Vec<Gp>,
    pub warp: Warp,
}

impl Ensemble {
    /// Both, to be looked at.
    pub fn models(&self) -> Models<'_> {
        Models { warp: &self.warp, gps: &self.gps }
    }
}

/// The ensemble; `None` while nothing was measured. For a statement about points already known this costs little and sees
/// through more noise than the most probable model alone.
pub fn ensemble(codec: &Codec, known: &Known, seed: u64) -> Result<Option<Ensemble>, GpError> {
    let columns = codec.columns();
    if known.measured().next().is_none() || columns.is_empty() {
        return Ok(None);
    }
    let (data, _) = observations(known);
    let fitted = Fitted::new(columns, &data);
    let gps = fitted
        .sample(columns, &mut design::generator(seed))
        .into_iter()
        .map(|hyper| Gp::new(columns, &hyper, &transformed(&data, &fitted.warp)))
        .collect::<Result<Vec<Gp>, GpError>>()?;
    Ok(Some(Ensemble { gps, warp: fitted.warp }))
}

/// Every value with its point, and whether it worked. A point that was measured more than once is there as often: how far
/// its values lie apart tells the noise.
fn observations(known: &Known) -> (Data, Vec<bool>) {
    let mut data = Data::default();
    let mut feasible = Vec::new();
    for seen in &known.seen {
        if let Some(value) = seen.value {
            data.points.push(seen.point.clone());
            data.values.push(value);
            data.repeats.push(seen.repeats);
            feasible.push(seen.feasible);
        }
    }
    let kept = spread(&data.values, MOST);
    (select(&data, &kept), kept.iter().map(|i| feasible[*i]).collect())
}

fn transformed(data: &Data, warp: &Warp) -> Data {
    Data { values: data.values.iter().map(|y| warp.apply(*y)).collect(), ..data.clone() }
}

/// The transformation of the outputs that makes them most probable, and the hyperparameters with it.
struct Fitted {
    warp: Warp,
    hyper: Hyper,
    part: Data,
    pairs: Pairs,
}

impl Fitted {
    fn new(columns: &[Column], data: &Data) -> Self {
        let part = select(data, &spread(&data.values, SUBSET));
        let pairs = Pairs::new(columns, &part.points);
        let mode = default_start(columns.len());
        // little noise and short scales, or much noise and long ones: often both are a mode
        let starts = [
            Hyper { log_noise: -5.0, ..mode.clone() },
            Hyper {
                log_noise: -1.5,
                log_lengths: mode.log_lengths.iter().map(|l| l + 1.0).collect(),
                ..mode
            },
        ];
        let warp = Warp::new(&data.values, None);
        let (mut hyper, density) = search(columns, &pairs, &transformed(&part, &warp), &starts, STEPS);
        let mut best = (density + warp.log_jacobian(&part.values), warp, hyper.clone());
        if part.points.len() >= CURVED_FROM {
            for log_delta in CURVATURES {
                let warp = Warp::new(&data.values, Some(log_delta));
                let density;
                (hyper, density) = search(columns, &pairs, &transformed(&part, &warp), &[hyper], FEW_STEPS);
                let total = density + warp.log_jacobian(&part.values);
                if total > best.0 {
                    best = (total, warp, hyper.clone());
                }
            }
        }
        let (_, warp, hyper) = best;
        let (hyper, _) = search(columns, &pairs, &transformed(&part, &warp), &[hyper], FEW_STEPS);
        Self { warp, hyper, part, pairs }
    }

    fn model(&self, columns: &[Column], data: &Data) -> Result<Gp, GpError> {
        Gp::new(columns, &self.hyper, &transformed(data, &self.warp))
    }

    fn sample(&self, columns: &[Column], rng: &mut Xoshiro256PlusPlus) -> Vec<Hyper> {
        let data = transformed(&self.part, &self.warp);
        sample(columns, &self.pairs, &data, &self.hyper, (SAMPLES, THIN), rng)
    }
}

/// At most `most` indices of `values`: all, or the better half of `most` by value and of the rest every k-th.
fn spread(values: &[f64], most: usize) -> Vec<usize> {
    let n = values.len();
    if n <= most {
        return (0..n).collect();
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]).then(a.cmp(b)));
    let half = most / 2;
    let rest = n - half;
    let mut chosen: Vec<usize> = order[..half].to_vec();
    chosen.extend((0..half).map(|i| order[half + i * rest / half]));
    chosen
}

fn select(data: &Data, indices: &[usize]) -> Data {
    Data {
        points: indices.iter().map(|i| data.points[*i].clone()).collect(),
        values: indices.iter().map(|i| data.values[*i]).collect(),
        repeats: indices.iter().map(|i| data.repeats[*i]).collect(),
    }
}

/// A regression on labels: +1 where it worked, −1 where it did not; `None` while everything worked.
fn feasibility(columns: &[Column], known: &Known) -> Result<Option<Gp>, GpError> {
    if known.seen.iter().all(|s| s.feasible) {
        return Ok(None);
    }
    let data = Data {
        points: known.seen.iter().map(|s| s.point.clone()).collect(),
        values: known.seen.iter().map(|s| if s.feasible { 1.0 } else { -1.0 }).collect(),
        repeats: vec![1.0; known.seen.len()],
    };
    let start = Hyper { log_noise: -1.5, ..default_start(columns.len()) };
    let data = select(&data, &spread(&data.values, MOST));
    let part = select(&data, &spread(&data.values, SUBSET));
    let (hyper, _) = search(columns, &Pairs::new(columns, &part.points), &part, &[start], FEW_STEPS);
    Gp::new(columns, &hyper, &data).map(Some)
}
