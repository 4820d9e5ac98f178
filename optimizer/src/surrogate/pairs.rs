//! Covariances of every two of some points, again and again with other hyperparameters.

use std::ops::Range;

use super::bend::Bend;
use super::kernel::{Kernel, by_itself};
use super::lanes::{LANES, Lanes, lanes, wide};
use super::table::{Numbers, Table};
use crate::space::{Column, Point};

/// Points of which every two are a pair. Values by pair stand in eights: for each point those with the later ones, in the eights in which
/// [`Table`] has those, so that the first of them may begin with values that mean nothing, and the last end with such.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// By column and point, where it lies.
    numbers: Vec<Vec<f64>>,
    points: usize,
    /// The first group of values of each point, and how many there are in all.
    starts: Vec<usize>,
}

/// The two parts of the covariance of every pair.
#[derive(Clone, Debug, Default)]
pub struct PairCovariances {
    /// Of all columns together.
    pub joint: Vec<f64>,
    /// The sum over single columns.
    pub main: Vec<f64>,
    /// `½ ∂ joint / ∂ ln ℓ_j`, up to the factor `Δ_j²/ℓ_j²`.
    joint_slope: Vec<f64>,
    /// `r²`
    squares: Vec<f64>,
    /// Under the kernel that made them.
    columns: Vec<Numbers>,
}

impl PairCovariances {
    /// That of one pair.
    pub fn of(&self, pair: usize) -> f64 {
        self.joint[pair] + self.main[pair]
    }
}

impl Pairs {
    /// All pairs of `points`.
    pub fn new(columns: &[Column], points: &[Point]) -> Self {
        let mut starts = vec![0];
        for b in 0..points.len() {
            starts.push(starts[b] + points.len().div_ceil(LANES) - first_group(b));
        }
        let numbers = (0..columns.len()).map(|j| points.iter().map(|p| p[j]).collect()).collect();
        Self { numbers, points: points.len(), starts }
    }

    /// Where the numbers of column `j` lie, bent.
    pub fn bent_numbers(&self, j: usize, bend: Bend) -> Vec<f64> {
        self.numbers[j].iter().map(|x| bend.at(*x)).collect()
    }

    /// Numbers of a column that has no effect.
    pub fn alike(&self) -> Vec<f64> {
        vec![0.5; self.points]
    }

    /// The same points with the numbers of column `j` bent.
    pub fn bent(&self, j: usize, bend: Bend) -> Self {
        let mut bent = self.clone();
        bent.numbers[j] = self.bent_numbers(j, bend);
        bent
    }

    /// How many values by pair there are, those that mean nothing among them.
    pub fn values(&self) -> usize {
        LANES * self.starts[self.points]
    }

    /// Where the values of the pairs of point `b` with each later one are.
    pub fn with_later(&self, b: usize) -> Range<usize> {
        let start = LANES * self.starts[b] + (b + 1) % LANES;
        start..start + self.points - b - 1
    }

    /// The covariances under `kernel`, written over what `out` holds.
    pub fn covariances(&self, kernel: &Kernel, out: &mut PairCovariances) {
        let columns =
            self.numbers.iter().enumerate().map(|(j, numbers)| kernel.numbers(j, numbers)).collect();
        let table = Table { columns, rows: self.points, factors: Vec::new() };
        match table.products() {
            true => self.write::<true>(kernel, &table, out),
            false => self.write::<false>(kernel, &table, out),
        }
        out.columns = table.columns;
    }

    fn write<const PRODUCTS: bool>(&self, kernel: &Kernel, table: &Table, out: &mut PairCovariances) {
        let PairCovariances { joint, main, joint_slope, squares, .. } = out;
        let [joint, main, joint_slope, squares] = [joint, main, joint_slope, squares].map(|part| {
            part.resize(self.values(), 0.0);
            part.as_chunks_mut::<LANES>().0
        });
        wide(
            #[inline(always)]
            || {
                for b in 0..self.points {
                    let others = table.row(b);
                    for (group, value) in self.with_later_groups(b) {
                        let (r2, by_columns) = kernel.parts::<PRODUCTS>(table, &others, group);
                        let (correlation, fall) = kernel.shape.at(&r2);
                        (squares[value], main[value]) = (r2, by_columns);
                        joint[value] = lanes(|i| kernel.signal * correlation[i]);
                        joint_slope[value] = lanes(|i| kernel.signal * fall[i]);
                    }
                }
            },
        );
    }

    /// The groups of later points, and of the values of point `b` with them.
    #[inline(always)]
    fn with_later_groups(&self, b: usize) -> impl Iterator<Item = (usize, usize)> {
        (first_group(b)..).zip(self.starts[b]..self.starts[b + 1])
    }

    /// `Σ_pairs w ∂k/∂ ln ℓ_j`, then `Σ_pairs w ∂k/∂ ln λ_j`, for each column `j`; the weights of values that mean nothing are 0.
    pub fn length_gradients(
        &self,
        kernel: &Kernel,
        covariances: &PairCovariances,
        weights: &[f64],
    ) -> (Vec<f64>, Vec<f64>) {
        let weighted: Vec<f64> =
            weights.iter().zip(&covariances.joint_slope).map(|(w, slope)| 2.0 * w * slope).collect();
        let weights = (weighted.as_chunks::<LANES>().0, weights.as_chunks::<LANES>().0);
        let columns = covariances.columns.iter().enumerate();
        let by_column = columns.map(|(j, column)| {
            let (joint, main) = match column.products() {
                true => self.length_gradient::<true>(column, weights),
                false => self.length_gradient::<false>(column, weights),
            };
            (kernel.precision[j] * joint, 2.0 * kernel.main_signal * kernel.main_precision[j] * main)
        });
        by_column.unzip()
    }

    /// `Σ w Δ²` and `Σ v Δ² · −∂M/∂(r²)` over all values of one column.
    fn length_gradient<const PRODUCTS: bool>(
        &self,
        column: &Numbers,
        (w, v): (&[Lanes], &[Lanes]),
    ) -> (f64, f64) {
        let (mut joint, mut main) = ([0.0; LANES], [0.0; LANES]);
        self.each::<PRODUCTS>(
            column,
            #[inline(always)]
            |value, d, (_, fall)| {
                let (w, v) = (&w[value], &v[value]);
                joint = lanes(|i| joint[i] + w[i] * d[i] * d[i]);
                main = lanes(|i| main[i] + v[i] * fall[i] * d[i] * d[i]);
            },
        );
        (joint.iter().sum(), main.iter().sum())
    }

    /// Calls `visit` with the index of every group of values, and what one column has to do with it: its distances, and by itself the
    /// correlations and their falls. It is to be inlined always, or is not vectorised.
    #[inline(always)]
    fn each<const PRODUCTS: bool>(
        &self,
        column: &Numbers,
        mut visit: impl FnMut(usize, Lanes, (Lanes, Lanes)),
    ) {
        wide(
            #[inline(always)]
            || {
                for b in 0..self.points {
                    let other = column.row(b);
                    for (group, value) in self.with_later_groups(b) {
                        let (d, correlations) = by_itself::<PRODUCTS>(column, &other, group);
                        visit(value, d, correlations);
                    }
                }
            },
        );
    }

    /// Takes out of `all`, the covariances under `kernel`, what column `j` has to do with them.
    pub fn without(&self, j: usize, kernel: &Kernel, all: &PairCovariances) -> Without {
        let mut without = Without { column: j, squares: all.squares.clone(), main: all.main.clone() };
        self.change(
            &mut without,
            kernel,
            &self.numbers[j],
            #[inline(always)]
            |r2, main, square, value| {
                *r2 = lanes(|i| (r2[i] - square[i]).max(0.0));
                *main = lanes(|i| main[i] - kernel.main_signal * value[i]);
            },
        );
        without
    }

    /// Lets `change` alter the parts of `without` by what its column, where these are the `numbers`, has to do with them.
    fn change(
        &self,
        without: &mut Without,
        kernel: &Kernel,
        numbers: &[f64],
        change: impl Fn(&mut Lanes, &mut Lanes, Lanes, Lanes),
    ) {
        let precision = kernel.precision[without.column];
        let column = kernel.numbers(without.column, numbers);
        let (squares, main) = (without.squares.as_chunks_mut().0, without.main.as_chunks_mut().0);
        self.each::<false>(
            &column,
            #[inline(always)]
            |value, d, (correlation, _)| {
                let square = lanes(|i| precision * d[i] * d[i]);
                change(&mut squares[value], &mut main[value], square, correlation);
            },
        );
    }
}

/// The first group of points of which one is after `b`.
fn first_group(b: usize) -> usize {
    (b + 1) / LANES
}

/// What all columns but one add to the covariance of every pair.
#[derive(Clone, Debug)]
pub struct Without {
    column: usize,
    squares: Vec<f64>,
    main: Vec<f64>,
}

impl Without {
    /// The covariance of every pair with these `numbers` in that column.
    pub fn with(&self, pairs: &Pairs, kernel: &Kernel, numbers: &[f64]) -> Vec<f64> {
        let mut all = self.clone();
        pairs.change(
            &mut all,
            kernel,
            numbers,
            #[inline(always)]
            |r2, main, square, value| {
                let r2 = lanes(|i| r2[i] + square[i]);
                let (correlation, _) = kernel.shape.at(&r2);
                *main = lanes(|i| main[i] + kernel.main_signal * value[i] + kernel.signal * correlation[i]);
            },
        );
        all.main
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surrogate::{Bends, Hyper, Shape};

    #[test]
    fn pairs_give_the_same_as_rows() {
        let columns = [Column::Number { levels: None }, Column::Nominal { count: 2 }];
        let points = vec![vec![0.1, 0.0], vec![0.5, 1.0], vec![0.9, 1.0], vec![1.0, 0.0]];
        let all = Pairs::new(&columns, &points);
        let mut pairs = PairCovariances::default();
        // so short that exponentials are not made of factors, then long ones
        for main in [-6.0, -1.1] {
            let hyper = Hyper {
                shape: Shape::Smooth,
                log_lengths: vec![-0.7, 0.2],
                log_signal: 0.3,
                log_main_lengths: vec![main, 0.4],
                log_main: -0.5,
                log_noise: -3.0,
                tasks: Vec::new(),
                bends: Bends::default(),
            };
            let kernel = Kernel::new(&columns, &hyper);
            all.covariances(&kernel, &mut pairs);
            for (b, point) in points.iter().enumerate() {
                let mut rows = vec![0.0; points.len()];
                kernel.covariances(point, &kernel.table(&points), &mut rows);
                for (row, pair) in rows[b + 1..].iter().zip(all.with_later(b)) {
                    assert!((row - pairs.of(pair)).abs() < 1e-14, "{main} {pair}: {row} {}", pairs.of(pair));
                }
            }
        }
    }
}
