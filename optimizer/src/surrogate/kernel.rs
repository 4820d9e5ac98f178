//! The covariance: one over all columns together, rough or smooth, plus a rough one over each column alone.

use std::borrow::Cow;

use serde::Serialize;

use super::bend::Bends;
use super::gp::Hyper;
use super::lanes::{LANES, Lanes, decay, grouped, lanes, wide};
use super::table::{Numbers, Other, Table};
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

    /// The correlations at the squared distances `r²` and their falls, `−∂/∂(r²)`.
    #[inline(always)]
    pub(super) fn at(self, r2: &Lanes) -> (Lanes, Lanes) {
        match self {
            Self::Rough => {
                let s = lanes(|i| SQRT_5 * r2[i].sqrt());
                matern(&s, &lanes(|i| decay(s[i])))
            }
            Self::Smooth => {
                let e = lanes(|i| decay(0.5 * r2[i]));
                (e, lanes(|i| 0.5 * e[i]))
            }
        }
    }
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
    pub(super) shape: Shape,
    /// `1 / ℓ_j²`
    pub(super) precision: Vec<f64>,
    /// `s²`
    pub(super) signal: f64,
    /// `1 / λ_j²`
    pub(super) main_precision: Vec<f64>,
    /// `√5 / λ_j`
    main_rate: Vec<f64>,
    /// `t² / D`
    pub(super) main_signal: f64,
    /// Distances are those of where points lie.
    bends: Bends,
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
        let placed = self.placed(points);
        let column = |j: usize| self.numbers(j, &placed.iter().map(|p| p[j]).collect::<Vec<f64>>());
        let columns = (0..self.nominal.len()).map(column).collect();
        Table { columns, rows: points.len(), factors: Vec::new() }
    }

    /// The same of one column, of which these are the `numbers` as they lie.
    pub(super) fn numbers(&self, j: usize, numbers: &[f64]) -> Numbers {
        wide(
            #[inline(always)]
            || Numbers::new(self.nominal[j], self.main_rate[j], numbers),
        )
    }

    /// `k(x, x)`, the prior variance.
    pub fn variance(&self) -> f64 {
        self.signal + self.main_signal * self.main_precision.len() as f64
    }

    /// `r²` and the sum over single columns between `others` and a group of rows.
    #[inline(always)]
    pub(super) fn parts<const PRODUCTS: bool>(
        &self,
        table: &Table,
        others: &[Other],
        group: usize,
    ) -> (Lanes, Lanes) {
        let (mut squares, mut main) = ([0.0; LANES], [0.0; LANES]);
        for ((column, other), precision) in table.columns.iter().zip(others).zip(&self.precision) {
            let (d, (value, _)) = by_itself::<PRODUCTS>(column, other, group);
            squares = lanes(|i| squares[i] + precision * d[i] * d[i]);
            main = lanes(|i| main[i] + value[i]);
        }
        (squares, lanes(|i| self.main_signal * main[i]))
    }

    /// Writes `k(x, row)` for each row of `table`.
    pub fn covariances(&self, x: &[f64], table: &Table, out: &mut [f64]) {
        self.covariances_from(0, x, table, out);
    }

    /// The same for the rows from `first` on.
    pub fn covariances_from(&self, first: usize, x: &[f64], table: &Table, out: &mut [f64]) {
        let x = &*self.bends.at(x);
        match table.products_with(x) {
            true => self.write::<true>(first, x, table, out),
            false => self.write::<false>(first, x, table, out),
        }
        out.iter_mut().zip(table.factors.iter().skip(first)).for_each(|(o, factor)| *o *= factor);
    }

    fn write<const PRODUCTS: bool>(&self, first: usize, x: &[f64], table: &Table, out: &mut [f64]) {
        wide(
            #[inline(always)]
            || {
                let others = table.others(x);
                let (mut next, mut skipped) = (&mut *out, first % LANES);
                for group in first / LANES..table.groups() {
                    let (squares, main) = self.parts::<PRODUCTS>(table, &others, group);
                    let (value, _) = self.shape.at(&squares);
                    let all = lanes(|i| main[i] + self.signal * value[i]);
                    let (these, rest) = next.split_at_mut(next.len().min(LANES - skipped));
                    these.copy_from_slice(&all[skipped..skipped + these.len()]);
                    (next, skipped) = (rest, 0);
                }
            },
        );
    }

    /// `Σ_i a_i ∂k(x, row_i)/∂x` and `Σ_i b_i ∂k(x, row_i)/∂x`; 0 in nominal columns.
    pub fn gradients(&self, x: &[f64], table: &Table, a: &[f64], b: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (point, x) = (x, &*self.bends.at(x));
        let weights = |weights: &[f64]| match table.factors.is_empty() {
            true => grouped(weights, 0.0),
            false => {
                grouped(&weights.iter().zip(&table.factors).map(|(w, f)| w * f).collect::<Vec<f64>>(), 0.0)
            }
        };
        let (a, b) = (weights(a), weights(b));
        let (mut by_a, mut by_b) = match table.products_with(x) {
            true => self.slopes::<true>(x, table, &a, &b),
            false => self.slopes::<false>(x, table, &a, &b),
        };
        self.bends.by_point(point, &mut by_a);
        self.bends.by_point(point, &mut by_b);
        (by_a, by_b)
    }

    fn slopes<const PRODUCTS: bool>(
        &self,
        x: &[f64],
        table: &Table,
        a: &[Lanes],
        b: &[Lanes],
    ) -> (Vec<f64>, Vec<f64>) {
        let (mut by_a, mut by_b) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        wide(
            #[inline(always)]
            || {
                let others = table.others(x);
                let mut falls = Vec::with_capacity(a.len());
                for group in 0..a.len() {
                    falls.push(self.shape.at(&self.parts::<PRODUCTS>(table, &others, group).0).1);
                }
                for (j, (column, other)) in table.columns.iter().zip(&others).enumerate() {
                    if self.nominal[j] {
                        continue;
                    }
                    let joint = -2.0 * self.signal * self.precision[j];
                    let main = -2.0 * self.main_signal * self.main_precision[j];
                    let (mut of_a, mut of_b) = ([0.0; LANES], [0.0; LANES]);
                    for (group, ((joint_fall, a), b)) in falls.iter().zip(a).zip(b).enumerate() {
                        let difference = column.differences(other, group);
                        let (_, (_, fall)) = by_itself::<PRODUCTS>(column, other, group);
                        let weight = lanes(|i| difference[i] * (joint * joint_fall[i] + main * fall[i]));
                        of_a = lanes(|i| of_a[i] + weight[i] * a[i]);
                        of_b = lanes(|i| of_b[i] + weight[i] * b[i]);
                    }
                    by_a[j] = of_a.iter().sum();
                    by_b[j] = of_b.iter().sum();
                }
            },
        );
        (by_a, by_b)
    }
}

/// `|Δ_j|` of one column between `other` and a group of rows, and [`matern`] of `Δ_j² / λ_j²`.
#[inline(always)]
pub(super) fn by_itself<const PRODUCTS: bool>(
    column: &Numbers,
    other: &Other,
    group: usize,
) -> (Lanes, (Lanes, Lanes)) {
    let d = column.distances(other, group);
    let e = column.decays::<PRODUCTS>(other, group, &d);
    (d, matern(&column.scaled(&d), &e))
}

/// `M(r²)` and `−∂M/∂(r²) = (5/6)(1 + √5 r) exp(−√5 r)` of `s = √5 r` and `e = exp(−s)`.
#[inline(always)]
fn matern(s: &Lanes, e: &Lanes) -> (Lanes, Lanes) {
    let value = lanes(|i| (1.0 + s[i] + s[i] * s[i] * (1.0 / 3.0)) * e[i]);
    (value, lanes(|i| 5.0 / 6.0 * (1.0 + s[i]) * e[i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surrogate::lanes::dot;
    use crate::surrogate::{Bend, End};

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
