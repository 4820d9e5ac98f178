//! Draws of the function at a few points, and the model once each draw is taken for true there.

use faer::linalg::solvers::{Llt, Solve};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Mat, Par};

use super::gp::{Gp, GpError, factorise};
use super::kernel::Kernel;
use super::lanes::{dot, wide};
use super::table::Table;
use super::tasks;
use crate::design;
use crate::space::Point;

/// What is left of the noise where a draw is taken for true, relative to the prior variance; for the Cholesky factor's sake.
const JITTER: f64 = 1e-6;

/// `S` joint draws from the posterior at some observed points and at points without a result, and for each draw the
/// posterior given it.
///
/// All draws share their covariance, so one factor serves them: `μ_s(x) = m + k(x)ᵀ α_s`, `α_s = K'⁻¹ (y_s − m)`, where in `K'` the
/// noise of the drawn points is gone and in `y_s` their results are replaced by the draw (Letham, Karrer, Ottoni, Bakshy
/// 2019, "Constrained Bayesian Optimization with Noisy Experiments").
#[derive(Clone, Debug)]
pub struct Draws {
    kernel: Kernel,
    table: Table,
    factor: Llt<f64>,
    /// `L⁻ᵀ` of the factor `K' = L Lᵀ`: a column is a row of `L⁻¹`, of which the first so many entries are not 0.
    inverse: Mat<f64>,
    mean: f64,
    /// `α_s`, one column a draw.
    alphas: Mat<f64>,
    /// The smallest value of each draw among the points that count.
    pub best: Vec<f64>,
}

impl Draws {
    /// `count` draws from `gp` at its points `observed` (indices), none of them of a task, and at `extra` points. Scrambled Sobol numbers of
    /// `seed` make them, so that few draws are balanced.
    ///
    /// # Errors
    /// If a covariance is not positive definite.
    pub fn new(
        gp: &Gp,
        observed: &[usize],
        extra: &[Point],
        count: usize,
        seed: u64,
    ) -> Result<Self, GpError> {
        let kernel = gp.kernel().clone();
        let variance = kernel.variance();
        let mut points = gp.points().to_vec();
        let n = points.len();
        points.extend(extra.iter().cloned());
        let drawn: Vec<usize> = observed.iter().copied().chain(n..points.len()).collect();
        let m = drawn.len();
        let all = points.len();
        let mut of = gp.of().to_vec();
        if !of.is_empty() {
            of.resize(all, 0);
        }
        let table = kernel.table(&points).times(tasks::correlations(&gp.hyper().tasks, &of));

        let at: Vec<Point> = drawn.iter().map(|i| points[*i].clone()).collect();
        let values = joint_draws(gp, &at, count, JITTER, |s| normals(s as u32, m, seed))?;

        // α_s
        let mut covariance = tasks::covariance(&kernel, gp.hyper(), &points, &of);
        for j in 0..all {
            covariance[(j, j)] += variance * JITTER + if j < n { gp.noise(j) } else { 0.0 };
        }
        for i in observed {
            covariance[(*i, *i)] -= gp.noise(*i);
        }
        let factor = factorise(&mut covariance, variance)?;
        let mut alphas = Mat::from_fn(all, count, |i, _| gp.solved().residual.get(i).copied().unwrap_or(0.0));
        let mut best = vec![f64::INFINITY; count];
        for s in 0..count {
            for (value, i) in values.col_as_slice(s).iter().zip(&drawn) {
                best[s] = best[s].min(*value);
                alphas[(*i, s)] = value - gp.solved().mean;
            }
        }
        factor.solve_in_place(alphas.as_mut());
        let mut inverse = Mat::<f64>::identity(all, all);
        solve_upper_triangular_in_place(factor.L().transpose(), inverse.as_mut(), Par::Seq);
        Ok(Self { kernel, table, factor, inverse, mean: gp.solved().mean, alphas, best })
    }

    /// How many draws there are.
    pub fn count(&self) -> usize {
        self.best.len()
    }

    /// For each of `xs` its variance and its mean under each draw.
    pub fn predict_all(&self, xs: &[Point]) -> Vec<(f64, Vec<f64>)> {
        let mut k = Mat::<f64>::zeros(self.table.rows, xs.len());
        for (j, x) in xs.iter().enumerate() {
            self.kernel.covariances(x, &self.table, k.col_as_slice_mut(j));
        }
        let means = self.alphas.transpose() * &k;
        solve_lower_triangular_in_place(self.factor.L(), k.as_mut(), Par::Seq);
        (0..xs.len())
            .map(|j| {
                let column = k.col_as_slice(j);
                let means = means.col_as_slice(j).iter().map(|m| self.mean + m).collect();
                (self.variance_left(dot(column, column)), means)
            })
            .collect()
    }

    /// Variance and means at `x`, and what their gradients are made from.
    pub fn predict(&self, x: &[f64]) -> At {
        let mut k = vec![0.0; self.table.rows];
        self.kernel.covariances(x, &self.table, &mut k);
        // by `L⁻¹`, since a solution by the factor runs along it step by step, and this is asked for one point at a time
        let mut v = vec![0.0; k.len()];
        let mut explained = 0.0;
        wide(
            #[inline(always)]
            || {
                for i in 0..k.len() {
                    let row = &self.inverse.col_as_slice(i)[..=i];
                    let u = dot(row, &k[..=i]);
                    explained += u * u;
                    v.iter_mut().zip(row).for_each(|(v, entry)| *v += u * entry);
                }
            },
        );
        At { variance: self.variance_left(explained), means: self.means(&k), v }
    }

    /// The gradients by position of `Σ_s weights_s μ_s(x)` and of the variance; 0 in nominal columns.
    pub fn gradients(&self, x: &[f64], at: &At, weights: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mut alpha = vec![0.0; self.table.rows];
        wide(
            #[inline(always)]
            || {
                for (s, weight) in weights.iter().enumerate() {
                    alpha.iter_mut().zip(self.alphas.col_as_slice(s)).for_each(|(a, b)| *a += weight * b);
                }
            },
        );
        let (mean, mut variance) = self.kernel.gradients(x, &self.table, &alpha, &at.v);
        variance.iter_mut().for_each(|g| *g *= -2.0);
        (mean, variance)
    }

    fn means(&self, k: &[f64]) -> Vec<f64> {
        (0..self.count()).map(|s| self.mean + dot(k, self.alphas.col_as_slice(s))).collect()
    }

    /// Rounding can make a variance negative where it should be tiny.
    fn variance_left(&self, explained: f64) -> f64 {
        let variance = self.kernel.variance();
        (variance - explained).max(1e-9 * variance)
    }
}

/// The posterior under every draw at one point.
#[derive(Clone, Debug)]
pub struct At {
    /// The same under every draw.
    pub variance: f64,
    /// By draw.
    pub means: Vec<f64>,
    /// `K'⁻¹ k(x)`
    v: Vec<f64>,
}

/// `count` draws (columns) of what the function of `gp` is at all of `xs` (rows), made from the standard `normals` of each draw. To variances
/// `jitter` times the prior one is added, and more only where there is no Cholesky factor otherwise.
///
/// # Errors
/// If the covariance is not positive definite.
pub fn joint_draws(
    gp: &Gp,
    xs: &[Point],
    count: usize,
    jitter: f64,
    mut normals: impl FnMut(usize) -> Vec<f64>,
) -> Result<Mat<f64>, GpError> {
    let variance = gp.kernel().variance();
    let (means, mut covariance) = gp.joint(xs);
    for j in 0..xs.len() {
        covariance[(j, j)] += jitter * variance;
    }
    let root = factorise(&mut covariance, variance)?;
    let mut drawn = Mat::<f64>::zeros(xs.len(), count);
    for s in 0..count {
        let column = drawn.col_as_slice_mut(s);
        column.copy_from_slice(&normals(s));
    }
    let mut values = root.L() * &drawn;
    for s in 0..count {
        values.col_as_slice_mut(s).iter_mut().zip(&means).for_each(|(value, mean)| *value += mean);
    }
    Ok(values)
}

/// Standard normal numbers from point `index` of a scrambled Sobol sequence.
fn normals(index: u32, dimensions: usize, seed: u64) -> Vec<f64> {
    design::sobol(index, dimensions, seed)
        .into_iter()
        .map(|u| design::normal_quantile(u.clamp(1e-7, 1.0 - 1e-7)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Column;
    use crate::surrogate::{Bends, Data, Hyper, Shape};

    #[test]
    fn joint_draws_have_the_posterior_s_means_and_covariances() {
        let columns = [Column::Number { levels: None }];
        let hyper = Hyper {
            shape: Shape::Rough,
            log_lengths: vec![-1.0],
            log_signal: 0.0,
            log_main_lengths: vec![-1.5],
            log_main: -1.0,
            log_noise: -3.0,
            tasks: Vec::new(),
            bends: Bends::default(),
        };
        let points: Vec<Point> = (0..6).map(|i| vec![f64::from(i) / 6.0]).collect();
        let values = points.iter().map(|p| (5.0 * p[0]).sin()).collect();
        let data = Data { points, values, repeats: vec![1.0; 6], ..Data::default() };
        let gp = Gp::new(&columns, &hyper, &data).unwrap();
        // two of them are the same point, of which the covariance is singular
        let xs = [vec![0.25], vec![0.95], vec![0.25], vec![1.0]];
        let count = 4096;
        let drawn = joint_draws(&gp, &xs, count, 0.0, |s| normals(s as u32, xs.len(), 3)).unwrap();
        let (means, covariance) = gp.joint(&xs);
        let mean = |i: usize| drawn.row(i).iter().sum::<f64>() / count as f64;
        for i in 0..xs.len() {
            assert!((mean(i) - means[i]).abs() < 1e-3, "{i}: {} {}", mean(i), means[i]);
            for j in 0..=i {
                let products = (0..count).map(|s| (drawn[(i, s)] - means[i]) * (drawn[(j, s)] - means[j]));
                let found = products.sum::<f64>() / count as f64;
                assert!((found - covariance[(i, j)]).abs() < 0.01, "{i} {j}: {found} {}", covariance[(i, j)]);
            }
        }
    }
}
