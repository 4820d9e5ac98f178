//! What a model makes of the results: which parameters it recommends, and what is left to gain.

use std::collections::HashMap;

use autoopt_epoch::message::{Goal, Outlook, Recommended};
use faer::Mat;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::design;
use crate::known::{Known, Seen};
use crate::space::{Codec, Column, Point};
use crate::surrogate::warp::Warp;
use crate::surrogate::{Finer, Gp, Paths, joint_draws};

/// Draws in all.
const DRAWS: usize = 60;
/// Evaluated points, the best ones, that may be recommended and that the recommendation is compared with.
const RIVALS: usize = 16;
/// Means that differ by less than this part of their difference's standard deviation are equal for all that is known.
const TIE: f64 = 0.1;
/// The same in standard deviations of the results, where the model is sure.
const TIE_AT_LEAST: f64 = 1e-6;
/// Of two points that are equal the one with the better surroundings is recommended: within this part of each range.
const SURROUNDINGS: f64 = 0.05;
const LOOKS: u32 = 32;
/// Standard normal numbers are within ± this with a probability of 90 %.
pub(crate) const NINETY: f64 = 1.644_853_626_951_472_7;

/// Models to be averaged, and the transformation of the outputs that they share.
#[derive(Clone, Copy, Debug)]
pub struct Models<'a> {
    pub warp: &'a Warp,
    /// At least one.
    pub gps: &'a [Gp],
}

impl Models<'_> {
    /// The mean of the transformed objective.
    pub fn mean_at(&self, x: &[f64]) -> f64 {
        self.gps.iter().map(|gp| gp.mean_at(x)).sum::<f64>() / self.gps.len() as f64
    }

    /// Standard deviation of one measurement at `x`, in the objective's unit.
    pub fn noise_at(&self, x: &[f64]) -> f64 {
        let each = self.gps.iter().map(|gp| {
            let (mean, noise) = (gp.mean_at(x), (0.5 * gp.hyper().log_noise).exp());
            0.5 * (self.warp.invert(mean + noise) - self.warp.invert(mean - noise))
        });
        each.sum::<f64>() / self.gps.len() as f64
    }

    /// Functions from all models, equally many from each; see [`Self::values`].
    pub fn paths(&self, columns: &[Column], draws: usize, rng: &mut Xoshiro256PlusPlus) -> Vec<Paths> {
        let each = draws.div_ceil(self.gps.len());
        self.gps.iter().map(|gp| Paths::new(gp, columns, each, rng)).collect()
    }

    /// The objective in the sense "smaller is better", by function (columns) and point (rows).
    pub fn values(&self, paths: &[Paths], points: &[Point]) -> Mat<f64> {
        let count: usize = paths.iter().map(Paths::count).sum();
        let mut all = Mat::<f64>::zeros(points.len(), count);
        let mut next = 0;
        for some in paths.iter().map(|p| p.at(points)) {
            for s in 0..some.ncols() {
                let column = all.col_as_slice_mut(next);
                column.iter_mut().zip(some.col_as_slice(s)).for_each(|(v, z)| *v = self.warp.invert(*z));
                next += 1;
            }
        }
        all
    }
}

/// What is recommended, and its closest rivals.
#[derive(Clone, Debug)]
pub struct Choice<'a> {
    pub recommended: &'a Seen,
    /// The best evaluated points by the model, each once; the recommended one among them.
    pub rivals: Vec<&'a Seen>,
    /// Whether another point would be if all that the models leave unexplained were noise than if it were real, and which of the two it is the
    /// results do not tell.
    pub in_doubt: bool,
}

/// The evaluated point with the best expected value. Of those that the model cannot tell from it, as on a plateau, the one whose
/// surroundings are best, which is in the middle of it and not at an edge. `None` while nothing was measured.
pub fn choose<'a>(models: Models<'_>, codec: &Codec, known: &'a Known) -> Option<Choice<'a>> {
    let finer: Vec<Finer> = models.gps.iter().map(|gp| Finer::new(codec.columns(), gp)).collect();
    let expected = expected(models, &finer);
    let mut ranked: Vec<(f64, &Seen)> =
        known.measured().filter(|s| s.allowed).map(|s| (expected(&s.point), s)).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    // the same point again is expected to be the same
    ranked.dedup_by(|a, b| a.1.point == b.1.point);
    ranked.truncate(RIVALS);
    let rivals: Vec<&Seen> = ranked.iter().map(|(_, s)| *s).collect();
    let points: Vec<Point> = rivals.iter().map(|s| s.point.clone()).collect();
    let (_, covariance) = models.gps[0].joint(&points);
    let equal = |i: usize| {
        let apart = covariance[(0, 0)] + covariance[(i, i)] - 2.0 * covariance[(i, 0)];
        ranked[i].0 - ranked[0].0 <= (TIE * apart.max(0.0).sqrt()).max(TIE_AT_LEAST)
    };
    let tied: Vec<usize> = (0..rivals.len()).filter(|i| equal(*i)).collect();
    let best = match tied.as_slice() {
        [only] => *only,
        _ => {
            let around: Vec<(f64, usize)> =
                tied.into_iter().map(|i| (surroundings(models, codec, &points[i]), i)).collect();
            around.into_iter().min_by(|a, b| a.0.total_cmp(&b.0))?.1
        }
    };
    let depends = finer[0].best().is_some_and(|[if_noise, if_real]| if_noise != if_real);
    Some(Choice { recommended: rivals[best], rivals, in_doubt: depends && !finer[0].is_settled() })
}

/// What the transformed objective is expected to be at evaluated points: the mean, and of what the models leave unexplained there the part that is
/// [real](Finer).
fn expected<'a>(models: Models<'a>, finer: &[Finer]) -> impl Fn(&[f64]) -> f64 + 'a {
    let rows: HashMap<Vec<u64>, usize> =
        finer[0].points().iter().enumerate().map(|(row, p)| (bits(p), row)).collect();
    let by_model: Vec<Vec<f64>> = finer.iter().map(Finer::expected).collect();
    move |point| match rows.get(&bits(point)) {
        Some(row) => by_model.iter().map(|of| of[*row]).sum::<f64>() / by_model.len() as f64,
        None => models.mean_at(point),
    }
}

fn bits(point: &[f64]) -> Vec<u64> {
    point.iter().map(|x| x.to_bits()).collect()
}

/// The mean of the model around a point; outside the space counts as at its border.
fn surroundings(models: Models<'_>, codec: &Codec, centre: &[f64]) -> f64 {
    let sum: f64 = (0..LOOKS).map(|i| models.mean_at(&design::around(codec, centre, SURROUNDINGS, i))).sum();
    sum / f64::from(LOOKS)
}

/// What `models`, which made this `choice`, make of the results. `promising` are points where the objective may be better than at any evaluated one.
///
/// What is left to gain is the expected difference between the recommendation and the best of all these points (the expected
/// simple regret; for stopping by it see Ishibashi, Karasuyama, Takeuchi, Hino 2023), over the functions that are still
/// possible.
pub fn outlook(
    models: Models<'_>,
    choice: &Choice<'_>,
    known: &Known,
    goal: Goal,
    promising: &[Point],
    seed: u64,
) -> Option<Outlook> {
    let Choice { recommended, rivals, .. } = choice;
    let mut points = vec![recommended.point.clone()];
    points.extend(rivals.iter().map(|s| s.point.clone()).filter(|p| *p != recommended.point));
    let evaluated = points.len();
    points.extend_from_slice(promising);
    let mut rng = design::generator(seed);
    let mut normals = |_| points.iter().map(|_| design::normal(&mut rng)).collect();
    let each = DRAWS.div_ceil(models.gps.len());
    let (mut wins, mut gain) = (0.0, 0.0);
    for gp in models.gps {
        let drawn = joint_draws(gp, &points, each, 0.0, &mut normals).ok()?;
        for column in (0..each).map(|s| drawn.col_as_slice(s)) {
            // transformed values are in the order of the objective
            let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
            wins += if column[0] <= least(&column[..evaluated]) { 1.0 } else { 0.0 };
            gain += models.warp.invert(column[0]) - models.warp.invert(least(column));
        }
    }
    let draws = (each * models.gps.len()) as f64;
    let (mean, deviation) = moments(models, &recommended.point);
    let value = |z: f64| -goal.sign() * models.warp.invert(z);
    let (best, worst) = (value(mean - NINETY * deviation), value(mean + NINETY * deviation));
    let objective = value(mean);
    let gain_left = gain / draws / objective.abs();
    let outlook = Outlook {
        results: known.seen.len().try_into().unwrap_or(u32::MAX),
        recommended: Recommended {
            trial: recommended.trial,
            number: recommended.number,
            parameters: recommended.parameters.clone(),
            objective,
            low: best.min(worst),
            high: best.max(worst),
            probability_best: wins / draws,
        },
        gain_left: Some(gain_left).filter(|gain| gain.is_finite()),
    };
    let Recommended { objective, low, high, .. } = outlook.recommended;
    // values near the largest float: nothing can be said in numbers
    [objective, low, high].iter().all(|x| x.is_finite()).then_some(outlook)
}

/// Mean and standard deviation of the transformed objective under all models together.
fn moments(models: Models<'_>, x: &[f64]) -> (f64, f64) {
    let each: Vec<_> = models.gps.iter().map(|gp| gp.predict(x)).collect();
    let n = each.len() as f64;
    let mean = each.iter().map(|p| p.mean).sum::<f64>() / n;
    let variance = each.iter().map(|p| p.variance + (p.mean - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}
