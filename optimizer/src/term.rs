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
