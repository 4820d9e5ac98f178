//! What a point's worth is multiplied by beside the improvement expected there.

use std::fmt::Debug;

use crate::space::Point;

/// A factor of the acquisition, as a logarithm.
pub trait Term: Debug {
    /// The logarithm at each point.
    fn logs(&self, points: &[Point]) -> Vec<f64>;

    /// The logarithm at one point and its gradient by position, 0 in nominal columns.
    fn log_with_gradient(&self, x: &[f64]) -> (f64, Vec<f64>);

    /// Those of `points` at which something may be gained at all.
    fn promising(&self, points: Vec<Point>) -> Vec<Point> {
        points
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// That `term` says the same of one point as of several, and how it changes there, up to `tolerance` of the slope.
    pub(crate) fn gradient_matches(term: &dyn Term, x: &[f64], tolerance: f64) {
        const STEP: f64 = 1e-5;
        let (log, gradient) = term.log_with_gradient(x);
        assert!((log - term.logs(&[x.to_vec()])[0]).abs() < 1e-9);
        for j in 0..x.len() {
            let (mut up, mut down) = (x.to_vec(), x.to_vec());
            up[j] += STEP;
            down[j] -= STEP;
            let logs = term.logs(&[up, down]);
            let numeric = (logs[0] - logs[1]) / (2.0 * STEP);
            assert!(
                (gradient[j] - numeric).abs() < tolerance * (1.0 + numeric.abs()),
                "{gradient:?} {numeric}"
            );
        }
    }
}
