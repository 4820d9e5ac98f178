//! The covariance: one over all columns together, rough or smooth, plus a rough one over each column alone.

use std::borrow::Cow;

use serde::Serialize;

use super::bend::{Bend, Bends};
use super::gp::Hyper;
use crate::space::{Column, Point};

/// √5
const SQRT_5: f64 = 2.236_067_977_499_79;

/// What the function is expected to look like where all columns are seen together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Twice differentiable: Matérn-5/2, `M(r²) = (1 + √5 r + 5r²/3) exp(−√5 r)` (Rasmussen, Williams 2006, eq. 4.17).
    Rough,
    /// Analytic: the squared exponential, `exp(−r²/2)` (there eq. 4.9).
    Smooth,
}

impl Shape {
    /// The name of the kernel, for people.
    pub const fn kernel(self) -> &'static str {
        match self {
            Self::Rough => "Matérn-5/2",
            Self::Smooth => "squared exponential",
        }
    }

    /// The correlation at the squared distance `r²` and its fall, `−∂/∂(r²)`.
    #[inline(always)]
    fn at(self, r2: f64) -> (f64, f64) {
        match self {
            Self::Rough => of_scaled(SQRT_5 * r2.sqrt()),
            Self::Smooth => {
                let e = decay(0.5 * r2);
                (e, 0.5 * e)
            }
        }
    }

    /// [`Self::at`] for each of `r2` and what is to take it; the shape is chosen once.
    #[inline(always)]
    fn each<T>(self, r2: &[f64], out: impl Iterator<Item = T>, take: impl Fn(T, (f64, f64))) {
        match self {
            Self::Rough => r2.iter().zip(out).for_each(|(r2, out)| take(out, Self::Rough.at(*r2))),
            Self::Smooth => r2.iter().zip(out).for_each(|(r2, out)| take(out, Self::Smooth.at(*r2))),
        }
    }
}

/// Runs loops with the widest registers of the processor. What is computed of each element is the same on every machine.
#[inline(always)]
fn wide<T>(loops: impl FnOnce() -> T) -> T {
    pulp::Arch::new().dispatch(loops)
}

/// `k(x, x') = s² S(r²) + (t²/D) Σ_j M(Δ_j² / λ_j²)` with `r² = Σ_j Δ_j² / ℓ_j²`, `S` of the [`Shape`], and Matérn-5/2, `M`.
///
/// The second sum is a prior over functions without interactions (Duvenaud, Nickisch, Rasmussen 2011, "Additive Gaussian
/// Processes"): what a column does by itself is learned from every point, wherever the other columns are.
///
/// In a nominal column `Δ` is 1 between different values and 0 between equal ones. That is the Euclidean distance of
/// one-hot codes (up to the factor √2 that the length scale absorbs), so the mixed kernel stays positive definite.
#[derive(Clone, Debug)]
pub struct Kernel {
    nominal: Vec<bool>,
    shape: Shape,
    /// `1 / ℓ_j²`
    precision: Vec<f64>,
    /// `s²`
    signal: f64,
    /// `1 / λ_j²`
    main_precision: Vec<f64>,
    /// `√5 / λ_j`
    main_rate: Vec<f64>,
    /// `t² / D`
    main_signal: f64,
    /// Distances are those of where points lie.
    bends: Bends,
}

/// Points by column, so that loops over points run over adjacent numbers.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Vec<f64>>,
    rows: usize,
    /// What a covariance with each row is multiplied by; empty for 1.
    factors: Vec<f64>,
}

impl Table {
    /// The same numbers, transposed.
    fn new(points: &[Point], columns: usize) -> Self {
        Self {
            columns: (0..columns).map(|j| points.iter().map(|p| p[j]).collect()).collect(),
            rows: points.len(),
            factors: Vec::new(),
        }
    }

    /// The same rows, covariances with which are multiplied by `factors`; none of them for 1.
    pub fn times(self, factors: Vec<f64>) -> Self {
        Self { factors, ..self }
    }

    /// How many points there are.
    pub fn rows(&self) -> usize {
        self.rows
    }
}

impl Kernel {
    /// The kernel over `columns` with `hyper`.
    pub fn new(columns: &[Column], hyper: &Hyper) -> Self {
        let precision = |logs: &[f64]| logs.iter().map(|l| (-2.0 * l).exp()).collect();
        Self {
            nominal: columns.iter().map(|c| matches!(c, Column::Nominal { .. })).collect(),
            shape: hyper.shape,
            precision: precision(&hyper.log_lengths),
            signal: hyper.log_signal.exp(),
            main_precision: precision(&hyper.log_main_lengths),
            main_rate: hyper.log_main_lengths.iter().map(|l| SQRT_5 * (-l).exp()).collect(),
            main_signal: hyper.log_main.exp() / columns.len().max(1) as f64,
            bends: hyper.bends.clone(),
        }
    }

    /// Where `points` lie, bent.
    pub fn placed<'a>(&self, points: &'a [Point]) -> Cow<'a, [Point]> {
        self.bends.all(points)
    }

    /// What it takes of `points` to compute covariances with them.
    pub fn table(&self, points: &[Point]) -> Table {
        Table::new(&self.placed(points), self.nominal.len())
    }

    /// `k(x, x)`, the prior variance.
    pub fn variance(&self) -> f64 {
        self.signal + self.main_signal * self.main_precision.len() as f64
    }

    /// `|Δ_j|` of column `j` between `x` and each row.
    #[inline(always)]
    fn distances(&self, j: usize, x: f64, column: &[f64], out: &mut [f64]) {
        if self.nominal[j] {
            out.iter_mut().zip(column).for_each(|(o, b)| *o = if x == *b { 0.0 } else { 1.0 });
        } else {
            out.iter_mut().zip(column).for_each(|(o, b)| *o = (x - b).abs());
        }
    }

    /// Writes `k(x, row)` for each row of `table`.
    pub fn covariances(&self, x: &[f64], table: &Table, out: &mut [f64]) {
        self.covariances_from(0, x, table, out);
    }

    /// The same for the rows from `first` on.
    pub fn covariances_from(&self, first: usize, x: &[f64], table: &Table, out: &mut [f64]) {
        let x = &*self.bends.at(x);
        let rows = table.rows - first;
        let mut distances = vec![0.0; rows];
        let mut r2 = vec![0.0; rows];
        out.fill(0.0);
        wide(
            #[inline(always)]
            || {
                for (j, column) in table.columns.iter().enumerate() {
                    self.distances(j, x[j], &column[first..], &mut distances);
                    let (precision, rate) = (self.precision[j], self.main_rate[j]);
                    for ((o, r2), d) in out.iter_mut().zip(&mut r2).zip(&distances) {
                        *r2 += precision * d * d;
                        *o += of_scaled(rate * d).0;
                    }
                }
                self.shape.each(&r2, out.iter_mut(), |o, (value, _)| {
                    *o = self.main_signal * *o + self.signal * value
                });
            },
        );
        out.iter_mut().zip(table.factors.iter().skip(first)).for_each(|(o, factor)| *o *= factor);
    }

    /// `Σ_i a_i ∂k(x, row_i)/∂x` and `Σ_i b_i ∂k(x, row_i)/∂x`; 0 in nominal columns.
    pub fn gradients(&self, x: &[f64], table: &Table, a: &[f64], b: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (point, x) = (x, &*self.bends.at(x));
        let mut weights = vec![0.0; table.rows];
        let mut slope = vec![0.0; table.rows];
        let mut r2 = vec![0.0; table.rows];
        let (mut by_a, mut by_b) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        wide(
            #[inline(always)]
            || {
                for (j, column) in table.columns.iter().enumerate() {
                    self.distances(j, x[j], column, &mut weights);
                    r2.iter_mut().zip(&weights).for_each(|(r2, d)| *r2 += self.precision[j] * d * d);
                }
                self.shape.each(&r2, slope.iter_mut(), |slope, (_, fall)| *slope = self.signal * fall);
                for (j, column) in table.columns.iter().enumerate().filter(|(j, _)| !self.nominal[*j]) {
                    let (precision, rate) = (self.precision[j], self.main_rate[j]);
                    let main = self.main_signal * self.main_precision[j];
                    for ((weight, slope), b) in weights.iter_mut().zip(&slope).zip(column) {
                        let d = x[j] - b;
                        *weight = -2.0 * d * (precision * slope + main * of_scaled(rate * d.abs()).1);
                    }
                    weights.iter_mut().zip(&table.factors).for_each(|(w, factor)| *w *= factor);
                    by_a[j] = dot(&weights, a);
                    by_b[j] = dot(&weights, b);
                }
            },
        );
        self.bends.by_point(point, &mut by_a);
        self.bends.by_point(point, &mut by_b);
        (by_a, by_b)
    }
}

/// What a covariance matrix and its derivatives by the hyperparameters need of a set of points: `|Δ_j|` of every pair, by
/// column, pairs in the order (1,0), (2,0), …, (2,1), ….
#[derive(Clone, Debug)]
pub struct Pairs {
    distances: Vec<Vec<f64>>,
    points: usize,
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
    /// `½ ∂ main / ∂ ln λ_j`.
    main_slopes: Vec<Vec<f64>>,
    /// `r²`, in between.
    squares: Vec<f64>,
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
        let distances = columns
            .iter()
            .enumerate()
            .map(|(j, column)| {
                let nominal = matches!(column, Column::Nominal { .. });
                by_pair(points, |a, b| match (nominal, a[j] - b[j]) {
                    (true, 0.0) => 0.0,
                    (true, _) => 1.0,
                    (false, d) => d.abs(),
                })
            })
            .collect();
        Self { distances, points: points.len() }
    }

    /// `|Δ_j|` of every pair of `points` with the numbers of column `j` bent.
    pub fn bent_distances(points: &[Point], j: usize, bend: Bend) -> Vec<f64> {
        let placed: Vec<f64> = points.iter().map(|p| bend.at(p[j])).collect();
        by_pair(&placed, |a, b| (a - b).abs())
    }

    /// The same with the numbers of column `j` bent.
    pub fn bent(&self, points: &[Point], j: usize, bend: Bend) -> Self {
        let mut bent = self.clone();
        bent.distances[j] = Self::bent_distances(points, j, bend);
        bent
    }

    /// How many points there are.
    pub fn points(&self) -> usize {
        self.points
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.points * self.points.saturating_sub(1) / 2
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The covariances under `kernel`, written over what `out` holds.
    pub fn covariances(&self, kernel: &Kernel, out: &mut PairCovariances) {
        let n = self.len();
        let PairCovariances { joint, main, joint_slope, main_slopes, squares } = out;
        for part in [&mut *joint, &mut *main, &mut *joint_slope, &mut *squares] {
            part.clear();
            part.resize(n, 0.0);
        }
        main_slopes.resize(self.distances.len(), Vec::new());
        main_slopes.iter_mut().for_each(|slope| slope.resize(n, 0.0));
        wide(
            #[inline(always)]
            || {
                for (distances, precision) in self.distances.iter().zip(&kernel.precision) {
                    squares.iter_mut().zip(distances).for_each(|(r2, d)| *r2 += precision * d * d);
                }
                kernel.shape.each(squares, joint.iter_mut().zip(joint_slope), |(k, slope), (value, fall)| {
                    *k = kernel.signal * value;
                    *slope = kernel.signal * fall;
                });
                for (j, (distances, slope)) in self.distances.iter().zip(main_slopes).enumerate() {
                    let (precision, rate, signal) =
                        (kernel.main_precision[j], kernel.main_rate[j], kernel.main_signal);
                    for ((m, s), d) in main.iter_mut().zip(slope).zip(distances) {
                        let (value, fall) = of_scaled(rate * d);
                        *m += signal * value;
                        *s = signal * fall * precision * d * d;
                    }
                }
            },
        );
    }

    /// Takes out of `all`, the covariances under `kernel`, what column `j` has to do with them.
    pub fn without(&self, j: usize, kernel: &Kernel, all: &PairCovariances) -> Without {
        let (precision, rate) = (kernel.precision[j], kernel.main_rate[j]);
        let mut without = Without { column: j, squares: all.squares.clone(), main: all.main.clone() };
        wide(
            #[inline(always)]
            || {
                let parts = without.squares.iter_mut().zip(&mut without.main);
                for ((r2, main), d) in parts.zip(&self.distances[j]) {
                    *r2 = (*r2 - precision * d * d).max(0.0);
                    *main -= kernel.main_signal * of_scaled(rate * d).0;
                }
            },
        );
        without
    }

    /// `Σ_pairs w ∂k/∂ ln ℓ_j`, then `Σ_pairs w ∂k/∂ ln λ_j`, for each column `j`.
    pub fn length_gradients(
        &self,
        kernel: &Kernel,
        covariances: &PairCovariances,
        weights: &[f64],
    ) -> (Vec<f64>, Vec<f64>) {
        let weighted: Vec<f64> =
            weights.iter().zip(&covariances.joint_slope).map(|(w, s)| 2.0 * w * s).collect();
        let mut squares = vec![0.0; self.len()];
        wide(
            #[inline(always)]
            || {
                let joint = self
                    .distances
                    .iter()
                    .zip(&kernel.precision)
                    .map(|(distances, precision)| {
                        squares.iter_mut().zip(distances).for_each(|(q, d)| *q = d * d);
                        precision * dot(&weighted, &squares)
                    })
                    .collect();
                let main = covariances.main_slopes.iter().map(|slope| 2.0 * dot(weights, slope)).collect();
                (joint, main)
            },
        )
    }
}

/// What all columns but one add to the covariance of every pair.
#[derive(Clone, Debug)]
pub struct Without {
    column: usize,
    squares: Vec<f64>,
    main: Vec<f64>,
}

impl Without {
    /// The covariance of every pair with these `distances` in that column.
    pub fn with(&self, kernel: &Kernel, distances: &[f64]) -> Vec<f64> {
        let (precision, rate) = (kernel.precision[self.column], kernel.main_rate[self.column]);
        let mut squares = self.squares.clone();
        let mut all = self.main.clone();
        wide(
            #[inline(always)]
            || {
                for ((r2, k), d) in squares.iter_mut().zip(&mut all).zip(distances) {
                    *r2 += precision * d * d;
                    *k += kernel.main_signal * of_scaled(rate * d).0;
                }
                kernel.shape.each(&squares, all.iter_mut(), |k, (value, _)| *k += kernel.signal * value);
            },
        );
        all
    }
}

/// `distance` of every two of `points`, in the order of [`Pairs`].
fn by_pair<T>(points: &[T], distance: impl Fn(&T, &T) -> f64) -> Vec<f64> {
    let mut all = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (i, b) in points.iter().enumerate() {
        all.extend(points[i + 1..].iter().map(|a| distance(a, b)));
    }
    all
}

/// `M(r²)` and `−∂M/∂(r²) = (5/6)(1 + √5 r) exp(−√5 r)` of `s = √5 r`.
#[inline(always)]
fn of_scaled(s: f64) -> (f64, f64) {
    let e = decay(s);
    ((1.0 + s + s * s * (1.0 / 3.0)) * e, 5.0 / 6.0 * (1.0 + s) * e)
}

/// `exp(−s)` for `s ≥ 0`, to twelve digits; without a branch or a call, so that loops over it are
/// vectorised, and the same on every machine.
#[inline(always)]
fn decay(s: f64) -> f64 {
    // adding 1.5·2⁵² rounds to a whole number, which then stands in the low bits
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let x = -s.min(700.0);
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let f = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    // Taylor's series; |f| ≤ ½ ln 2
    let mut p = 1.0 / 3_628_800.0;
    for c in [
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        p = p * f + c;
    }
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    p * power
}

/// Eight partial sums, since a single one cannot be vectorised.
#[inline]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (chunks_a, rest_a) = a.as_chunks::<8>();
    let (chunks_b, rest_b) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in chunks_a.iter().zip(chunks_b) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surrogate::End;

    const SHAPES: [Shape; 2] = [Shape::Rough, Shape::Smooth];

    fn hyper(shape: Shape) -> Hyper {
        Hyper {
            shape,
            log_lengths: vec![-0.7, 0.2],
            log_signal: 0.3,
            log_main_lengths: vec![-1.1, 0.4],
            log_main: -0.5,
            log_noise: -3.0,
            tasks: Vec::new(),
            bends: Bends::default(),
        }
    }

    #[test]
    fn exponential_has_twelve_digits() {
        for s in [0.0, 1e-300, 1e-9, 0.1, 0.346, 0.347, 1.0, 5.5, 37.0, 300.0, 699.0] {
            let exact = f64::exp(-s);
            assert!((decay(s) - exact).abs() <= 1e-12 * exact, "{s}: {} {exact}", decay(s));
        }
        assert!(decay(f64::INFINITY) < 1e-300);
    }

    #[test]
    fn matches_the_closed_form() {
        let columns = [Column::Number { levels: None }, Column::Nominal { count: 4 }];
        let matern = |r: f64| (1.0 + 5f64.sqrt() * r + 5.0 / 3.0 * r * r) * (-(5f64.sqrt()) * r).exp();
        let (dx, dc) = (0.4f64, 1.0f64);
        let joint = ((dx / (-0.7f64).exp()).powi(2) + (dc / 0.2f64.exp()).powi(2)).sqrt();
        for shape in SHAPES {
            let kernel = Kernel::new(&columns, &hyper(shape));
            let together = match shape {
                Shape::Rough => matern(joint),
                Shape::Smooth => (-0.5 * joint * joint).exp(),
            };
            let expected = 0.3f64.exp() * together
                + (-0.5f64).exp() / 2.0 * (matern(dx / (-1.1f64).exp()) + matern(dc / 0.4f64.exp()));
            let mut out = [0.0];
            kernel.covariances(&[0.1, 0.0], &kernel.table(&[vec![0.5, 2.0]]), &mut out);
            assert!((out[0] - expected).abs() < 1e-12, "{} {expected}", out[0]);
            kernel.covariances(&[0.1, 3.0], &kernel.table(&[vec![0.5, 1.0]]), &mut out);
            assert!((out[0] - expected).abs() < 1e-12, "nominal values are equally far from each other");
            kernel.covariances(&[0.1, 3.0], &kernel.table(&[vec![0.1, 3.0]]), &mut out);
            assert!((out[0] - kernel.variance()).abs() < 1e-15);
        }
    }

    #[test]
    fn pairs_give_the_same_as_rows() {
        let columns = [Column::Number { levels: None }, Column::Nominal { count: 2 }];
        let kernel = Kernel::new(&columns, &hyper(Shape::Smooth));
        let points = vec![vec![0.1, 0.0], vec![0.5, 1.0], vec![0.9, 1.0]];
        let mut pairs = PairCovariances::default();
        Pairs::new(&columns, &points).covariances(&kernel, &mut pairs);
        let mut rows = vec![0.0; 3];
        kernel.covariances(&points[0], &kernel.table(&points), &mut rows);
        for (i, pair) in [(1, 0), (2, 1)] {
            assert!((rows[i] - pairs.joint[pair] - pairs.main[pair]).abs() < 1e-14);
        }
    }

    #[test]
    fn gradient_by_position_matches_finite_differences() {
        let columns = [Column::Number { levels: None }, Column::Number { levels: None }];
        let x = vec![0.2, 0.9];
        let weights = ([0.7, -0.4], [0.1, 2.0]);
        let bent = Bends::default().with(1, 2, Bend { end: End::Low, strength: 4.0 });
        let bent = Hyper { bends: bent, ..hyper(Shape::Rough) };
        for hyper in [hyper(Shape::Rough), hyper(Shape::Smooth), bent] {
            let kernel = Kernel::new(&columns, &hyper);
            let table = kernel.table(&[vec![0.5, 0.4], vec![0.1, 0.95]]);
            let (a, b) = kernel.gradients(&x, &table, &weights.0, &weights.1);
            let value = |x: &[f64], w: &[f64]| {
                let mut out = [0.0; 2];
                kernel.covariances(x, &table, &mut out);
                dot(&out, w)
            };
            for j in 0..2 {
                let (mut up, mut down) = (x.clone(), x.clone());
                up[j] += 1e-6;
                down[j] -= 1e-6;
                for (gradient, w) in [(a[j], &weights.0), (b[j], &weights.1)] {
                    let numeric = (value(&up, w) - value(&down, w)) / 2e-6;
                    assert!((gradient - numeric).abs() < 1e-8, "{j}: {gradient} {numeric}");
                }
            }
        }
    }
}
