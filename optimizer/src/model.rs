//! From what is known to models of it: transformed outputs, fitted hyperparameters, draws for what is pending.

use std::sync::Arc;

use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Serialize;

use crate::acquisition::{Acquisition, Trees};
use crate::align::{Alignment, Baselines};
use crate::design;
use crate::known::{Known, Seen};
use crate::outlook::Models;
use crate::space::{Codec, Column, Point};
use crate::surrogate::bend;
use crate::surrogate::fit::{Screening, default_start, sample, search};
use crate::surrogate::outliers;
use crate::surrogate::part::thinned;
use crate::surrogate::stacking::{decidedly_better, stack};
use crate::surrogate::warp::{Curve, Warp};
use crate::surrogate::{Data, Draws, Forest, Gp, GpError, Hyper, Pairs, Relation, Shape, Weighted};
use crate::term::Term;

/// With more results than this, hyperparameters are searched on a part of them and finished on all.
const SUBSET: usize = 64;
/// Steps of a search, and of one that starts near its end.
const STEPS: u64 = 30;
const FEW_STEPS: u64 = 8;
/// A model is conditioned on no more results than this, the time being cubic in them.
const MOST: usize = 1000;
/// The same of earlier experiments.
const MOST_EARLIER: usize = 300;
/// An earlier experiment that turns out to have less to do with this one is left out: it would explain less than a quarter.
const LEAST_CORRELATION: f64 = 0.5;
/// Pending points of which more are not looked at by the model; it proposes none of them anyway.
const MOST_PENDING: usize = 200;
/// Sets of hyperparameters in an ensemble, and steps between two of them.
const SAMPLES: usize = 10;
const THIN: usize = 5;
/// Best points of which the function's value is drawn, and how often, by all models together.
const BASELINE: usize = 16;
const DRAWS: usize = 16;
/// Rounds in which measurements that are far off lose weight and hyperparameters follow.
const DISCOUNTS: usize = 3;
/// A model that counts for less is left out.
const LEAST_WEIGHT: f64 = 0.05;
/// Results from which on curved transformations of outputs and inputs are tried.
const CURVED_FROM: usize = 8;
/// A transformation is found afresh if results are 100,000 times as probable under it; as a logarithm.
const FAR_MORE: f64 = 11.5;
/// Transformations that hyperparameters follow.
const CURVES: usize = 3;

/// What to maximise over the space, and the transformation of the outputs.
#[derive(Clone, Debug)]
pub struct Model {
    pub acquisition: Acquisition,
    pub warp: Warp,
}

/// The models with their most probable hyperparameters: what improvement they expect together, and the one that counts for most. `None` while
/// nothing was measured.
pub fn model(codec: &Codec, known: &Known, seed: u64) -> Result<Option<Model>, GpError> {
    let columns = codec.columns();
    if known.measured().next().is_none() || columns.is_empty() {
        return Ok(None);
    }
    let observations = Observations::new(known);
    let fitted = Fitted::new(columns, &observations, &known.baselines);
    let Shapes { hypers, trees, .. } = fitted.shapes(columns, seed)?;
    let gps = hypers
        .iter()
        .map(|h| Ok(Weighted { of: fitted.model(columns, &h.of)?, weight: h.weight }))
        .collect::<Result<Vec<Weighted<Gp>>, GpError>>()?;
    let objective =
        gps.iter().reduce(|a, b| if b.weight > a.weight { b } else { a }).expect("a model").of.clone();
    let points = &observations.data.points;
    let mut baseline: Vec<(f64, usize)> = (0..observations.own)
        .filter(|i| observations.feasible[*i])
        .map(|i| (objective.mean_at(&points[i]), i))
        .collect();
    baseline.sort_by(|a, b| a.0.total_cmp(&b.0));
    // the same point again has the same mean
    baseline.dedup_by(|a, b| points[a.1] == points[b.1]);
    baseline.truncate(BASELINE);
    // a result of a cluster is not one of the function that all clusters share, so that is drawn beside it
    let (shared, of_cluster): (Vec<usize>, Vec<usize>) =
        baseline.into_iter().map(|(_, i)| i).partition(|i| objective.of().get(*i).is_none_or(|t| *t == 0));
    let mut extra: Vec<Point> = of_cluster.into_iter().map(|i| points[i].clone()).collect();
    extra.extend(known.pending.iter().take(MOST_PENDING).cloned());
    let each = DRAWS / gps.len();
    let mut improvements = gps
        .iter()
        .map(|gp| {
            let of: Arc<dyn Term> = Arc::new(Draws::new(&gp.of, &shared, &extra, each, seed)?);
            Ok(Weighted { of, weight: gp.weight * (1.0 - trees) })
        })
        .collect::<Result<Vec<_>, GpError>>()?;
    if trees > 0.0 {
        let evaluated: Vec<&Point> =
            (0..observations.own).filter(|i| observations.feasible[*i]).map(|i| &points[i]).collect();
        let forest = Forest::new(columns, &transformed(&fitted.data, &fitted.warp), seed);
        let of: Arc<dyn Term> = Arc::new(Trees::new(forest, &evaluated, &extra));
        improvements.push(Weighted { of, weight: trees });
    }
    let acquisition = Acquisition { objective, improvements, terms: Vec::new() };
    Ok(Some(Model { acquisition, warp: fitted.warp }))
}

/// Models of the objective (transformed, smaller is better) with hyperparameters from their posterior, to be averaged: of each shape as many
/// as its weight asks for.
#[derive(Clone, Debug)]
pub struct Ensemble {
    pub gps: Vec<Gp>,
    pub warp: Warp,
    pub surrogates: Vec<Surrogate>,
}

/// A kind of model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A Gaussian process of a rough function.
    Rough,
    /// One of a smooth function.
    Smooth,
    /// A forest of regression trees.
    Trees,
}

impl Kind {
    /// Its name, for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rough => Shape::Rough.kernel(),
            Self::Smooth => Shape::Smooth.kernel(),
            Self::Trees => "regression trees",
        }
    }
}

impl From<Shape> for Kind {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Rough => Self::Rough,
            Shape::Smooth => Self::Smooth,
        }
    }
}

/// How one kind of model predicts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Surrogate {
    pub kind: Kind,
    /// The mean log density of a result that is predicted from the others, hyperparameters staying as they are.
    pub log_density: f64,
    /// How much it counts by that.
    pub weight: f64,
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
    let fitted = Fitted::new(columns, &Observations::new(known), &known.baselines);
    let Shapes { hypers, surrogates, .. } = fitted.shapes(columns, seed)?;
    let rng = &mut design::generator(seed);
    let mut gps = Vec::with_capacity(SAMPLES);
    for hyper in &hypers {
        let count = (hyper.weight * SAMPLES as f64).round().max(1.0) as usize;
        for sampled in fitted.sample(columns, &hyper.of, count, rng) {
            gps.push(fitted.model(columns, &sampled)?);
        }
    }
    Ok(Some(Ensemble { gps, warp: fitted.warp, surrogates }))
}

/// Every value with its point, and whether it worked; those of earlier experiments after those of this one. A point that was
/// measured more than once is there as often: how far its values lie apart tells the noise.
#[derive(Default)]
struct Observations {
    /// Values as they were measured.
    data: Data,
    places: Vec<usize>,
    feasible: Vec<bool>,
    /// How many are of this experiment.
    own: usize,
}

impl Observations {
    fn new(known: &Known) -> Self {
        let mut all =
            Self { data: Data { relations: known.relations.clone(), ..Data::default() }, ..Self::default() };
        all.take(&known.seen, MOST, known);
        all.own = all.places.len();
        all.take(&known.earlier, MOST_EARLIER.min(MOST - all.own), known);
        if known.relations.is_empty() {
            all.data.of.clear();
        }
        all
    }

    /// At most `most` of `seen`.
    fn take(&mut self, seen: &[Seen], most: usize, known: &Known) {
        let valued: Vec<(f64, &Seen)> = seen.iter().filter_map(|s| Some((s.value?, s))).collect();
        let aligned: Vec<f64> = valued
            .iter()
            .map(|(value, s)| known.baselines.aligned(Alignment::Difference, s.place, *value))
            .collect();
        for i in thinned(&aligned, most) {
            let (value, seen) = valued[i];
            self.data.points.push(seen.point.clone());
            self.data.values.push(value);
            self.data.repeats.push(seen.repeats);
            self.data.of.push(known.places[seen.place].task);
            self.places.push(seen.place);
            self.feasible.push(seen.feasible);
        }
    }

    /// Those with the indices `kept`, among which are all of this experiment.
    fn select(&self, kept: &[usize]) -> Self {
        Self {
            data: self.data.select(kept),
            places: kept.iter().map(|i| self.places[*i]).collect(),
            feasible: kept.iter().map(|i| self.feasible[*i]).collect(),
            own: self.own,
        }
    }

    /// With values in the terms of one place.
    fn aligned(&self, baselines: &Baselines, alignment: Alignment) -> Data {
        let values = self.data.values.iter().zip(&self.places);
        let values = values.map(|(value, place)| baselines.aligned(alignment, *place, *value)).collect();
        Data { values, ..self.data.clone() }
    }
}

fn transformed(data: &Data, warp: &Warp) -> Data {
    Data { values: data.values.iter().map(|y| warp.apply(*y)).collect(), ..data.clone() }
}

/// The alignment of places and the transformation of the outputs that make them most probable under a rough function, and the
/// hyperparameters of one with them.
struct Fitted {
    warp: Warp,
    hyper: Hyper,
    /// Everything, aligned.
    data: Data,
    /// Those on which hyperparameters are searched, and where they are among all.
    part: Data,
    kept: Vec<usize>,
    pairs: Pairs,
}

impl Fitted {
    fn new(columns: &[Column], observations: &Observations, baselines: &Baselines) -> Self {
        let starts = starts(Shape::Rough, columns, &observations.data.relations);
        let alignments = baselines.alignments();
        let candidates = alignments.iter().map(|alignment| {
            let data = observations.aligned(baselines, *alignment);
            let kept = subset(&data.values, observations.own);
            let part = data.select(&kept);
            let pairs = Pairs::new(columns, &part.points);
            let warp = Warp::new(&data.values, None);
            let (hyper, density) = search(columns, &pairs, &transformed(&part, &warp), &starts, STEPS);
            // densities of values as they were measured, so that alignments can be compared
            let slopes: f64 =
                kept.iter().map(|i| baselines.log_slope(*alignment, observations.places[*i])).sum();
            let level = slopes - kept.len() as f64 * warp.log_spread();
            let density = density + warp.log_jacobian(&part.values);
            (density + level, density, Self { warp, hyper, data, part, kept, pairs })
        });
        let (_, density, mut best) =
            candidates.reduce(|a, b| if b.0 > a.0 { b } else { a }).expect("there is at least one alignment");
        // its own results would still decide on length scales and on the transformation
        let apart = |t: usize| {
            t.checked_sub(1).is_some_and(|t| {
                best.data.relations[t] == Relation::Earlier
                    && best.hyper.tasks[t].correlation() < LEAST_CORRELATION
            })
        };
        if best.data.of.iter().any(|t| apart(*t)) {
            let kept: Vec<usize> =
                (0..observations.places.len()).filter(|i| !apart(best.data.of[*i])).collect();
            return Self::new(columns, &observations.select(&kept), baselines);
        }
        if best.part.points.len() >= CURVED_FROM {
            let density = best.curve(columns, density);
            best.curve_afresh(columns, &starts, density);
        }
        let part = transformed(&best.part, &best.warp);
        let fitted = search(columns, &best.pairs, &part, &[best.hyper], FEW_STEPS);
        let (hyper, pairs) = match part.points.len() >= CURVED_FROM {
            true => bend::fit(columns, best.pairs, &part, fitted, FEW_STEPS),
            false => (fitted.0, best.pairs),
        };
        let mut best = Self { hyper, pairs, ..best };
        best.discount(columns);
        best
    }

    /// Lets measurements that are far off tell less; where there are none, nothing changes.
    fn discount(&mut self, columns: &[Column]) {
        let repeats = self.data.repeats.clone();
        let outputs = transformed(&self.data, &self.warp).values;
        for _ in 0..DISCOUNTS {
            let part = transformed(&self.part, &self.warp);
            let Ok(gp) = Gp::new(columns, &self.hyper, &part) else { return };
            let posterior = gp.predict_all(&self.data.points);
            let noise: Vec<f64> = repeats.iter().map(|m| self.hyper.log_noise.exp() / m).collect();
            let Some(weights) = outliers::weights(&posterior, &outputs, &noise) else { return };
            for (i, (m, weight)) in repeats.iter().zip(weights).enumerate() {
                // what is known here is the function, not what a cluster of its own makes of it
                if self.data.of.get(i).is_none_or(|task| *task == 0) {
                    self.data.repeats[i] = m * weight;
                }
            }
            self.part = self.data.select(&self.kept);
            let part = transformed(&self.part, &self.warp);
            (self.hyper, _) =
                search(columns, &self.pairs, &part, std::slice::from_ref(&self.hyper), FEW_STEPS);
        }
    }

    /// The transformation that makes the values most probable, `density` being that of the straight line: the one that does with the hyperparameters
    /// as they are, then those that follow it, and so on while that helps. The density in the end.
    fn curve(&mut self, columns: &[Column], mut density: f64) -> f64 {
        for _ in 0..CURVES {
            let screening = Screening::new(columns, &self.pairs, &self.part, &self.hyper);
            let (_, warp) = likeliest(&screening, &self.data, &self.part);
            if warp == self.warp {
                break;
            }
            let part = transformed(&self.part, &warp);
            let start = std::slice::from_ref(&self.hyper);
            let (hyper, found) = search(columns, &self.pairs, &part, start, FEW_STEPS);
            let total = found + warp.log_jacobian(&self.part.values);
            if total <= density {
                break;
            }
            (density, self.warp, self.hyper) = (total, warp, hyper);
        }
        density
    }

    /// Another transformation with hyperparameters of its own, where results are far more probable under it than the `density` that was reached:
    /// hyperparameters that were made for a straight line can make that the most probable one of values that span powers of ten.
    fn curve_afresh(&mut self, columns: &[Column], starts: &[Hyper], density: f64) {
        for start in starts {
            let screening = Screening::new(columns, &self.pairs, &self.part, start);
            let (likely, warp) = likeliest(&screening, &self.data, &self.part);
            if likely <= seen_through(&screening, &self.part, &self.warp) + FAR_MORE {
                continue;
            }
            let part = transformed(&self.part, &warp);
            let (hyper, found) = search(columns, &self.pairs, &part, std::slice::from_ref(start), STEPS);
            if found + warp.log_jacobian(&self.part.values) > density + FAR_MORE {
                (self.warp, self.hyper) = (warp, hyper);
                return;
            }
        }
    }

    fn model(&self, columns: &[Column], hyper: &Hyper) -> Result<Gp, GpError> {
        Gp::new(columns, hyper, &transformed(&self.data, &self.warp))
    }

    /// The most probable hyperparameters of each shape that counts, weighted by how well left-out results are predicted under them.
    fn shapes(&self, columns: &[Column], seed: u64) -> Result<Shapes, GpError> {
        let part = transformed(&self.part, &self.warp);
        let starts = starts(Shape::Smooth, columns, &part.relations)
            .map(|start| Hyper { bends: self.hyper.bends.clone(), ..start });
        let (smooth, _) = search(columns, &self.pairs, &part, &starts, STEPS);
        let hypers = [self.hyper.clone(), smooth];
        let mut kinds: Vec<Kind> = hypers.iter().map(|hyper| hyper.shape.into()).collect();
        let mut densities = hypers
            .iter()
            .map(|hyper| Ok(Gp::new(columns, hyper, &part)?.left_out_log_densities()))
            .collect::<Result<Vec<Vec<f64>>, GpError>>()?;
        let mut weights = stack(&densities);
        // trees know of one function only
        if part.relations.is_empty() {
            let forest = Forest::new(columns, &part, seed).left_out_log_densities().to_vec();
            let better = decidedly_better(&forest, &densities, &weights);
            kinds.push(Kind::Trees);
            densities.push(forest);
            match better {
                true => weights = stack(&densities),
                false => weights.push(0.0),
            }
        }
        let surrogates = kinds.into_iter().zip(&densities).zip(&weights).map(|((kind, each), weight)| {
            Surrogate { kind, log_density: each.iter().sum::<f64>() / each.len() as f64, weight: *weight }
        });
        let surrogates = surrogates.collect();
        let trees = weights.get(hypers.len()).copied().unwrap_or(0.0);
        let counts: Vec<(Hyper, f64)> = hypers
            .into_iter()
            .zip(weights)
            .filter(|(_, weight)| *weight >= LEAST_WEIGHT * (1.0 - trees))
            .collect();
        let all: f64 = counts.iter().map(|(_, weight)| weight).sum();
        let hypers = counts.into_iter().map(|(of, weight)| Weighted { of, weight: weight / all }).collect();
        Ok(Shapes { hypers, trees, surrogates })
    }

    /// `count` sets of hyperparameters from the posterior of those of `start`'s shape.
    fn sample(
        &self,
        columns: &[Column],
        start: &Hyper,
        count: usize,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Vec<Hyper> {
        let data = transformed(&self.part, &self.warp);
        sample(columns, &self.pairs, &data, start, (count, THIN), rng)
    }
}

/// The transformation, made for `data`, that makes its `part` most probable, and how probable.
fn likeliest(screening: &Screening<'_>, data: &Data, part: &Data) -> (f64, Warp) {
    let curves = Curve::ALL.into_iter().flatten().copied().map(Some);
    std::iter::once(None)
        .chain(curves)
        .map(|curve| {
            let warp = Warp::new(&data.values, curve);
            (seen_through(screening, part, &warp), warp)
        })
        .reduce(|a, b| if b.0 > a.0 { b } else { a })
        .expect("the straight line is there")
}

/// How probable the values of `part` are if they are transformed by `warp`; as a logarithm.
fn seen_through(screening: &Screening<'_>, part: &Data, warp: &Warp) -> f64 {
    screening.seen_as(&transformed(part, warp).values) + warp.log_jacobian(&part.values)
}

/// Shapes of the function, compared.
struct Shapes {
    /// Of the Gaussian processes that count, weighted among each other.
    hypers: Vec<Weighted<Hyper>>,
    /// How much a forest counts beside them.
    trees: f64,
    /// All.
    surrogates: Vec<Surrogate>,
}

/// Little noise and short scales, or much noise and long ones: often both are a mode.
fn starts(shape: Shape, columns: &[Column], relations: &[Relation]) -> [Hyper; 2] {
    let mode = default_start(shape, columns, relations);
    let longer = match shape {
        Shape::Rough => 1.0,
        Shape::Smooth => 0.0,
    };
    [
        Hyper { log_noise: -5.0, ..mode.clone() },
        Hyper { log_noise: -1.5, log_lengths: mode.log_lengths.iter().map(|l| l + longer).collect(), ..mode },
    ]
}

/// Results on which hyperparameters are searched: as many of earlier experiments as of this one.
fn subset(values: &[f64], own: usize) -> Vec<usize> {
    let mut kept = thinned(&values[..own], SUBSET);
    kept.extend(thinned(&values[own..], SUBSET).into_iter().map(|i| own + i));
    kept
}
