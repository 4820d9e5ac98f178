//! The covariance: Matérn-5/2 with a length scale for each column.

use crate::space::Column;

/// √5
const SQRT_5: f64 = 2.236_067_977_499_79;

/// Scaled squared distance `r² = Σ_j Δ_j² / ℓ_j²`, and Matérn-5/2 on it: `k(r) = (1 + √5 r + 5r²/3) exp(−√5 r)`, with
/// `k(0) = 1` (Rasmussen, Williams 2006, eq. 4.17).
///
/// In a nominal column `Δ` is 1 between different values and 0 between equal ones. That is the Euclidean distance of
/// one-hot codes (up to the factor √2 that the length scale absorbs), so the mixed kernel stays positive definite.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// For each column, whether it is nominal.
    nominal: Vec<bool>,
    /// `1 / ℓ_j²`
    precision: Vec<f64>,
}

impl Kernel {
    /// The kernel over `columns` with `log_lengths[j] = ln ℓ_j`.
    pub fn new(columns: &[Column], log_lengths: &[f64]) -> Self {
        Self {
            nominal: columns.iter().map(|c| matches!(c, Column::Nominal { .. })).collect(),
            precision: log_lengths.iter().map(|l| (-2.0 * l).exp()).collect(),
        }
    }

    /// `Δ_j² / ℓ_j²` of one column.
    #[inline]
    fn term(&self, j: usize, a: f64, b: f64) -> f64 {
        if self.nominal[j] {
            if a == b { 0.0 } else { self.precision[j] }
        } else {
            (a - b) * (a - b) * self.precision[j]
        }
    }

    /// Correlation of two points, at most 1.
    #[inline]
    pub fn correlation(&self, a: &[f64], b: &[f64]) -> f64 {
        let r2: f64 = (0..self.precision.len()).map(|j| self.term(j, a[j], b[j])).sum();
        matern(r2)
    }

    /// Writes `Δ_j² / ℓ_j²` into `terms` and returns the correlation and the factor `(5/3)(1 + √5 r) exp(−√5 r)`, which
    /// times `Δ_j² / ℓ_j²` is its derivative by `ln ℓ_j`.
    #[inline]
    pub fn correlation_with_terms(&self, a: &[f64], b: &[f64], terms: &mut [f64]) -> (f64, f64) {
        let mut r2 = 0.0;
        for (j, term) in terms.iter_mut().enumerate() {
            *term = self.term(j, a[j], b[j]);
            r2 += *term;
        }
        let s = SQRT_5 * r2.sqrt();
        let e = (-s).exp();
        ((1.0 + s + s * s / 3.0) * e, 5.0 / 3.0 * (1.0 + s) * e)
    }

    /// Adds `weight · ∂k(x, b)/∂x` to `gradient`; nothing for nominal columns.
    #[inline]
    pub fn add_gradient(&self, x: &[f64], b: &[f64], weight: f64, gradient: &mut [f64]) {
        let r2: f64 = (0..self.precision.len()).map(|j| self.term(j, x[j], b[j])).sum();
        let s = SQRT_5 * r2.sqrt();
        let factor = -weight * 5.0 / 3.0 * (1.0 + s) * (-s).exp();
        for j in 0..x.len() {
            if !self.nominal[j] {
                gradient[j] += factor * (x[j] - b[j]) * self.precision[j];
            }
        }
    }
}

#[inline]
fn matern(r2: f64) -> f64 {
    let s = SQRT_5 * r2.sqrt();
    (1.0 + s + s * s / 3.0) * (-s).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_closed_form_at_distance_one() {
        let kernel = Kernel::new(&[Column::Number { levels: None }], &[0.0]);
        let expected = (1.0 + 5f64.sqrt() + 5.0 / 3.0) * (-(5f64.sqrt())).exp();
        assert!((kernel.correlation(&[0.0], &[1.0]) - expected).abs() < 1e-15);
        assert_eq!(kernel.correlation(&[0.3], &[0.3]), 1.0);
    }

    #[test]
    fn nominal_values_are_equally_far_from_each_other() {
        let kernel = Kernel::new(&[Column::Nominal { count: 4 }], &[0.3]);
        assert_eq!(kernel.correlation(&[0.0], &[1.0]), kernel.correlation(&[3.0], &[1.0]));
    }

    #[test]
    fn gradient_by_position_matches_finite_differences() {
        let columns = [Column::Number { levels: None }, Column::Number { levels: None }];
        let kernel = Kernel::new(&columns, &[-0.7, 0.2]);
        let (x, b) = (vec![0.2, 0.9], [0.5, 0.4]);
        let mut gradient = vec![0.0; 2];
        kernel.add_gradient(&x, &b, 1.0, &mut gradient);
        for j in 0..2 {
            let mut up = x.clone();
            let mut down = x.clone();
            up[j] += 1e-6;
            down[j] -= 1e-6;
            let numeric = (kernel.correlation(&up, &b) - kernel.correlation(&down, &b)) / 2e-6;
            assert!((gradient[j] - numeric).abs() < 1e-8, "{j}: {} {numeric}", gradient[j]);
        }
    }
}
