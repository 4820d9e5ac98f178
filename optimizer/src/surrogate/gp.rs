//! A Gaussian process with known hyperparameters, conditioned on data.

use faer::linalg::solvers::{DenseSolveCore, Llt, Solve};
use faer::{Mat, Side};

use super::bend::Bends;
use super::kernel::{Kernel, Shape};
use super::lanes::dot;
use super::table::Table;
use super::tasks::{self, Relation, Task};
use crate::space::{Column, Point};

/// The jitter that is added to the diagonal, relative to the signal variance, is raised by 100 at a time up to here.
const MAX_JITTER: f64 = 1e-2;

/// Hyperparameters; numbers are natural logarithms, so that every real number is a valid one.
#[derive(Clone, Debug, PartialEq)]
pub struct Hyper {
    /// Of the covariance over all columns together.
    pub shape: Shape,
    /// `ln ℓ_j` by column.
    pub log_lengths: Vec<f64>,
    /// `ln s²`, the prior variance of what all columns do together.
    pub log_signal: f64,
    /// `ln λ_j` by column.
    pub log_main_lengths: Vec<f64>,
    /// `ln t²`, the prior variance of what the columns do each by itself.
    pub log_main: f64,
    /// `ln σ²`, the variance of one measurement.
    pub log_noise: f64,
    /// Of each task that results may be of, beside the common function.
    pub tasks: Vec<Task>,
    /// By column, how its numbers are bent.
    pub bends: Bends,
}

/// What a model is conditioned on. Points, values and repeats have the same length.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Inputs by column.
    pub points: Vec<Point>,
    /// Outputs, about zero mean and unit variance.
    pub values: Vec<f64>,
    /// Measurements behind each output: its noise variance is `σ² / repeats`.
    pub repeats: Vec<f64>,
    /// By result: 0 for the function that is sought, `t` for task `t − 1`. Empty where all are of the function itself.
    pub of: Vec<usize>,
    /// The tasks.
    pub relations: Vec<Relation>,
}

/// Why a Gaussian process could not be computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GpError {
    /// The covariance has no Cholesky factor, whatever is added to its diagonal.
    #[error(
        "the {size} x {size} covariance is not positive definite, even with {jitter:e} added to its diagonal"
    )]
    NotPositiveDefinite { size: usize, jitter: f64 },
}

/// The posterior `f | y` of `y_i = f(x_i) + ε_i`, `f ~ GP(m, k)`, `ε_i ~ N(0, σ²/repeats_i)`.
#[derive(Clone, Debug)]
pub struct Gp {
    kernel: Kernel,
    points: Vec<Point>,
    of: Vec<usize>,
    table: Table,
    solved: Solved,
    hyper: Hyper,
    noise: Vec<f64>,
}

/// The linear algebra behind a posterior.
///
/// The constant mean `m ~ N(0, 1)` has its posterior mode, `m = 1ᵀK⁻¹y / (1ᵀK⁻¹1 + 1)`.
#[derive(Clone, Debug)]
pub(super) struct Solved {
    pub mean: f64,
    /// Cholesky factor of `K = k(X, X) + diag(noise)`.
    pub factor: Llt<f64>,
    /// `K⁻¹ (y − m)`
    pub alpha: Vec<f64>,
    /// `y − m`
    pub residual: Vec<f64>,
}

/// Mean and variance of the function, not of a measurement, at one point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Posterior {
    pub mean: f64,
    pub variance: f64,
}

impl Solved {
    /// From `K`, of which the lower triangle is read, and `y`.
    pub(super) fn new(mut covariance: Mat<f64>, values: &[f64], variance: f64) -> Result<Self, GpError> {
        let factor = factorise(&mut covariance, variance)?;
        let n = values.len();
        let mut both = Mat::from_fn(n, 2, |i, j| if j == 0 { values[i] } else { 1.0 });
        factor.solve_in_place(both.as_mut());
        let (weights, ones) = (both.col_as_slice(0), both.col_as_slice(1));
        let mean = weights.iter().sum::<f64>() / (ones.iter().sum::<f64>() + 1.0);
        let alpha = weights.iter().zip(ones).map(|(w, o)| w - mean * o).collect();
        let residual = values.iter().map(|y| y - mean).collect();
        Ok(Self { mean, factor, alpha, residual })
    }

    /// `ln p(y | X, m) + ln N(m | 0, 1)` up to a constant: `−½ (y−m)ᵀK⁻¹(y−m) − ½ ln|K| − ½ n ln 2π − ½ m²`.
    pub(super) fn log_likelihood(&self) -> f64 {
        let n = self.alpha.len();
        let l = self.factor.L();
        let half_log_det: f64 = (0..n).map(|i| l[(i, i)].ln()).sum();
        -0.5 * dot(&self.residual, &self.alpha)
            - half_log_det
            - 0.5 * n as f64 * std::f64::consts::TAU.ln()
            - 0.5 * self.mean * self.mean
    }
}

impl Gp {
    /// Conditions on `data`.
    pub fn new(columns: &[Column], hyper: &Hyper, data: &Data) -> Result<Self, GpError> {
        let n = data.points.len();
        let kernel = Kernel::new(columns, hyper);
        let noise: Vec<f64> = (0..n)
            .map(|i| hyper.log_noise.exp() * tasks::noise_factor(&hyper.tasks, &data.of, i) / data.repeats[i])
            .collect();
        let mut covariance = tasks::covariance(&kernel, hyper, &data.points, &data.of);
        for (j, noise) in noise.iter().enumerate() {
            covariance[(j, j)] += noise;
        }
        let solved = Solved::new(covariance, &data.values, kernel.variance())?;
        let table = kernel.table(&data.points).times(tasks::correlations(&hyper.tasks, &data.of));
        let (points, of) = (data.points.clone(), data.of.clone());
        Ok(Self { kernel, points, of, table, solved, hyper: hyper.clone(), noise })
    }

    /// The hyperparameters.
    pub fn hyper(&self) -> &Hyper {
        &self.hyper
    }

    /// `ln p(y | X, m) + ln N(m | 0, 1)` up to a constant.
    pub fn log_likelihood(&self) -> f64 {
        self.solved.log_likelihood()
    }

    /// The outputs it is conditioned on.
    pub fn values(&self) -> Vec<f64> {
        self.solved.residual.iter().map(|r| r + self.solved.mean).collect()
    }

    /// Mean and variance of each measurement as all others predict it: `y_i − α_i / K⁻¹_ii` and `1 / K⁻¹_ii` (Rasmussen,
    /// Williams 2006, eq. 5.12). The constant mean stays.
    pub fn left_out(&self) -> Vec<(f64, f64)> {
        let inverse = self.solved.factor.inverse();
        self.values()
            .into_iter()
            .enumerate()
            .map(|(i, y)| (y - self.solved.alpha[i] / inverse[(i, i)], 1.0 / inverse[(i, i)]))
            .collect()
    }

    /// `ln p(y_i | all others)` of each measurement.
    pub fn left_out_log_densities(&self) -> Vec<f64> {
        let density = |(y, (mean, variance)): (f64, (f64, f64))| {
            -0.5 * (std::f64::consts::TAU * variance).ln() - 0.5 * (y - mean).powi(2) / variance
        };
        self.values().into_iter().zip(self.left_out()).map(density).collect()
    }

    /// The kernel.
    pub(super) fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// The points it is conditioned on.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The task of each of them, as in [`Data::of`].
    pub fn of(&self) -> &[usize] {
        &self.of
    }

    pub(super) fn solved(&self) -> &Solved {
        &self.solved
    }

    /// The noise variance of observation `i`.
    pub(super) fn noise(&self, i: usize) -> f64 {
        self.noise[i]
    }

    fn covariances(&self, x: &[f64]) -> Vec<f64> {
        let mut k = vec![0.0; self.table.rows];
        self.kernel.covariances(x, &self.table, &mut k);
        k
    }

    /// The posterior at `x`.
    pub fn predict(&self, x: &[f64]) -> Posterior {
        let k = self.covariances(x);
        let v = solve(&self.solved.factor, &k);
        Posterior {
            mean: self.solved.mean + dot(&k, &self.solved.alpha),
            variance: self.floor(self.kernel.variance() - dot(&k, &v)),
        }
    }

    /// The posterior mean at `x`; cheaper than [`Gp::predict`].
    pub fn mean_at(&self, x: &[f64]) -> f64 {
        self.solved.mean + dot(&self.covariances(x), &self.solved.alpha)
    }

    /// The posterior at each of `xs`, in one triangular solve.
    pub fn predict_all(&self, xs: &[Point]) -> Vec<Posterior> {
        let mut k = Mat::<f64>::zeros(self.table.rows, xs.len());
        let means: Vec<f64> = xs
            .iter()
            .enumerate()
            .map(|(j, x)| {
                let column = k.col_as_slice_mut(j);
                self.kernel.covariances(x, &self.table, column);
                self.solved.mean + dot(column, &self.solved.alpha)
            })
            .collect();
        self.solved.factor.L().solve_lower_triangular_in_place(k.as_mut());
        means
            .into_iter()
            .enumerate()
            .map(|(j, mean)| {
                let column = k.col_as_slice(j);
                Posterior { mean, variance: self.floor(self.kernel.variance() - dot(column, column)) }
            })
            .collect()
    }

    /// The joint posterior at `xs`: means, and the covariance of each two.
    pub fn joint(&self, xs: &[Point]) -> (Vec<f64>, Mat<f64>) {
        let mut k = Mat::<f64>::zeros(self.table.rows, xs.len());
        for (j, x) in xs.iter().enumerate() {
            self.kernel.covariances(x, &self.table, k.col_as_slice_mut(j));
        }
        let means =
            (0..xs.len()).map(|j| self.solved.mean + dot(k.col_as_slice(j), &self.solved.alpha)).collect();
        self.solved.factor.L().solve_lower_triangular_in_place(k.as_mut());
        let own = self.kernel.table(xs);
        let mut prior = Mat::<f64>::zeros(xs.len(), xs.len());
        for (j, x) in xs.iter().enumerate() {
            self.kernel.covariances(x, &own, prior.col_as_slice_mut(j));
        }
        (means, prior - k.transpose() * &k)
    }

    /// The posterior at `x`, and the gradients of its mean and variance by position (0 in nominal columns).
    pub fn predict_with_gradient(&self, x: &[f64]) -> (Posterior, Vec<f64>, Vec<f64>) {
        let k = self.covariances(x);
        let v = solve(&self.solved.factor, &k);
        let posterior = Posterior {
            mean: self.solved.mean + dot(&k, &self.solved.alpha),
            variance: self.floor(self.kernel.variance() - dot(&k, &v)),
        };
        let (mean, mut variance) = self.kernel.gradients(x, &self.table, &self.solved.alpha, &v);
        variance.iter_mut().for_each(|g| *g *= -2.0);
        (posterior, mean, variance)
    }

    /// Rounding can make a variance negative where it should be tiny.
    fn floor(&self, variance: f64) -> f64 {
        variance.max(1e-12 * self.kernel.variance())
    }
}

/// The Cholesky factor of `matrix` (its lower triangle is read), with as little added to the diagonal as makes it
/// possible: a covariance of points that nearly coincide is singular in floating point.
pub(super) fn factorise(matrix: &mut Mat<f64>, signal: f64) -> Result<Llt<f64>, GpError> {
    let size = matrix.nrows();
    let mut jitter = 0.0;
    loop {
        if let Ok(factor) = matrix.llt(Side::Lower) {
            return Ok(factor);
        }
        let next = if jitter == 0.0 { 1e-10 } else { jitter * 100.0 };
        if next > MAX_JITTER || !signal.is_finite() {
            return Err(GpError::NotPositiveDefinite { size, jitter: jitter * signal });
        }
        for i in 0..size {
            matrix[(i, i)] += (next - jitter) * signal;
        }
        jitter = next;
    }
}

fn solve(factor: &Llt<f64>, rhs: &[f64]) -> Vec<f64> {
    let mut x = Mat::from_fn(rhs.len(), 1, |i, _| rhs[i]);
    factor.solve_in_place(x.as_mut());
    (0..rhs.len()).map(|i| x[(i, 0)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 1] = [Column::Number { levels: None }];

    fn two_points() -> (Hyper, Data) {
        let hyper = Hyper {
            shape: Shape::Rough,
            log_lengths: vec![0.5f64.ln()],
            log_signal: 0.2,
            log_main_lengths: vec![-1.5],
            log_main: -0.6,
            log_noise: 0.1f64.ln(),
            tasks: Vec::new(),
            bends: Bends::default(),
        };
        let data = Data {
            points: vec![vec![0.1], vec![0.7]],
            values: vec![1.0, -0.5],
            repeats: vec![1.0, 2.0],
            ..Data::default()
        };
        (hyper, data)
    }

    #[test]
    fn likelihood_and_posterior_match_the_explicit_inverse() {
        let (hyper, data) = two_points();
        let gp = Gp::new(&COLUMNS, &hyper, &data).unwrap();
        let kernel = Kernel::new(&COLUMNS, &hyper);
        let covariance = |a: f64, b: f64| {
            let mut k = [0.0];
            kernel.covariances(&[a], &kernel.table(&[vec![b]]), &mut k);
            k[0]
        };
        let s = hyper.log_signal.exp() + hyper.log_main.exp();
        let (a, b, d) = (s + 0.1, covariance(0.1, 0.7), s + 0.05);
        let det = a * d - b * b;
        let inverse = [[d / det, -b / det], [-b / det, a / det]];
        let apply = |v: [f64; 2]| {
            [inverse[0][0] * v[0] + inverse[0][1] * v[1], inverse[1][0] * v[0] + inverse[1][1] * v[1]]
        };
        let (ky, k1) = (apply([1.0, -0.5]), apply([1.0, 1.0]));
        let mean = (ky[0] + ky[1]) / (k1[0] + k1[1] + 1.0);
        let r = [1.0 - mean, -0.5 - mean];
        let kr = apply(r);
        let expected = -0.5 * (r[0] * kr[0] + r[1] * kr[1])
            - 0.5 * det.ln()
            - std::f64::consts::TAU.ln()
            - 0.5 * mean * mean;
        assert!((gp.log_likelihood() - expected).abs() < 1e-12);

        let k = [covariance(0.3, 0.1), covariance(0.3, 0.7)];
        let kk = apply(k);
        let posterior = gp.predict(&[0.3]);
        assert!((posterior.mean - (mean + k[0] * kr[0] + k[1] * kr[1])).abs() < 1e-12);
        assert!((posterior.variance - (s - k[0] * kk[0] - k[1] * kk[1])).abs() < 1e-12);
        assert!((gp.mean_at(&[0.3]) - posterior.mean).abs() < 1e-12);
        let all = gp.predict_all(&[vec![0.3]])[0];
        assert!(
            (all.mean - posterior.mean).abs() < 1e-12 && (all.variance - posterior.variance).abs() < 1e-12
        );
    }

    #[test]
    fn what_is_left_out_is_predicted_as_by_a_model_without_it() {
        let hyper = two_points().0;
        let points: Vec<Point> = (0..6).map(|i| vec![f64::from(i) / 5.0]).collect();
        let values: Vec<f64> = points.iter().map(|p| (5.0 * p[0]).sin()).collect();
        let all = Data { points, values, repeats: vec![1.0; 6], ..Data::default() };
        let gp = Gp::new(&COLUMNS, &hyper, &all).unwrap();
        let (mean, variance) = gp.left_out()[2];
        let mut others = all;
        let (point, value) = (others.points.remove(2), others.values.remove(2));
        others.repeats.remove(2);
        // its own constant mean differs a little, which `left_out` leaves as it is
        let other = Gp::new(&COLUMNS, &hyper, &others).unwrap().predict(&point);
        assert!((other.variance + hyper.log_noise.exp() - variance).abs() < 1e-9);
        assert!((other.mean - mean).abs() < 0.1 && (mean - value).abs() < 1.0, "{other:?} {mean}");
    }

    #[test]
    fn gradients_by_position_match_finite_differences() {
        let (hyper, data) = two_points();
        let gp = Gp::new(&COLUMNS, &hyper, &data).unwrap();
        let (_, mean, variance) = gp.predict_with_gradient(&[0.45]);
        let (up, down) = (gp.predict(&[0.45 + 1e-6]), gp.predict(&[0.45 - 1e-6]));
        assert!((mean[0] - (up.mean - down.mean) / 2e-6).abs() < 1e-7);
        assert!((variance[0] - (up.variance - down.variance) / 2e-6).abs() < 1e-7);
    }

    #[test]
    fn coincident_points_without_noise_are_made_regular() {
        let hyper = Hyper { log_noise: -60.0, ..two_points().0 };
        let ones = vec![1.0; 20];
        let data =
            Data { points: vec![vec![0.5]; 20], values: ones.clone(), repeats: ones, ..Data::default() };
        let gp = Gp::new(&COLUMNS, &hyper, &data).unwrap();
        assert!((gp.predict(&[0.5]).mean - 1.0).abs() < 1e-3);
    }

    #[test]
    fn a_covariance_that_is_not_finite_is_an_error() {
        let (mut hyper, data) = two_points();
        hyper.log_signal = 1e3;
        assert!(matches!(
            Gp::new(&COLUMNS, &hyper, &data),
            Err(GpError::NotPositiveDefinite { size: 2, .. })
        ));
    }
}
