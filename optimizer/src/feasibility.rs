//! The probability that a point works, from which points worked and which did not.

use crate::acquisition::{HALF_LN_TAU, log_normal_cdf};
use crate::known::Known;
use crate::model::{select, spread};
use crate::space::{Column, Point};
use crate::surrogate::fit::{default_start, search};
use crate::surrogate::{Data, Gp, GpError, Hyper, Pairs, Posterior, Shape};
use crate::term::Term;

/// Below this probability of working, points are told apart no further.
const LEAST: f64 = 1e-6;
/// Hyperparameters are searched on so many results, and the model is conditioned on no more than these.
const SUBSET: usize = 70;
const MOST: usize = 1000;
/// Steps of a search.
const STEPS: u64 = 8;

/// A regression on labels, 1 of what worked and −1 of what did not, as a probit: `P(label > 0) = Φ(μ / √(σ_f² + σ²))`. Failures that
/// have nothing to do with the point end up in the noise `σ²`.
#[derive(Clone, Debug)]
pub struct Feasibility(Gp);

impl Feasibility {
    /// `None` while everything worked.
    ///
    /// # Errors
    /// If a covariance is not positive definite.
    pub fn new(columns: &[Column], known: &Known) -> Result<Option<Self>, GpError> {
        if known.seen.iter().all(|s| s.works) {
            return Ok(None);
        }
        let data = Data {
            points: known.seen.iter().map(|s| s.point.clone()).collect(),
            values: known.seen.iter().map(|s| if s.works { 1.0 } else { -1.0 }).collect(),
            repeats: vec![1.0; known.seen.len()],
            ..Data::default()
        };
        let start = Hyper { log_noise: -1.5, ..default_start(Shape::Rough, columns, &[]) };
        let data = select(&data, &spread(&data.values, MOST));
        let part = select(&data, &spread(&data.values, SUBSET));
        let (hyper, _) = search(columns, &Pairs::new(columns, &part.points), &part, &[start], STEPS);
        Gp::new(columns, &hyper, &data).map(|gp| Some(Self(gp)))
    }

    /// The mean in deviations, noise included.
    fn z(&self, at: Posterior) -> f64 {
        at.mean / (at.variance + self.0.hyper().log_noise.exp()).sqrt()
    }
}

impl Term for Feasibility {
    fn logs(&self, points: &[Point]) -> Vec<f64> {
        let log = |at| log_normal_cdf(self.z(at)).max(LEAST.ln());
        self.0.predict_all(points).into_iter().map(log).collect()
    }

    fn log_with_gradient(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let (at, mean, variance) = self.0.predict_with_gradient(x);
        let z = self.z(at);
        let log = log_normal_cdf(z);
        if log <= LEAST.ln() {
            return (LEAST.ln(), vec![0.0; x.len()]);
        }
        let slope = (-0.5 * z * z - HALF_LN_TAU - log).exp();
        let total = at.variance + self.0.hyper().log_noise.exp();
        let gradient = mean
            .iter()
            .zip(&variance)
            .map(|(m, v)| slope * (m / total.sqrt() - 0.5 * z * v / total))
            .collect();
        (log, gradient)
    }

    /// Those that more probably work than not.
    fn promising(&self, points: Vec<Point>) -> Vec<Point> {
        let works: Vec<bool> = self.0.predict_all(&points).into_iter().map(|at| at.mean > 0.0).collect();
        points.into_iter().zip(works).filter(|(_, works)| *works).map(|(point, _)| point).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design;

    #[test]
    fn gradient_matches_finite_differences() {
        let columns = [Column::Number { levels: None }, Column::Number { levels: None }];
        let points: Vec<Point> = (0..12).map(|i| design::sobol(i, 2, 3)).collect();
        let values = points.iter().map(|p| if p[0] + p[1] > 1.2 { -1.0 } else { 1.0 }).collect();
        let data = Data { points, values, repeats: vec![1.0; 12], ..Data::default() };
        let hyper = default_start(Shape::Rough, &columns, &[]);
        let feasibility = Feasibility(Gp::new(&columns, &hyper, &data).unwrap());
        for x in [[0.31, 0.77], [0.62, 0.35]] {
            let (log, gradient) = feasibility.log_with_gradient(&x);
            assert!((log - feasibility.logs(&[x.to_vec()])[0]).abs() < 1e-9);
            for j in 0..2 {
                let (mut up, mut down) = (x.to_vec(), x.to_vec());
                up[j] += 1e-6;
                down[j] -= 1e-6;
                let logs = feasibility.logs(&[up, down]);
                let numeric = (logs[0] - logs[1]) / 2e-6;
                assert!(
                    (gradient[j] - numeric).abs() < 1e-4 * (1.0 + numeric.abs()),
                    "{} {numeric}",
                    gradient[j]
                );
            }
        }
        let promising = feasibility.promising(vec![vec![0.1, 0.1], vec![0.95, 0.95]]);
        assert_eq!(promising, [vec![0.1, 0.1]]);
    }
}
