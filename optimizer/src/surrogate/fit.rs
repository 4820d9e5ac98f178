//! Hyperparameters by maximum a posteriori: L-BFGS on their logarithms, with analytic gradients, from several starts.

use std::cell::RefCell;

use argmin::core::{CostFunction, Error, Executor, Gradient, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use faer::Mat;
use faer::linalg::solvers::DenseSolveCore;

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::bend::Bends;
use super::gp::{Data, Hyper, Solved};
use super::kernel::{Kernel, Shape};
use super::lanes::dot;
use super::pairs::{PairCovariances, Pairs, Without};
use super::tasks::{self, Between, Relation, Task};
use crate::design;
use crate::space::Column;

/// Stands for "no density here"; argmin's line search needs finite numbers.
const IMPOSSIBLE: f64 = 1e10;
/// After so many the bracket of a slice is a billionth of the circle.
const SHRINKS: usize = 40;
/// Pairs of differences that L-BFGS remembers.
const MEMORY: usize = 8;
/// Steps after which one of several starts is chosen.
const FIRST_STEPS: u64 = 6;
/// L-BFGS stops when the log density per observation changes by less.
const TOLERANCE: f64 = 1e-4;

/// Independent normal densities of the logarithms of the hyperparameters.
///
/// Length scales of the joint part: of numbers `ln ℓ ~ N(−1.8 + ½ ln D, 0.7)`, and `N(−1 + ½ ln D, 0.7)` in a smooth one; of nominal columns [as much
/// longer](apart) as their values are further from each other. As in Hvarfner, Hellsten and Nardi (2024) they grow with the
/// root of the number of columns `D`, so that functions are expected to be as hard in many dimensions as in few; but where
/// those allow a factor of `exp(√3)` either way, here it is two. Length scales of single columns: `ln λ ~ N(−1.6, 0.4)`. With
/// fewer results than hyperparameters wide priors are fitted to chance: on points that were held back the narrow ones predict
/// better up to a hundred results. Signals: `ln s², ln t² ~ N(0, 1)`, since outputs are standardised. Noise: `ln σ² ~ N(−4, 1.5)`.
/// Those of tasks: [`Relation`].
#[derive(Clone, Debug)]
struct Prior {
    shape: Shape,
    location: Vec<f64>,
    scale: Vec<f64>,
}

impl Prior {
    /// The prior for the columns and the tasks, in the order of [`pack`].
    fn new(shape: Shape, columns: &[Column], relations: &[Relation]) -> Self {
        let start = default_start(shape, columns, relations);
        let mut scale = vec![0.7; columns.len()];
        scale.extend(vec![0.4; columns.len()]);
        scale.extend([1.0, 1.0, 1.5]);
        scale.extend(relations.iter().flat_map(|r| r.scales()));
        Self { shape, location: pack(&start), scale }
    }

    /// The log density up to a constant, and its derivatives, added to `gradient`.
    fn density(&self, packed: &[f64], gradient: &mut [f64]) -> f64 {
        let mut sum = 0.0;
        for (j, x) in packed.iter().enumerate() {
            let z = (x - self.location[j]) / self.scale[j];
            sum -= 0.5 * z * z;
            gradient[j] -= z / self.scale[j];
        }
        sum
    }
}

/// The most probable hyperparameters before there is data.
pub fn default_start(shape: Shape, columns: &[Column], relations: &[Relation]) -> Hyper {
    let dimensions = columns.len();
    let number = match shape {
        Shape::Smooth => -1.0,
        Shape::Rough => -1.8,
    };
    let length = |column: &Column| match column {
        Column::Number { .. } => number,
        Column::Nominal { count } => number + apart(*count).ln(),
    };
    let wider = 0.5 * (dimensions.max(1) as f64).ln();
    Hyper {
        shape,
        log_lengths: columns.iter().map(|column| length(column) + wider).collect(),
        log_signal: 0.0,
        log_main_lengths: vec![-1.6; dimensions],
        log_main: 0.0,
        log_noise: -4.0,
        tasks: relations.iter().map(|r| r.expected()).collect(),
        bends: Bends::default(),
    }
}

/// How far two values of a nominal column of `count` are from each other, in terms of two numbers: the ratio of the root mean square distances of two
/// that are drawn uniformly, `√(1 − 1/count)` and `√(1/6)`.
fn apart(count: usize) -> f64 {
    (6.0 * (1.0 - 1.0 / count.max(2) as f64)).sqrt()
}

/// The negative log posterior density of hyperparameters, per observation.
struct Objective<'a> {
    columns: &'a [Column],
    pairs: &'a Pairs,
    data: &'a Data,
    prior: Prior,
    /// argmin asks for the cost and the gradient of a point separately; one computation gives both.
    last: RefCell<Option<Evaluation>>,
    scratch: RefCell<PairCovariances>,
}

/// Where, the cost there, and its gradient.
type Evaluation = (Vec<f64>, f64, Vec<f64>);

impl<'a> Objective<'a> {
    fn new(columns: &'a [Column], pairs: &'a Pairs, data: &'a Data, prior: Prior) -> Self {
        let scratch = RefCell::new(PairCovariances::default());
        Self { columns, pairs, data, prior, last: RefCell::new(None), scratch }
    }

    fn evaluate(&self, packed: &[f64]) -> (f64, Vec<f64>) {
        if let Some((at, cost, gradient)) = &*self.last.borrow()
            && at.as_slice() == packed
        {
            return (*cost, gradient.clone());
        }
        let (cost, gradient) = self
            .log_posterior(&unpack(self.prior.shape, packed, self.columns.len()))
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

    /// `ln p(y | X, θ)`; −∞ where there is no Cholesky factor.
    fn log_likelihood(&self, hyper: &Hyper) -> f64 {
        let kernel = Kernel::new(self.columns, hyper);
        let covariances = &mut *self.scratch.borrow_mut();
        self.pairs.covariances(&kernel, covariances);
        self.log_likelihood_of(hyper, &kernel, &self.data.values, |pair| covariances.of(pair))
    }

    /// The same of `values` and of covariances that are computed already.
    fn log_likelihood_of(
        &self,
        hyper: &Hyper,
        kernel: &Kernel,
        values: &[f64],
        pair: impl Fn(usize) -> f64,
    ) -> f64 {
        Solved::new(self.matrix(hyper, kernel, pair), values, kernel.variance())
            .map_or(f64::NEG_INFINITY, |solved| solved.log_likelihood())
    }

    fn matrix(&self, hyper: &Hyper, kernel: &Kernel, pair: impl Fn(usize) -> f64) -> Mat<f64> {
        let n = self.data.points.len();
        let mut matrix = Mat::<f64>::zeros(n, n);
        for b in 0..n {
            matrix[(b, b)] = kernel.variance() + self.noise(hyper, b);
            let below = &mut matrix.col_as_slice_mut(b)[b + 1..];
            below.iter_mut().zip(self.pairs.with_later(b)).for_each(|(entry, of)| *entry = pair(of));
        }
        let correlations = tasks::correlations(&hyper.tasks, &self.data.of);
        for (b, r) in correlations.iter().enumerate() {
            matrix[(b, b)] += 1.0 - r * r;
            for (a, entry) in matrix.col_as_slice_mut(b).iter_mut().enumerate().skip(b + 1) {
                *entry = self.between(&correlations, a, b).apply(*entry);
            }
        }
        matrix
    }

    /// The noise variance of result `i`.
    fn noise(&self, hyper: &Hyper, i: usize) -> f64 {
        let factor = tasks::noise_factor(&hyper.tasks, &self.data.of, i);
        hyper.log_noise.exp() * factor / self.data.repeats[i]
    }

    fn between(&self, correlations: &[f64], a: usize, b: usize) -> Between {
        if self.data.of[a] == self.data.of[b] {
            Between::Same(correlations[a])
        } else {
            Between::Two(correlations[a] * correlations[b])
        }
    }

    /// `ln p(y | X, θ) + ln p(θ)` and its gradient by `θ` in the order of [`pack`]; `None` where there is no Cholesky
    /// factor.
    ///
    /// With `α = K⁻¹(y − m)` and `W = ααᵀ − K⁻¹`: `∂ ln p / ∂θ_j = ½ Σ_ab W_ab ∂K_ab/∂θ_j` (Rasmussen, Williams 2006, eq.
    /// 5.9). The mean is at its mode, so it adds nothing.
    fn log_posterior(&self, hyper: &Hyper) -> Option<(f64, Vec<f64>)> {
        let kernel = Kernel::new(self.columns, hyper);
        let covariances = &mut *self.scratch.borrow_mut();
        self.pairs.covariances(&kernel, covariances);
        let (n, d) = (self.data.points.len(), self.columns.len());
        let matrix = self.matrix(hyper, &kernel, |pair| covariances.of(pair));
        let solved = Solved::new(matrix, &self.data.values, kernel.variance()).ok()?;
        let inverse = solved.factor.inverse();
        let alpha = &solved.alpha;
        let mut gradient = vec![0.0; 2 * d + 3 + 2 * hyper.tasks.len()];
        // both triangles at once, hence no factor ½
        let mut weights = vec![0.0; self.pairs.values()];
        let mut trace = 0.0;
        for b in 0..n {
            let column = inverse.col_as_slice(b);
            let with_later = weights[self.pairs.with_later(b)].iter_mut();
            with_later
                .zip(&alpha[b + 1..])
                .zip(&column[b + 1..])
                .for_each(|((w, a), k)| *w = a * alpha[b] - k);
            let weight = 0.5 * (alpha[b] * alpha[b] - column[b]);
            trace += weight;
            let by_noise = weight * self.noise(hyper, b);
            gradient[2 * d + 2] += by_noise;
            if let Some(task) = self.data.of.get(b).and_then(|t| t.checked_sub(1)) {
                let r = hyper.tasks[task].correlation();
                gradient[2 * d + 3 + 2 * task] -= 2.0 * r * r * (1.0 - r) * weight;
                gradient[2 * d + 4 + 2 * task] += by_noise;
            }
        }
        self.through_tasks(hyper, covariances, &mut weights, &mut gradient[2 * d + 3..]);
        let (joint, main) = self.pairs.length_gradients(&kernel, covariances, &weights);
        gradient[..d].copy_from_slice(&joint);
        gradient[d..2 * d].copy_from_slice(&main);
        gradient[2 * d] = dot(&weights, &covariances.joint) + trace * hyper.log_signal.exp();
        gradient[2 * d + 1] = dot(&weights, &covariances.main) + trace * hyper.log_main.exp();
        let density = solved.log_likelihood() + self.prior.density(&pack(hyper), &mut gradient);
        Some((density, gradient))
    }

    /// Adds what off-diagonal entries have to do with the ties of tasks to `gradient`, and turns `weights`, by pair of rows, into
    /// those of the covariances of their points. With `r = ρ`: `∂r/∂ tie = r (1 − r)`.
    fn through_tasks(
        &self,
        hyper: &Hyper,
        covariances: &PairCovariances,
        weights: &mut [f64],
        gradient: &mut [f64],
    ) {
        let correlations = tasks::correlations(&hyper.tasks, &self.data.of);
        for b in 0..correlations.len() {
            for (a, pair) in (b + 1..).zip(self.pairs.with_later(b)) {
                let k = covariances.of(pair);
                match self.between(&correlations, a, b) {
                    Between::Same(r) => {
                        if let Some(task) = self.data.of[a].checked_sub(1) {
                            gradient[2 * task] -= 2.0 * r * r * (1.0 - r) * weights[pair];
                        }
                    }
                    Between::Two(product) => {
                        for row in [a, b] {
                            if let Some(task) = self.data.of[row].checked_sub(1) {
                                gradient[2 * task] += weights[pair] * product * (1.0 - correlations[row]) * k;
                            }
                        }
                        weights[pair] *= product;
                    }
                }
            }
        }
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

/// The most probable hyperparameters of `data` found from `starts`, which are of one shape, and the log density there; the first start where no
/// density can be computed. At most `iterations` steps: the first few from each start, all others from where most was reached.
pub fn search(
    columns: &[Column],
    pairs: &Pairs,
    data: &Data,
    starts: &[Hyper],
    iterations: u64,
) -> (Hyper, f64) {
    match starts {
        [start] => climb(columns, pairs, data, start, iterations),
        _ => {
            let reached = starts.iter().map(|start| climb(columns, pairs, data, start, FIRST_STEPS));
            let (best, _) = reached.reduce(|a, b| if b.1 > a.1 { b } else { a }).expect("at least one start");
            climb(columns, pairs, data, &best, iterations - FIRST_STEPS)
        }
    }
}

fn climb(columns: &[Column], pairs: &Pairs, data: &Data, start: &Hyper, iterations: u64) -> (Hyper, f64) {
    let objective = Objective::new(columns, pairs, data, Prior::new(start.shape, columns, &data.relations));
    let (cost, packed) = minimise(objective, pack(start), iterations);
    if cost == IMPOSSIBLE {
        return (start.clone(), f64::NEG_INFINITY);
    }
    let found = unpack(start.shape, &packed, columns.len());
    (Hyper { bends: start.bends.clone(), ..found }, -cost * data.points.len().max(1) as f64)
}

/// How probable results are as their values, or one column after another, are seen otherwise, all else being as it is.
pub struct Screening<'a> {
    objective: Objective<'a>,
    hyper: &'a Hyper,
    kernel: Kernel,
    covariances: PairCovariances,
}

impl<'a> Screening<'a> {
    /// Of `data` under `hyper`.
    pub fn new(columns: &'a [Column], pairs: &'a Pairs, data: &'a Data, hyper: &'a Hyper) -> Self {
        let prior = Prior::new(hyper.shape, columns, &data.relations);
        let kernel = Kernel::new(columns, hyper);
        let mut covariances = PairCovariances::default();
        pairs.covariances(&kernel, &mut covariances);
        Self { objective: Objective::new(columns, pairs, data, prior), hyper, kernel, covariances }
    }

    /// `ln p(y | X, θ)` with all columns as they are; −∞ where it cannot be computed.
    pub fn as_it_is(&self) -> f64 {
        self.seen_as(&self.objective.data.values)
    }

    /// The same of other `values` of the results.
    pub fn seen_as(&self, values: &[f64]) -> f64 {
        self.log_likelihood(values, |pair| self.covariances.of(pair))
    }

    /// What does not depend on column `j`.
    pub fn without(&self, j: usize) -> Without {
        self.objective.pairs.without(j, &self.kernel, &self.covariances)
    }

    /// The same with these `numbers` in the column that `without` leaves out.
    pub fn with(&self, without: &Without, numbers: &[f64]) -> f64 {
        let all = without.with(self.objective.pairs, &self.kernel, numbers);
        self.log_likelihood(&self.objective.data.values, |pair| all[pair])
    }

    fn log_likelihood(&self, values: &[f64], pair: impl Fn(usize) -> f64) -> f64 {
        self.objective.log_likelihood_of(self.hyper, &self.kernel, values, pair)
    }
}

/// `count` sets of hyperparameters from their posterior, `thin` steps of elliptical slice sampling apart (Murray, Adams, MacKay
/// 2010), the first as far from `start`. The priors are normal in the logarithms, so there is nothing to tune.
pub fn sample(
    columns: &[Column],
    pairs: &Pairs,
    data: &Data,
    start: &Hyper,
    (count, thin): (usize, usize),
    rng: &mut Xoshiro256PlusPlus,
) -> Vec<Hyper> {
    let prior = Prior::new(start.shape, columns, &data.relations);
    let objective = Objective::new(columns, pairs, data, prior.clone());
    let centred =
        |hyper: &Hyper| -> Vec<f64> { pack(hyper).iter().zip(&prior.location).map(|(x, l)| x - l).collect() };
    let at = |x: &[f64]| {
        let packed: Vec<f64> = x.iter().zip(&prior.location).map(|(x, l)| x + l).collect();
        unpack(start.shape, &packed, columns.len())
    };
    let mut state = centred(start);
    let mut density = objective.log_likelihood(&at(&state));
    let mut samples = Vec::with_capacity(count);
    if !density.is_finite() {
        return vec![start.clone()];
    }
    for step in 1..=count * thin {
        let other: Vec<f64> = prior.scale.iter().map(|s| s * design::normal(rng)).collect();
        let level = density + (1.0 - rng.random::<f64>()).ln();
        let mut angle = std::f64::consts::TAU * rng.random::<f64>();
        let (mut low, mut high) = (angle - std::f64::consts::TAU, angle);
        // the bracket shrinks towards the state itself, which is above the level
        for _ in 0..SHRINKS {
            let moved: Vec<f64> =
                state.iter().zip(&other).map(|(a, b)| a * angle.cos() + b * angle.sin()).collect();
            let moved_density = objective.log_likelihood(&at(&moved));
            if moved_density > level {
                (state, density) = (moved, moved_density);
                break;
            }
            if angle < 0.0 {
                low = angle;
            } else {
                high = angle;
            }
            angle = low + (high - low) * rng.random::<f64>();
        }
        if step % thin == 0 {
            samples.push(Hyper { bends: start.bends.clone(), ..at(&state) });
        }
    }
    samples
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

/// All but bends: log lengths, log main lengths, log signal, log main signal, log noise; tie and log noise of each task.
fn pack(hyper: &Hyper) -> Vec<f64> {
    let mut packed = hyper.log_lengths.clone();
    packed.extend(&hyper.log_main_lengths);
    packed.extend([hyper.log_signal, hyper.log_main, hyper.log_noise]);
    packed.extend(hyper.tasks.iter().flat_map(|t| [t.tie, t.log_noise]));
    packed
}

fn unpack(shape: Shape, packed: &[f64], columns: usize) -> Hyper {
    let d = columns;
    Hyper {
        shape,
        log_lengths: packed[..d].to_vec(),
        log_main_lengths: packed[d..2 * d].to_vec(),
        log_signal: packed[2 * d],
        log_main: packed[2 * d + 1],
        log_noise: packed[2 * d + 2],
        tasks: packed[2 * d + 3..].chunks_exact(2).map(|t| Task { tie: t[0], log_noise: t[1] }).collect(),
        bends: Bends::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surrogate::Gp;

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
        (columns, Data { points, values, repeats, ..Data::default() })
    }

    #[test]
    fn gradient_of_the_log_posterior_matches_finite_differences() {
        let tasks = [Task { tie: 1.2, log_noise: 0.4 }, Task { tie: -0.7, log_noise: -0.6 }];
        let relations = [Relation::Cluster, Relation::Earlier];
        for (count, shape) in [(0, Shape::Rough), (2, Shape::Rough), (0, Shape::Smooth), (2, Shape::Smooth)] {
            let (columns, mut data) = data(17);
            if count > 0 {
                data.relations = relations.to_vec();
                data.of = (0..17).map(|i| i % 3).collect();
            }
            let pairs = Pairs::new(&columns, &data.points);
            let prior = Prior::new(shape, &columns, &data.relations);
            let objective = Objective::new(&columns, &pairs, &data, prior.clone());
            let hyper = Hyper {
                shape,
                log_lengths: vec![-0.5, 0.2, 0.7],
                log_signal: 0.3,
                log_main_lengths: vec![-0.9, 0.1, 0.3],
                log_main: -0.4,
                log_noise: -3.0,
                tasks: tasks[..count].to_vec(),
                bends: Bends::default(),
            };
            let (density, gradient) = objective.log_posterior(&hyper).unwrap();
            let cost = |p: &Vec<f64>| -> Result<f64, anyhow::Error> {
                Ok(objective.log_posterior(&unpack(shape, p, 3)).unwrap().0)
            };
            let numeric = finitediff::vec::central_diff(&cost)(&pack(&hyper)).unwrap();
            assert_eq!(gradient.len(), numeric.len());
            for (j, (a, b)) in gradient.iter().zip(&numeric).enumerate() {
                assert!((a - b).abs() < 1e-4 * (1.0 + b.abs()), "{j}: {a} {b}");
            }
            let prior = prior.density(&pack(&hyper), &mut [0.0; 13]);
            let direct = Gp::new(&columns, &hyper, &data).unwrap().log_likelihood();
            assert!((density - prior - direct).abs() < 1e-9, "{density} {prior} {direct}");
        }
    }

    #[test]
    fn fitting_raises_the_density_and_predicts_what_it_did_not_see() {
        let (columns, data) = data(40);
        let pairs = Pairs::new(&columns, &data.points);
        for shape in [Shape::Rough, Shape::Smooth] {
            let start = default_start(shape, &columns, &[]);
            let prior = Prior::new(shape, &columns, &[]);
            let objective = Objective::new(&columns, &pairs, &data, prior.clone());
            let before = objective.log_posterior(&start).unwrap().0;
            let (hyper, density) = search(&columns, &pairs, &data, &[start], 50);
            assert!(density > before + 1.0, "{before} {density}");
            let x: [f64; 3] = [0.31, 0.62, 1.0];
            let truth = (6.0 * x[0]).sin() + x[1] * x[1] + 0.3 * x[2] - 0.8;
            let posterior = Gp::new(&columns, &hyper, &data).unwrap().predict(&x);
            assert!((posterior.mean - truth).abs() < 0.1, "{posterior:?} {truth}");
        }
    }
}
