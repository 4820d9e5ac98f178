//! What a point is worth: log expected improvement, and what else is to count.

mod trees;

use std::sync::Arc;

use puruspe::{erfc, erfcx};

use crate::space::Point;
use crate::surrogate::{Draws, Gp, Weighted};
use crate::term::Term;

pub use self::trees::Trees;

/// ½ ln 2π
pub(crate) const HALF_LN_TAU: f64 = 0.918_938_533_204_672_7;
/// ½ ln(π/2)
const HALF_LN_HALF_PI: f64 = 0.225_791_352_644_727_43;
/// `1/√ε`, beyond which `ln h` is its asymptote to full precision.
const FAR: f64 = 6.7e7;

/// `ln Φ(z)`, the logarithm of the standard normal distribution function, without underflow.
pub fn log_normal_cdf(z: f64) -> f64 {
    let x = -z / std::f64::consts::SQRT_2;
    if z > -1.0 { (0.5 * erfc(x)).ln() } else { (0.5 * erfcx(x)).ln() - x * x }
}

/// `ln h(z)` with `h(z) = φ(z) + z Φ(z)`: log expected improvement in units of the standard deviation.
///
/// After Ament et al. (2023, "Unexpected Improvements to Expected Improvement", eq. 9): directly for `z > −1`; below by
/// `−z²/2 − ½ ln 2π + ln(1 − √(π/2) |z| erfcx(|z|/√2))`; and by its limit `−z²/2 − ½ ln 2π − 2 ln |z|` where that difference
/// has no digits left.
pub fn log_h(z: f64) -> f64 {
    if z > -1.0 {
        let density = (-0.5 * z * z - HALF_LN_TAU).exp();
        (density + z * 0.5 * erfc(-z / std::f64::consts::SQRT_2)).ln()
    } else if z > -1e4 {
        let ratio = HALF_LN_HALF_PI + (erfcx(-z / std::f64::consts::SQRT_2) * -z).ln();
        -0.5 * z * z - HALF_LN_TAU + log_one_minus_exp(ratio)
    } else {
        // the series 1 − 3/z² of the same expression; exact to rounding well before FAR
        let tail = if z > -FAR { (-3.0 / (z * z)).ln_1p() } else { 0.0 };
        -0.5 * z * z - HALF_LN_TAU - 2.0 * (-z).ln() + tail
    }
}

/// `ln(1 − eˣ)` for negative `x` (Mächler 2012).
fn log_one_minus_exp(x: f64) -> f64 {
    if x > -std::f64::consts::LN_2 { (-x.exp_m1()).ln() } else { (-x.exp()).ln_1p() }
}

/// The worth of points under a model; larger is better.
#[derive(Clone, Debug)]
pub struct Acquisition {
    /// Of the transformed objective, smaller is better.
    pub objective: Gp,
    /// Log expected improvement by each model that counts; the worth is their weighted mean.
    pub improvements: Vec<Weighted<Arc<dyn Term>>>,
    /// What its worth is multiplied by, such as the probability that it works.
    pub terms: Vec<Arc<dyn Term>>,
}

impl Acquisition {
    /// `ln E_s[EI_s(x)]` of each point, noisy expected improvement, the mean over models and their draws; and what counts beside it.
    pub fn scores(&self, points: &[Point]) -> Vec<f64> {
        let weighted = |model: &Weighted<Arc<dyn Term>>| -> Vec<f64> {
            let log = model.weight.ln();
            model.of.logs(points).into_iter().map(|score| score + log).collect()
        };
        let by_model: Vec<Vec<f64>> = self.improvements.iter().map(weighted).collect();
        let mut scores: Vec<f64> = (0..points.len())
            .map(|i| log_sum_exp(&by_model.iter().map(|scores| scores[i]).collect::<Vec<f64>>()))
            .collect();
        scores.iter_mut().zip(self.beside(points)).for_each(|(score, log)| *score += log);
        scores
    }

    /// What counts beside the improvement at each point.
    pub fn beside(&self, points: &[Point]) -> Vec<f64> {
        let mut logs = vec![0.0; points.len()];
        for term in &self.terms {
            logs.iter_mut().zip(term.logs(points)).for_each(|(sum, log)| *sum += log);
        }
        logs
    }

    /// Those of `points` of which nothing says that there is nothing to gain.
    pub fn promising(&self, points: Vec<Point>) -> Vec<Point> {
        self.terms.iter().fold(points, |points, term| term.promising(points))
    }

    /// The worth of one point and its gradient by position, 0 in nominal columns.
    pub fn score_with_gradient(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let each: Vec<(f64, Vec<f64>)> = self
            .improvements
            .iter()
            .map(|model| {
                let (score, gradient) = model.of.log_with_gradient(x);
                (score + model.weight.ln(), gradient)
            })
            .collect();
        let mut score = log_sum_exp(&each.iter().map(|(score, _)| *score).collect::<Vec<f64>>());
        let mut gradient = vec![0.0; x.len()];
        for (one, slope) in &each {
            let share = (one - score).exp();
            gradient.iter_mut().zip(slope).for_each(|(g, s)| *g += share * s);
        }
        for term in &self.terms {
            let (log, slope) = term.log_with_gradient(x);
            score += log;
            gradient.iter_mut().zip(slope).for_each(|(g, s)| *g += s);
        }
        (score, gradient)
    }
}

/// `ln (1/S) Σ_s EI_s`, noisy expected improvement. Improvement over a draw's own best is nothing where the model knows no more than there, so that
/// noise is no reason to measure the same again, and pending points are as good as done.
impl Term for Draws {
    fn logs(&self, points: &[Point]) -> Vec<f64> {
        let mut terms = vec![0.0; self.count()];
        let predicted = self.predict_all(points).into_iter();
        predicted.map(|(variance, means)| improvement(self, variance, &means, &mut terms)).collect()
    }

    fn log_with_gradient(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let at = self.predict(x);
        let deviation = at.variance.sqrt();
        let count = self.count() as f64;
        let mut terms = vec![0.0; self.count()];
        let score = improvement(self, at.variance, &at.means, &mut terms);
        let log_sum = score - deviation.ln() + count.ln();
        // ∂ ln(σ h(z)) = −Φ/(σh) ∂μ + φ/(σh) ∂σ, weighted by a draw's share of the sum
        let mut by_deviation = 0.0;
        let by_mean: Vec<f64> = (0..terms.len())
            .map(|s| {
                let z = (self.best[s] - at.means[s]) / deviation;
                let share = (terms[s] - log_sum).exp();
                by_deviation += share * (-0.5 * z * z - HALF_LN_TAU - terms[s]).exp() / deviation;
                -share * (log_normal_cdf(z) - terms[s]).exp() / deviation
            })
            .collect();
        let (mean, variance) = self.gradients(x, &at, &by_mean);
        let gradient =
            mean.iter().zip(&variance).map(|(m, v)| m + by_deviation * v / (2.0 * deviation)).collect();
        (score, gradient)
    }
}

/// `ln (1/S) Σ_s EI_s`; leaves `ln EI_s/σ` in `terms`.
fn improvement(draws: &Draws, variance: f64, means: &[f64], terms: &mut [f64]) -> f64 {
    let deviation = variance.sqrt();
    for ((term, best), mean) in terms.iter_mut().zip(&draws.best).zip(means) {
        *term = log_h((best - mean) / deviation);
    }
    log_mean_exp(terms) + deviation.ln()
}

fn log_mean_exp(terms: &[f64]) -> f64 {
    log_sum_exp(terms) - (terms.len() as f64).ln()
}

fn log_sum_exp(terms: &[f64]) -> f64 {
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + terms.iter().map(|t| (t - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design;
    use crate::space::Column;
    use crate::surrogate::{Bends, Data, Hyper, Shape};

    #[test]
    fn log_expected_improvement_matches_an_average_over_samples() {
        // E max(z + N, 0) by the mid-point rule over the quantiles of N, in place of random samples
        for z in [-2.0, -0.9, 0.0, 1.5, 6.0] {
            let n = 400_000;
            let width = 20.0 / f64::from(n);
            let sum: f64 = (0..n)
                .map(|i| {
                    let x = -10.0 + (f64::from(i) + 0.5) * width;
                    (z + x).max(0.0) * (-0.5 * x * x - HALF_LN_TAU).exp() * width
                })
                .sum();
            assert!((log_h(z) - sum.ln()).abs() < 1e-6, "{z}: {} {}", log_h(z), sum.ln());
        }
    }

    #[test]
    fn log_expected_improvement_is_finite_and_follows_its_asymptote_far_away() {
        // −z²/2 − ½ ln 2π − 2 ln|z| + ln(1 − 3/z² + 15/z⁴)
        for z in [-40.0f64, -300.0, -9_999.0, -10_001.0, -1e6, -1e100] {
            let tail = (-3.0 / (z * z) + 15.0 / z.powi(4)).ln_1p();
            let expected = -0.5 * z * z - HALF_LN_TAU - 2.0 * (-z).ln() + tail;
            assert!((log_h(z) - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{z}");
        }
        assert!((log_h(-1.0 - 1e-12) - log_h(-1.0 + 1e-12)).abs() < 1e-9, "no step where the formulas meet");
    }

    #[test]
    fn gradient_matches_finite_differences() {
        let columns = [Column::Number { levels: None }, Column::Number { levels: None }];
        let points: Vec<Point> = (0..12).map(|i| design::sobol(i, 2, 3)).collect();
        let hyper = Hyper {
            shape: Shape::Rough,
            log_lengths: vec![-0.8, -0.3],
            log_signal: -0.3,
            log_main_lengths: vec![-1.0, 0.1],
            log_main: -1.0,
            log_noise: -4.0,
            tasks: Vec::new(),
            bends: Bends::default(),
        };
        let values: Vec<f64> = points.iter().map(|p| (5.0 * p[0]).cos() + p[1]).collect();
        let data = Data { points, values, repeats: vec![1.0; 12], ..Data::default() };
        let objective = Gp::new(&columns, &hyper, &data).unwrap();
        let smoother = Hyper { shape: Shape::Smooth, log_noise: -2.0, ..hyper };
        let smoother = Gp::new(&columns, &smoother, &data).unwrap();
        let draws = [(&objective, 0.7), (&smoother, 0.3)].map(|(gp, weight)| {
            let of = Draws::new(gp, &[0, 3, 5, 7], &[vec![0.5, 0.5]], 8, 1).unwrap();
            Weighted { of: Arc::new(of) as Arc<dyn Term>, weight }
        });
        let acquisition = Acquisition { objective, improvements: draws.to_vec(), terms: Vec::new() };
        for x in [[0.31, 0.77], [0.62, 0.35]] {
            let (score, gradient) = acquisition.score_with_gradient(&x);
            assert!((score - acquisition.scores(&[x.to_vec()])[0]).abs() < 1e-9);
            for j in 0..2 {
                let (mut up, mut down) = (x.to_vec(), x.to_vec());
                up[j] += 1e-6;
                down[j] -= 1e-6;
                let s = acquisition.scores(&[up, down]);
                let numeric = (s[0] - s[1]) / 2e-6;
                assert!(
                    (gradient[j] - numeric).abs() < 1e-4 * (1.0 + numeric.abs()),
                    "{} {numeric}",
                    gradient[j]
                );
            }
        }
    }
}
