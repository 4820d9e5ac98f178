//! Points that break a constraint, moved to where they keep it.

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::axis::Axis;
use super::{Codec, Point};

/// Passes over the constraints before a point is given up.
const SWEEPS: usize = 60;

impl Codec {
    /// A point near `point` that keeps every constraint, or `None` if none was found.
    ///
    /// Takes the broken constraints in turn and moves one of their parameters after the other, in random order, just
    /// as far as needed and as its bounds and levels allow: alternating projections along the axes.
    pub fn repair(&self, point: &[f64], rng: &mut Xoshiro256PlusPlus) -> Option<Point> {
        let mut point = self.snap(point);
        for _ in 0..SWEEPS {
            if self.satisfied(&point) {
                let canonical = self.canonical(&point);
                if self.satisfied(&canonical) {
                    return Some(canonical);
                }
                point = canonical;
            }
            for bound in &self.bounds {
                let mut terms = bound.terms.clone();
                while !terms.is_empty() {
                    if bound.kept(&self.axes, &point) {
                        break;
                    }
                    let sum: f64 = bound.terms.iter().map(|(a, c)| c * self.axes[*a].number(&point)).sum();
                    let (axis, coefficient) = terms.swap_remove(rng.random_range(0..terms.len()));
                    let rest = sum - coefficient * self.axes[axis].number(&point);
                    self.axes[axis].limit(
                        (bound.bound - rest) / coefficient,
                        coefficient > 0.0,
                        bound.strict,
                        &mut point,
                    );
                }
            }
        }
        None
    }
}

impl Axis {
    /// Moves the value to `limit` or below (above, if not `upper`), as far as it can go.
    fn limit(&self, limit: f64, upper: bool, strict: bool, point: &mut [f64]) {
        match self {
            Self::Constant(_) => {}
            Self::Choice { column, .. } => point[*column] = f64::from(u8::from(!upper)),
            Self::Number { scale, special, .. } => {
                let value = if upper { scale.at_most(limit, strict) } else { scale.at_least(limit, strict) };
                self.write(&scale.value(value), point);
                if let Some((nominal, _)) = special {
                    point[*nominal] = 0.0;
                }
            }
        }
    }
}
