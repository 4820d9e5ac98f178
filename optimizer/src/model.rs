//! From what is known to an acquisition: transformed outputs, fitted models, fantasies for what is pending.

use crate::acquisition::Acquisition;
use crate::known::Known;
use crate::space::{Codec, Column};
use crate::surrogate::fit::default_start;
use crate::surrogate::warp::{CURVATURES, Warp};
use crate::surrogate::{Data, Gp, GpError, Hyper, fit};

/// With more results than this, hyperparameters are searched on a part of them and finished on all.
const SUBSET: usize = 120;
/// Steps of a search, and of one that starts near its end.
const STEPS: u64 = 30;
const FEW_STEPS: u64 = 8;
/// Results from which on curved transformations are tried.
const CURVED_FROM: usize = 8;

/// The model of what is known; `None` while nothing was measured.
pub fn build(codec: &Codec, known: &Known) -> Result<Option<Acquisition>, GpError> {
    let columns = codec.columns();
    let observed: Vec<_> = known.seen.iter().filter(|s| s.value.is_some()).collect();
    if known.measured().next().is_none() || columns.is_empty() {
        return Ok(None);
    }
    let values: Vec<f64> = observed.iter().filter_map(|s| s.value).collect();
    let points: Vec<_> = observed.iter().map(|s| s.point.clone()).collect();
    let repeats: Vec<f64> = observed.iter().map(|s| s.repeats).collect();
    let mut objective = fit_warped(columns, &Data { points, values, repeats })?;
    let incumbent = observed
        .iter()
        .filter(|s| s.feasible)
        .map(|s| objective.mean_at(&s.point))
        .fold(f64::INFINITY, f64::min);
    let mut feasibility = feasibility(columns, known)?;
    if !known.pending.is_empty() {
        objective = believe(columns, objective, known)?;
        feasibility = feasibility.map(|gp| believe(columns, gp, known)).transpose()?;
    }
    Ok(Some(Acquisition { objective, incumbent, feasibility }))
}

/// The model under the transformation of the outputs that makes them most probable.
fn fit_warped(columns: &[Column], data: &Data) -> Result<Gp, GpError> {
    let part = subset(data);
    let transformed = |data: &Data, warp: &Warp| Data {
        values: data.values.iter().map(|y| warp.apply(*y)).collect(),
        ..data.clone()
    };
    let mode = default_start(columns.len());
    let starts = [
        mode.clone(),
        Hyper { log_noise: -1.5, log_lengths: mode.log_lengths.iter().map(|l| l + 1.0).collect(), ..mode },
    ];
    let warp = Warp::new(&data.values, None);
    let (gp, density) = fit(columns, &transformed(&part, &warp), &starts, STEPS)?;
    let mut start = gp.hyper().clone();
    let mut best = (density + warp.log_jacobian(&part.values), warp, start.clone());
    if part.points.len() >= CURVED_FROM {
        for log_delta in CURVATURES {
            let warp = Warp::new(&data.values, Some(log_delta));
            let (gp, density) =
                fit(columns, &transformed(&part, &warp), std::slice::from_ref(&start), FEW_STEPS)?;
            start = gp.hyper().clone();
            let total = density + warp.log_jacobian(&part.values);
            if total > best.0 {
                best = (total, warp, start.clone());
            }
        }
    }
    let (_, warp, hyper) = best;
    Ok(fit(columns, &transformed(data, &warp), &[hyper], FEW_STEPS)?.0)
}

/// At most [`SUBSET`] of the data: the better half by value, and of the rest every k-th.
fn subset(data: &Data) -> Data {
    let n = data.points.len();
    if n <= SUBSET {
        return data.clone();
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| data.values[*a].total_cmp(&data.values[*b]).then(a.cmp(b)));
    let half = SUBSET / 2;
    let rest = n - half;
    let mut chosen: Vec<usize> = order[..half].to_vec();
    chosen.extend((0..half).map(|i| order[half + i * rest / half]));
    Data {
        points: chosen.iter().map(|i| data.points[*i].clone()).collect(),
        values: chosen.iter().map(|i| data.values[*i]).collect(),
        repeats: chosen.iter().map(|i| data.repeats[*i]).collect(),
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
    let (gp, _) = fit(columns, &subset(&data), &[start], FEW_STEPS)?;
    Gp::new(columns, gp.hyper(), &data).map(Some)
}

/// The model once every pending point has given what is expected of it ("kriging believer", Ginsbourger et al. 2010): the
/// mean stays, the variance near them goes, and with it the reason to go there again.
fn believe(columns: &[Column], gp: Gp, known: &Known) -> Result<Gp, GpError> {
    let mut data = gp.data();
    for point in &known.pending {
        data.values.push(gp.mean_at(point));
        data.points.push(point.clone());
        data.repeats.push(1.0);
    }
    Gp::new(columns, gp.hyper(), &data)
}
