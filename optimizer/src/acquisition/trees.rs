//! The improvement that a forest expects.

use std::collections::HashMap;

use super::{log_h, log_mean_exp};
use crate::space::Point;
use crate::surrogate::Forest;
use crate::term::Term;

/// `ln (1/T) Σ_t EI_t(x)`, noisy expected improvement with each tree for a draw of the function: over the tree's own best of the evaluated
/// and the pending points, with the variance of the leaf for what is not known in it. A pending trial counts as one more result of its leaf.
#[derive(Clone, Debug)]
pub struct Trees {
    forest: Forest,
    /// By tree, the smallest value at the points that count.
    best: Vec<f64>,
    /// By tree and leaf, how many trials are pending there.
    pending: Vec<HashMap<usize, f64>>,
}

impl Trees {
    /// Over the best of `evaluated` and `pending`, which are not both empty.
    pub fn new(forest: Forest, evaluated: &[&Point], pending: &[Point]) -> Self {
        let counted = |t: usize| {
            let mut leaves = HashMap::new();
            pending.iter().for_each(|x| *leaves.entry(forest.leaf(t, x).place).or_insert(0.0) += 1.0);
            leaves
        };
        let points = || evaluated.iter().copied().chain(pending);
        let best = |t| points().map(|x| forest.leaf(t, x).mean).fold(f64::INFINITY, f64::min);
        let (best, pending) = (0..forest.count()).map(|t| (best(t), counted(t))).unzip();
        Self { forest, best, pending }
    }

    fn log(&self, x: &[f64]) -> f64 {
        let each = (0..self.forest.count()).map(|t| {
            let leaf = self.forest.leaf(t, x);
            let more = self.pending[t].get(&leaf.place).copied().unwrap_or(0.0);
            let deviation = (self.forest.variance(leaf) * leaf.weight / (leaf.weight + more)).sqrt();
            log_h((self.best[t] - leaf.mean) / deviation) + deviation.ln()
        });
        log_mean_exp(&each.collect::<Vec<f64>>())
    }
}

impl Term for Trees {
    fn logs(&self, points: &[Point]) -> Vec<f64> {
        points.iter().map(|x| self.log(x)).collect()
    }

    /// A step has no slope.
    fn log_with_gradient(&self, x: &[f64]) -> (f64, Vec<f64>) {
        (self.log(x), vec![0.0; x.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design;
    use crate::space::Column;
    use crate::surrogate::Data;
    use crate::term::tests::gradient_matches;

    fn forest() -> (Forest, Vec<Point>) {
        let columns = [Column::Number { levels: None }; 2];
        let points: Vec<Point> = (0..40).map(|i| design::sobol(i, 2, 3)).collect();
        let values = points.iter().map(|p| (3.0 * p[0]).floor() + 0.3 * p[1]).collect();
        let data = Data { points, values, repeats: vec![1.0; 40], ..Data::default() };
        (Forest::new(&columns, &data, 5), data.points)
    }

    #[test]
    fn improvement_matches_plain_monte_carlo_and_has_no_slope() {
        let (forest, points) = forest();
        let evaluated: Vec<&Point> = points.iter().collect();
        let trees = Trees::new(forest.clone(), &evaluated, &[]);
        let rng = &mut design::generator(2);
        for x in [[0.1, 0.2], [0.3, 0.9], [0.5, 0.5]] {
            let n = 4000;
            let mut sum = 0.0;
            for t in 0..forest.count() {
                let leaf = forest.leaf(t, &x);
                let best = points.iter().map(|p| forest.leaf(t, p).mean).fold(f64::INFINITY, f64::min);
                let draw = |rng: &mut _| leaf.mean + forest.variance(leaf).sqrt() * design::normal(rng);
                sum += (0..n).map(|_| (best - draw(rng)).max(0.0)).sum::<f64>();
            }
            let expected = (sum / (n * forest.count()) as f64).ln();
            let log = trees.logs(&[x.to_vec()])[0];
            assert!((log - expected).abs() < 0.05, "{x:?}: {log} {expected}");
            gradient_matches(&trees, &x, 1e-9);
        }
    }

    #[test]
    fn where_a_trial_is_pending_less_is_to_be_gained() {
        let (forest, points) = forest();
        let evaluated: Vec<&Point> = points.iter().collect();
        let x = vec![0.1, 0.2];
        let with = |pending: &[Point]| {
            Trees::new(forest.clone(), &evaluated, pending).logs(std::slice::from_ref(&x))[0]
        };
        assert!(with(std::slice::from_ref(&x)) < with(&[]) - 0.01);
    }
}
