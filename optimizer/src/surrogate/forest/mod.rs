//! Regression trees that are averaged: a model of responses that jump, as a staircase does.

mod tree;

use rand::RngExt;

pub use self::tree::Leaf;
use self::tree::{Sorted, Tree};
use super::gp::Data;
use crate::design;
use crate::space::Column;

/// Trees of a forest.
const TREES: usize = 48;
/// Measurements that the mean square error of unseen results is worth beside those of a leaf in what is said of its variance: a few that happen to
/// be equal do not make it sure.
const PRIOR: f64 = 0.5;
/// The smallest variance, relative to that of all results.
const LEAST_VARIANCE: f64 = 1e-6;

/// A random forest (Breiman 2001): each tree is grown on as many results as there are, drawn with replacement, so that those it has not seen
/// tell how well it predicts.
#[derive(Clone, Debug)]
pub struct Forest {
    trees: Vec<Tree>,
    /// Mean square error of results that trees have not seen.
    error: f64,
    /// What variances are multiplied by, so that those results are as far off as was said.
    factor: f64,
    log_densities: Vec<f64>,
}

impl Forest {
    /// Grown on `data`, of which all results are of the function that is sought; at least two.
    pub fn new(columns: &[Column], data: &Data, seed: u64) -> Self {
        let n = data.values.len();
        let rng = &mut design::generator(seed);
        let sorted = Sorted::new(columns, &data.points, &data.values);
        let mean = data.values.iter().sum::<f64>() / n as f64;
        let variance = data.values.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / n as f64;
        let least = (LEAST_VARIANCE * variance).max(f64::MIN_POSITIVE);
        let mut unseen = vec![Moments::default(); n];
        let mut trees = Vec::with_capacity(TREES);
        for _ in 0..TREES {
            let mut weights = vec![0.0; n];
            for _ in 0..n {
                let i = rng.random_range(0..n);
                weights[i] += data.repeats[i];
            }
            let tree = Tree::new(&sorted, &weights, rng);
            for i in (0..n).filter(|i| weights[*i] == 0.0) {
                unseen[i].add(tree.leaf(&data.points[i]));
            }
            trees.push(tree);
        }
        // a result that every tree has seen, as may be where there are two or three
        let nothing =
            Moments { count: 1.0, mean, square: mean * mean, spread: variance.max(least), unknown: 0.0 };
        unseen.iter_mut().filter(|m| m.count == 0.0).for_each(|m| *m = nothing);
        let off = |m: &Moments, y: &f64| (y - m.mean / m.count).powi(2);
        let error = unseen.iter().zip(&data.values).map(|(m, y)| off(m, y)).sum::<f64>() / n as f64;
        let error = error.max(least);
        let told: Vec<(f64, f64)> = unseen.iter().map(|m| m.prediction(error)).collect();
        let off = told.iter().zip(&data.values).map(|((mean, variance), y)| (y - mean).powi(2) / variance);
        let factor = (off.sum::<f64>() / n as f64).max(LEAST_VARIANCE);
        let density = |((mean, variance), y): (&(f64, f64), &f64)| {
            let variance = factor * variance;
            -0.5 * (std::f64::consts::TAU * variance).ln() - 0.5 * (y - mean).powi(2) / variance
        };
        let log_densities = told.iter().zip(&data.values).map(density).collect();
        Self { trees, error, factor, log_densities }
    }

    /// How many trees there are.
    pub fn count(&self) -> usize {
        self.trees.len()
    }

    /// The leaf of tree `t` that `x` is in.
    pub fn leaf(&self, t: usize, x: &[f64]) -> Leaf {
        self.trees[t].leaf(x)
    }

    /// The variance of one measurement in `leaf`.
    pub fn variance(&self, leaf: Leaf) -> f64 {
        let (spread, unknown) = shares(leaf);
        self.factor * (spread + unknown * self.error)
    }

    /// `ln p(y_i | the others)` of each result, by the trees that have not seen it.
    pub fn left_out_log_densities(&self) -> &[f64] {
        &self.log_densities
    }
}

/// The variance of a leaf: what its own results make of it, and the share of the forest's mean square error.
fn shares(leaf: Leaf) -> (f64, f64) {
    let all = leaf.weight + PRIOR;
    (leaf.weight * leaf.variance / all, PRIOR / all)
}

/// Of what several trees say of one point.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: f64,
    mean: f64,
    square: f64,
    spread: f64,
    unknown: f64,
}

impl Moments {
    fn add(&mut self, leaf: Leaf) {
        let (spread, unknown) = shares(leaf);
        self.count += 1.0;
        self.mean += leaf.mean;
        self.square += leaf.mean * leaf.mean;
        self.spread += spread;
        self.unknown += unknown;
    }

    /// Mean and variance of a measurement: the variance of the trees' means, and the mean of that within leaves (Hutter, Xu, Hoos, Leyton-Brown 2014,
    /// eq. 3).
    fn prediction(&self, error: f64) -> (f64, f64) {
        let mean = self.mean / self.count;
        let between = (self.square / self.count - mean * mean).max(0.0);
        (mean, between + (self.spread + self.unknown * error) / self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design;
    use crate::space::Point;

    const COLUMNS: [Column; 3] =
        [Column::Number { levels: None }, Column::Number { levels: None }, Column::Nominal { count: 3 }];

    fn data(n: u32, f: impl Fn(&[f64]) -> f64) -> Data {
        let point = |i| {
            let u = design::sobol(i, 3, 7);
            vec![u[0], u[1], (u[2] * 3.0).floor()]
        };
        let points: Vec<Point> = (0..n).map(point).collect();
        let values = points.iter().map(|p| f(p)).collect();
        Data { points, values, repeats: vec![1.0; n as usize], ..Data::default() }
    }

    fn step(x: &[f64]) -> f64 {
        if x[0] < 0.4 { -1.0 } else { 1.0 + f64::from(u8::from(x[2] == 1.0)) }
    }

    #[test]
    fn steps_in_a_number_and_a_category_are_found() {
        let forest = Forest::new(&COLUMNS, &data(80, step), 1);
        for x in [[0.2, 0.3, 1.0], [0.7, 0.8, 1.0], [0.7, 0.2, 2.0], [0.95, 0.5, 0.0]] {
            let means = (0..forest.count()).map(|t| forest.leaf(t, &x).mean);
            let mean = means.sum::<f64>() / forest.count() as f64;
            assert!((mean - step(&x)).abs() < 0.05, "{x:?}: {mean}");
        }
    }

    #[test]
    fn left_out_results_are_as_far_off_as_is_said_and_noise_is_not_explained() {
        let noise = |x: &[f64]| design::normal(&mut design::generator((x[0] * 1e9) as u64));
        let forest = Forest::new(&COLUMNS, &data(200, noise), 1);
        let mean = forest.left_out_log_densities().iter().sum::<f64>() / 200.0;
        // that of a standard normal distribution
        let best = -0.5 * (std::f64::consts::TAU.ln() + 1.0);
        assert!(mean < best + 0.05 && mean > best - 0.3, "{mean} {best}");
    }

    #[test]
    fn two_results_and_equal_ones_are_lived_with() {
        for data in [data(2, step), data(2, |_| 0.0), data(20, |_| 0.0)] {
            let forest = Forest::new(&COLUMNS, &data, 1);
            assert!(forest.left_out_log_densities().iter().all(|d| d.is_finite()), "{forest:?}");
            let leaf = forest.leaf(0, &data.points[0]);
            assert!(leaf.mean.is_finite() && forest.variance(leaf) > 0.0);
        }
    }
}
