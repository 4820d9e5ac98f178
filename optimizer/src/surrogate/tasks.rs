//! Results of several tasks, which are the clusters of an experiment and earlier experiments, as views of one function.
//!
//! Task `t` follows the common function as far as the data say: `f_t = ρ_t f + √(1 − ρ_t²) (g_t + c_t)` with `g_t` a function of
//! its own from the same prior and `c_t ~ N(0, 1)`. So `cov(f_t(x), f_u(x')) = ρ_t ρ_u k(x, x')` between tasks, and within one
//! `k(x, x') + 1 − ρ_t²`: an intrinsic coregionalisation of rank one (Bonilla, Chai, Williams 2007, "Multi-task Gaussian
//! Process Prediction"; for optimisation Swersky, Snoek, Adams 2013). A task that contradicts the others ends with a small
//! `ρ`, and then teaches little.

use faer::Mat;

use super::gp::Hyper;
use super::kernel::Kernel;
use crate::space::Point;

/// Where a task's results come from, and so what is expected of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// A cluster of the experiment itself: hardly different from the others.
    Cluster,
    /// An experiment that was made before, perhaps of something else.
    Earlier,
}

/// The hyperparameters of a task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Task {
    /// `ln(ρ / (1 − ρ))`
    pub tie: f64,
    /// `ln` of its noise variance, relative to the common one.
    pub log_noise: f64,
}

impl Task {
    /// `ρ`, the correlation with the common function.
    pub fn correlation(self) -> f64 {
        1.0 / (1.0 + (-self.tie).exp())
    }
}

impl Relation {
    /// What is most probable before there is data: `ρ` of 0.993 for a cluster, 0.82 for an earlier experiment; noise as elsewhere.
    pub const fn expected(self) -> Task {
        match self {
            Self::Cluster => Task { tie: 5.0, log_noise: 0.0 },
            Self::Earlier => Task { tie: 1.5, log_noise: 0.0 },
        }
    }

    /// Standard deviations of [`Task::tie`] and [`Task::log_noise`], which have normal priors. Two of them allow an earlier
    /// experiment's `ρ` anything from 0.1 to 0.99.
    pub const fn scales(self) -> [f64; 2] {
        match self {
            Self::Cluster => [1.5, 0.7],
            Self::Earlier => [1.75, 1.0],
        }
    }
}

/// `ρ` by row of the data; empty where all rows are of the common function. `of` has a row's task: 0 is the common function, `t`
/// is task `t − 1` of `tasks`.
pub fn correlations(tasks: &[Task], of: &[usize]) -> Vec<f64> {
    of.iter().map(|t| t.checked_sub(1).map_or(1.0, |t| tasks[t].correlation())).collect()
}

/// The factor of a measurement's noise variance, by row as above; 1 where `of` is empty.
pub fn noise_factor(tasks: &[Task], of: &[usize], row: usize) -> f64 {
    let task = of.get(row).and_then(|t| t.checked_sub(1));
    task.map_or(1.0, |t| tasks[t].log_noise.exp())
}

/// The covariance of every two of `points` with their tasks, without noise: the lower triangle.
pub fn covariance(kernel: &Kernel, hyper: &Hyper, points: &[Point], of: &[usize]) -> Mat<f64> {
    let n = points.len();
    let table = kernel.table(points);
    let correlations = correlations(&hyper.tasks, of);
    let mut matrix = Mat::<f64>::zeros(n, n);
    for (j, point) in points.iter().enumerate() {
        let column = &mut matrix.col_as_slice_mut(j)[j..];
        kernel.covariances_from(j, point, &table, column);
        // the diagonal by formula: rounding must not make a row differ from itself
        column[0] = kernel.variance();
        for (i, (entry, r)) in column.iter_mut().zip(correlations.iter().skip(j)).enumerate() {
            let same = of[j + i] == of[j];
            *entry = if same { Between::Same(*r) } else { Between::Two(r * correlations[j]) }.apply(*entry);
        }
    }
    matrix
}

/// How the covariance of two rows follows from that of their points.
#[derive(Clone, Copy, Debug)]
pub enum Between {
    /// Of one task with this `ρ`.
    Same(f64),
    /// Of two tasks, with the product of both `ρ`.
    Two(f64),
}

impl Between {
    /// The covariance of the rows.
    pub fn apply(self, k: f64) -> f64 {
        match self {
            Self::Same(r) => k + (1.0 - r * r),
            Self::Two(product) => product * k,
        }
    }
}
