//! Hyperparameters by maximum a posteriori: L-BFGS on their logarithms, with analytic gradients, from several starts.

use std::cell::RefCell;

use argmin::core::{CostFunction, Error, Executor, Gradient, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use faer::linalg::solvers::DenseSolveCore;

use super::gp::{Data, Gp, GpError, Hyper};
use crate::space::Column;

/// Stands for "no density here"; argmin's line search needs finite numbers.
const IMPOSSIBLE: f64 = 1e10;
/// Pairs of differences that L-BFGS remembers.
const MEMORY: usize = 8;
/// L-BFGS stops when the log density per observation changes by less.
const TOLERANCE: f64 = 1e-5;

/// Log densities of the hyperparameters.
///
/// Length scales: `ℓ ~ LogNormal(√2 + ½ ln D, √3)` for `D` columns, which expects functions as hard in many dimensions as in
/// few (Hvarfner, Hellsten, Nardi 2024). Noise: `σ² ~ LogNormal(−4, 1)`, as BoTorch has it. Signal: `ln s² ~ N(0, 1)`,
/// since outputs are standardised.
#[derive(Clone, Copy, Debug)]
pub struct Prior {
    length_location: f64,
}

impl Prior {
    const LENGTH_SCALE: f64 = 1.732_050_807_568_877_2;
    const NOISE_LOCATION: f64 = -4.0;

    /// The prior for `columns` columns.
    pub fn new(columns: usize) -> Self {
        Self { length_location: std::f64::consts::SQRT_2 + 0.5 * (columns.max(1) as f64).ln() }
    }

    /// `ln` of the most probable length scale.
    pub fn log_length_mode(&self) -> f64 {
        self.length_location - Self::LENGTH_SCALE.powi(2)
    }

    /// The log density at `hyper` up to a constant, and its derivatives in the order of [`pack`].
    fn density(&self, hyper: &Hyper, gradient: &mut [f64]) -> f64 {
        let d = hyper.log_lengths.len();
        let mut sum = 0.0;
        for (j, l) in hyper.log_lengths.iter().enumerate() {
            let z = (l - self.length_location) / Self::LENGTH_SCALE;
            sum -= 0.5 * z * z + l;
            gradient[j] -= z / Self::LENGTH_SCALE + 1.0;
        }
        sum -= 0.5 * hyper.log_signal * hyper.log_signal;
        gradient[d] -= hyper.log_signal;
        let z = hyper.log_noise - Self::NOISE_LOCATION;
        sum -= 0.5 * z * z + hyper.log_noise;
        gradient[d + 1] -= z + 1.0;
        sum
    }
}

/// The negative log posterior density of hyperparameters, per observation.
struct Objective<'a> {
    columns: &'a [Column],
    data: &'a Data,
    prior: Prior,
    /// argmin asks for the cost and the gradient of a point separately; one computation gives both.
    last: RefCell<Option<Evaluation>>,
}

/// Where, the cost there, and its gradient.
type Evaluation = (Vec<f64>, f64, Vec<f64>);

impl Objective<'_> {
    fn evaluate(&self, packed: &[f64]) -> (f64, Vec<f64>) {
        if let Some((at, cost, gradient)) = &*self.last.borrow()
            && at.as_slice() == packed
        {
            return (*cost, gradient.clone());
        }
        let (cost, gradient) = log_posterior(self.columns, self.data, self.prior, &unpack(packed))
            .filter(|(density, gradient)| density.is_finite() && gradient.iter().all(|g| g.is_finite()))
            .map_or_else(
                || (IMPOSSIBLE, vec![0.0; packed.len()]),
                |(density, gradient)| {
                    let n = self.data.points.len().max(1) as f64;
                    (-density / n, gradient.into_iter().map(|g| -g / n).collect())
                },
            );
        *self.last.borrow_mut() = Some((packed.to_vec(), cost, gradient.clone()));
        (cost, gradient)
    }
}

impl CostFunction for Objective<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, packed: &Vec<f64>) -> Result<f64, Error> {
        Ok(self.evaluate(packed).0)
    }
}

impl Gradient for Objective<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, packed: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.evaluate(packed).1)
    }
}

/// `ln p(y | X, θ) + ln p(θ)` and its gradient by `θ` in the order of [`pack`]; `None` where there is no Cholesky factor.
///
/// With `α = K⁻¹(y − m)` and `W = ααᵀ − K⁻¹`: `∂ ln p / ∂θ_j = ½ Σ_ab W_ab ∂K_ab/∂θ_j` (Rasmussen, Williams 2006, eq. 5.9).
/// The mean is at its mode, so it adds nothing.
fn log_posterior(columns: &[Column], data: &Data, prior: Prior, hyper: &Hyper) -> Option<(f64, Vec<f64>)> {
    let gp = Gp::new(columns, hyper, data).ok()?;
    let inverse = gp.factor.inverse();
    let (n, d) = (data.points.len(), columns.len());
    let mut gradient = vec![0.0; d + 2];
    let mut terms = vec![0.0; d];
    let noise = hyper.log_noise.exp();
    for b in 0..n {
        for a in b + 1..n {
            // both triangles at once, hence no factor ½
            let weight = gp.signal * (gp.alpha[a] * gp.alpha[b] - inverse[(a, b)]);
            let (correlation, slope) =
                gp.kernel.correlation_with_terms(&data.points[a], &data.points[b], &mut terms);
            for j in 0..d {
                gradient[j] += weight * slope * terms[j];
            }
            gradient[d] += weight * correlation;
        }
        let weight = 0.5 * (gp.alpha[b] * gp.alpha[b] - inverse[(b, b)]);
        gradient[d] += weight * gp.signal;
        gradient[d + 1] += weight * noise / data.repeats[b];
    }
    let density = gp.log_likelihood() + prior.density(hyper, &mut gradient);
    Some((density, gradient))
}

/// The most probable model of `data` found from `starts`, with at most `iterations` steps from each.
///
/// # Errors
/// If no start, nor the prior's mode with more noise, gives a positive definite covariance.
pub fn fit(columns: &[Column], data: &Data, starts: &[Hyper], iterations: u64) -> Result<(Gp, f64), GpError> {
    let prior = Prior::new(columns.len());
    let mut best: Option<(f64, Vec<f64>)> = None;
    for start in starts {
        let packed = pack(start);
        let objective = Objective { columns, data, prior, last: RefCell::new(None) };
        let (cost, packed) = minimise(objective, packed, iterations);
        if cost < IMPOSSIBLE && best.as_ref().is_none_or(|(c, _)| cost < *c) {
            best = Some((cost, packed));
        }
    }
    match best {
        Some((cost, packed)) => {
            let density = -cost * data.points.len().max(1) as f64;
            Ok((Gp::new(columns, &unpack(&packed), data)?, density))
        }
        None => Ok((Gp::new(columns, &default_start(columns.len()), data)?, f64::NEG_INFINITY)),
    }
}

/// The prior's mode, with a noise that is seen but small.
pub fn default_start(columns: usize) -> Hyper {
    let prior = Prior::new(columns);
    Hyper { log_lengths: vec![prior.log_length_mode(); columns], log_signal: 0.0, log_noise: -5.0 }
}

fn minimise(objective: Objective<'_>, start: Vec<f64>, iterations: u64) -> (f64, Vec<f64>) {
    let first = objective.evaluate(&start).0;
    let tolerances = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY)
        .with_tolerance_cost(TOLERANCE)
        .and_then(|solver| solver.with_tolerance_grad(1e-4));
    let Ok(solver) = tolerances else { return (first, start) };
    let run = Executor::new(objective, solver)
        .configure(|state| state.param(start.clone()).max_iters(iterations))
        .timer(false)
        .run();
    // a line search that fails ends the run; what was best until then is kept
    match run {
        Ok(result) => match result.state().get_best_param() {
            Some(best) if result.state().get_best_cost() <= first => {
                (result.state().get_best_cost(), best.clone())
            }
            _ => (first, start),
        },
        Err(_) => (first, start),
    }
}

/// Log lengths, log signal, log noise.
fn pack(hyper: &Hyper) -> Vec<f64> {
    let mut packed = hyper.log_lengths.clone();
    packed.extend([hyper.log_signal, hyper.log_noise]);
    packed
}

fn unpack(packed: &[f64]) -> Hyper {
    let d = packed.len() - 2;
    Hyper { log_lengths: packed[..d].to_vec(), log_signal: packed[d], log_noise: packed[d + 1] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design;

    fn data(n: u32) -> (Vec<Column>, Data) {
        let columns = vec![
            Column::Number { levels: None },
            Column::Number { levels: None },
            Column::Nominal { count: 3 },
        ];
        let points: Vec<Vec<f64>> = (0..n)
            .map(|i| {
                let u = design::sobol(i, 3, 7);
                vec![u[0], u[1], (u[2] * 3.0).floor()]
            })
            .collect();
        let values = points.iter().map(|p| (6.0 * p[0]).sin() + p[1] * p[1] + 0.3 * p[2] - 0.8).collect();
        let repeats = (0..n).map(|i| f64::from(1 + i % 3)).collect();
        (columns, Data { points, values, repeats })
    }

    #[test]
    fn gradient_of_the_log_posterior_matches_finite_differences() {
        let (columns, data) = data(17);
        let prior = Prior::new(3);
        let hyper = Hyper { log_lengths: vec![-0.5, 0.2, 0.7], log_signal: 0.3, log_noise: -3.0 };
        let (_, gradient) = log_posterior(&columns, &data, prior, &hyper).unwrap();
        let cost = |p: &Vec<f64>| -> Result<f64, anyhow::Error> {
            Ok(log_posterior(&columns, &data, prior, &unpack(p)).unwrap().0)
        };
        let numeric = finitediff::vec::central_diff(&cost)(&pack(&hyper)).unwrap();
        for (j, (a, b)) in gradient.iter().zip(&numeric).enumerate() {
            assert!((a - b).abs() < 1e-4 * (1.0 + b.abs()), "{j}: {a} {b}");
        }
    }

    #[test]
    fn fitting_raises_the_density_and_predicts_what_it_did_not_see() {
        let (columns, data) = data(40);
        let start = default_start(3);
        let before = log_posterior(&columns, &data, Prior::new(3), &start).unwrap().0;
        let (gp, density) = fit(&columns, &data, &[start], 50).unwrap();
        assert!(density > before + 1.0, "{before} {density}");
        let x: [f64; 3] = [0.31, 0.62, 1.0];
        let truth = (6.0 * x[0]).sin() + x[1] * x[1] + 0.3 * x[2] - 0.8;
        let posterior = gp.predict(&x);
        assert!((posterior.mean - truth).abs() < 0.1, "{posterior:?} {truth}");
    }
}
