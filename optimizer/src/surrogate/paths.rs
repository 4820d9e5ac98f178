//! Whole functions drawn from the posterior, which can be looked at anywhere.

use faer::Mat;
use faer::linalg::solvers::Solve;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::gp::Gp;
use super::kernel::{Kernel, Shape};
use super::table::Table;
use super::tasks;
use crate::design;
use crate::space::{Column, Point};

/// Waves for what all columns do together, and for what each does by itself.
const JOINT: usize = 96;
const MAIN: usize = 12;
/// Twice the smoothness ν = 5/2 of a Matérn kernel.
const FREEDOM: usize = 5;

/// `S` functions from the posterior of one model.
///
/// By Matheron's rule, `f_s(x) = m + φ(x)ᵀw_s + k(x)ᵀ K⁻¹ (y − m − φ(X)ᵀw_s − ε_s)` (Wilson, Borovitskiy, Terenin, Mostowsky,
/// Deisenroth 2020, "Efficiently Sampling Functions from Gaussian Process Posteriors"), where `φᵀw` is a draw from the prior as a
/// sum of waves (Rahimi, Recht 2007). So the waves decide only what the data leave open; near data the functions are exact.
#[derive(Clone, Debug)]
pub struct Paths {
    waves: Vec<Wave>,
    /// One column a function.
    weights: Mat<f64>,
    corrections: Mat<f64>,
    kernel: Kernel,
    table: Table,
    mean: f64,
}

/// `amplitude · (w₁ cos p + w₂ sin p)`, `p` a sum over columns.
#[derive(Clone, Debug)]
struct Wave {
    amplitude: f64,
    phases: Vec<(usize, Phase)>,
}

#[derive(Clone, Debug)]
enum Phase {
    /// Times the position.
    Rate(f64),
    /// By index of a nominal column.
    Each(Vec<f64>),
}

impl Paths {
    /// `count` functions from the posterior of `gp`, which is over `columns`.
    pub fn new(gp: &Gp, columns: &[Column], count: usize, rng: &mut Xoshiro256PlusPlus) -> Self {
        let waves = waves(gp, columns, rng);
        let features = 2 * waves.len();
        let weights = Mat::from_fn(features, count, |_, _| design::normal(rng));
        let prior = prior(gp, &waves, &weights, rng);
        let residual = &gp.solved().residual;
        let mut corrections = Mat::from_fn(residual.len(), count, |i, s| {
            residual[i] - prior[(i, s)] - gp.noise(i).sqrt() * design::normal(rng)
        });
        gp.solved().factor.solve_in_place(corrections.as_mut());
        let correlations = tasks::correlations(&gp.hyper().tasks, gp.of());
        let table = gp.kernel().table(gp.points()).times(correlations);
        Self { waves, weights, corrections, kernel: gp.kernel().clone(), table, mean: gp.solved().mean }
    }

    /// How many functions there are.
    pub fn count(&self) -> usize {
        self.weights.ncols()
    }

    /// The value of each function (columns) at each of `points` (rows).
    pub fn at(&self, points: &[Point]) -> Mat<f64> {
        // by column of the covariance, so that a row is contiguous
        let mut k = Mat::<f64>::zeros(self.table.rows, points.len());
        for (j, point) in points.iter().enumerate() {
            self.kernel.covariances(point, &self.table, k.col_as_slice_mut(j));
        }
        let mut values = features_at(&self.waves, &self.kernel.placed(points)) * &self.weights
            + k.transpose() * &self.corrections;
        for j in 0..values.ncols() {
            values.col_as_slice_mut(j).iter_mut().for_each(|v| *v += self.mean);
        }
        values
    }
}

/// A draw from the prior of each function (columns) at each result (rows), seen through the result's task.
fn prior(gp: &Gp, waves: &[Wave], weights: &Mat<f64>, rng: &mut Xoshiro256PlusPlus) -> Mat<f64> {
    let features = features_at(waves, &gp.kernel().placed(gp.points()));
    let mut prior = &features * weights;
    for (t, task) in gp.hyper().tasks.iter().enumerate() {
        let r = task.correlation();
        let apart = (1.0 - r * r).sqrt();
        let own = &features * Mat::from_fn(weights.nrows(), weights.ncols(), |_, _| design::normal(rng));
        for s in 0..weights.ncols() {
            let offset = design::normal(rng);
            for i in (0..gp.of().len()).filter(|i| gp.of()[*i] == t + 1) {
                prior[(i, s)] = r * prior[(i, s)] + apart * (own[(i, s)] + offset);
            }
        }
    }
    prior
}

/// Frequencies from the kernel's spectral density. That of a Matérn kernel is a multivariate t with `2ν` degrees of freedom,
/// scaled by the inverse lengths (Rasmussen, Williams 2006, eq. 4.15), that of a squared exponential a normal distribution.
fn waves(gp: &Gp, columns: &[Column], rng: &mut Xoshiro256PlusPlus) -> Vec<Wave> {
    let hyper = gp.hyper();
    let amplitude = |log_variance: f64, count: usize| (log_variance.exp() / count as f64).sqrt();
    let mut waves = Vec::with_capacity(JOINT + MAIN * columns.len());
    let joint = amplitude(hyper.log_signal, JOINT);
    for _ in 0..JOINT {
        let spread = match hyper.shape {
            Shape::Rough => student(rng),
            Shape::Smooth => 1.0,
        };
        let phases = columns.iter().zip(&hyper.log_lengths).enumerate();
        let phases =
            phases.map(|(j, (column, log))| (j, phase(*column, spread * (-log).exp(), rng))).collect();
        waves.push(Wave { amplitude: joint, phases });
    }
    let main = amplitude(hyper.log_main, MAIN * columns.len().max(1));
    for (j, (column, log)) in columns.iter().zip(&hyper.log_main_lengths).enumerate() {
        for _ in 0..MAIN {
            let spread = student(rng);
            waves.push(Wave {
                amplitude: main,
                phases: vec![(j, phase(*column, spread * (-log).exp(), rng))],
            });
        }
    }
    waves
}

/// A normal number times this has a t distribution.
fn student(rng: &mut Xoshiro256PlusPlus) -> f64 {
    let squares: f64 = (0..FREEDOM).map(|_| design::normal(rng).powi(2)).sum();
    (FREEDOM as f64 / squares).sqrt()
}

/// A nominal column is its one-hot code over √2, so that any two of its values are at distance 1.
fn phase(column: Column, scale: f64, rng: &mut Xoshiro256PlusPlus) -> Phase {
    match column {
        Column::Number { .. } => Phase::Rate(scale * design::normal(rng)),
        Column::Nominal { count } => Phase::Each(
            (0..count).map(|_| scale * design::normal(rng) * std::f64::consts::FRAC_1_SQRT_2).collect(),
        ),
    }
}

fn features_at(waves: &[Wave], points: &[Point]) -> Mat<f64> {
    let mut features = Mat::<f64>::zeros(points.len(), 2 * waves.len());
    for (w, wave) in waves.iter().enumerate() {
        for (i, point) in points.iter().enumerate() {
            let phase: f64 = wave
                .phases
                .iter()
                .map(|(j, phase)| match phase {
                    Phase::Rate(rate) => rate * point[*j],
                    Phase::Each(rates) => rates.get(point[*j] as usize).copied().unwrap_or(0.0),
                })
                .sum();
            let (sin, cos) = phase.sin_cos();
            features[(i, 2 * w)] = wave.amplitude * cos;
            features[(i, 2 * w + 1)] = wave.amplitude * sin;
        }
    }
    features
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surrogate::Bends;
    use crate::surrogate::{Data, Hyper};

    #[test]
    fn functions_have_the_posterior_s_mean_and_variance() {
        let columns = [Column::Number { levels: None }, Column::Nominal { count: 3 }];
        for shape in [Shape::Rough, Shape::Smooth] {
            let hyper = Hyper {
                shape,
                log_lengths: vec![-0.9, 0.1],
                log_signal: 0.2,
                log_main_lengths: vec![-1.2, -0.2],
                log_main: -0.4,
                log_noise: -2.0,
                tasks: Vec::new(),
                bends: Bends::default(),
            };
            let points: Vec<Point> = (0..9).map(|i| vec![f64::from(i) / 9.0, f64::from(i % 2)]).collect();
            let values = points.iter().map(|p| (6.0 * p[0]).sin() + p[1]).collect();
            let gp =
                Gp::new(&columns, &hyper, &Data { points, values, repeats: vec![1.0; 9], ..Data::default() })
                    .unwrap();
            // the last one's category is not in the data: the waves alone decide
            let at = [vec![0.31, 1.0], vec![0.9, 0.0], vec![0.5, 2.0]];
            let mut sums = [(0.0, 0.0, 0.0); 3];
            let (sets, each) = (300, 20);
            let mut rng = design::generator(7);
            for _ in 0..sets {
                let paths = Paths::new(&gp, &columns, each, &mut rng);
                let drawn = paths.at(&at);
                for (i, sum) in sums.iter_mut().enumerate() {
                    for s in 0..each {
                        sum.0 += drawn[(i, s)];
                        sum.1 += drawn[(i, s)].powi(2);
                        sum.2 += drawn[(i, s)] * drawn[(0, s)];
                    }
                }
            }
            let n = f64::from(sets) * each as f64;
            let (means, covariance) = gp.joint(&at);
            for (i, (sum, squares, products)) in sums.into_iter().enumerate() {
                let (mean, first) = (sum / n, sums[0].0 / n);
                assert!((mean - means[i]).abs() < 0.04, "{i}: {mean} {}", means[i]);
                let variance = squares / n - mean * mean;
                assert!(
                    (variance / covariance[(i, i)] - 1.0).abs() < 0.1,
                    "{i}: {variance} {}",
                    covariance[(i, i)]
                );
                let shared = products / n - mean * first;
                assert!((shared - covariance[(i, 0)]).abs() < 0.03, "{i}: {shared} {}", covariance[(i, 0)]);
            }
        }
    }
}
