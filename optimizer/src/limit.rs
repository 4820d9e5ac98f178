//! The probability that something modelled is at most a limit, as a factor of the acquisition.

use crate::acquisition::{HALF_LN_TAU, log_normal_cdf};
use crate::space::Point;
use crate::surrogate::{Gp, Posterior};
use crate::term::Term;

/// Below this probability points are told apart no further.
const LEAST: f64 = 1e-6;

/// `P(y <= limit)` of what a Gaussian process models.
#[derive(Clone, Debug)]
pub struct AtMost {
    pub gp: Gp,
    pub limit: f64,
    /// The variance of `y` beside that of the function.
    pub noise: f64,
}

impl AtMost {
    /// How far the limit is from what is expected, in deviations.
    fn z(&self, at: Posterior) -> f64 {
        (self.limit - at.mean) / (at.variance + self.noise).sqrt()
    }
}

impl Term for AtMost {
    fn logs(&self, points: &[Point]) -> Vec<f64> {
        let log = |at| log_normal_cdf(self.z(at)).max(LEAST.ln());
        self.gp.predict_all(points).into_iter().map(log).collect()
    }

    fn log_with_gradient(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let (at, mean, variance) = self.gp.predict_with_gradient(x);
        let z = self.z(at);
        let log = log_normal_cdf(z);
        if log <= LEAST.ln() {
            return (LEAST.ln(), vec![0.0; x.len()]);
        }
        let slope = (-0.5 * z * z - HALF_LN_TAU - log).exp();
        let total = at.variance + self.noise;
        let by = |j: usize| slope * (-mean[j] / total.sqrt() - 0.5 * z * variance[j] / total);
        (log, (0..x.len()).map(by).collect())
    }

    /// Those at which that is more probable than not.
    fn promising(&self, points: Vec<Point>) -> Vec<Point> {
        let held: Vec<bool> = self.gp.predict_all(&points).iter().map(|at| at.mean <= self.limit).collect();
        points.into_iter().zip(held).filter(|(_, held)| *held).map(|(point, _)| point).collect()
    }
}
