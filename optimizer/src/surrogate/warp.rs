//! Outputs as the model sees them: about normal, whatever their range, offset and tail.
//!
//! Benchmarks give skewed numbers: a bad configuration is a hundred times worse than the default, and the differences that
//! matter are among the best. Every transformation here is increasing and does not depend on the unit or the zero of the
//! objective.

/// A curved member of the family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Curve {
    /// `z = ln(1 + t/δ)` with `t = (y − y_min) / (median − y_min)`: small `δ` spreads the best values and draws the bad ones together, as for times.
    Best { log_delta: f64 },
    /// `z = −ln(1 + s/δ)` with `s = (y_max − y) / (y_max − median)`: small `δ` draws the best values together, as for rates that span powers of ten.
    Worst { log_delta: f64 },
}

impl Curve {
    /// From mild to strong, by end.
    pub const ALL: [&[Self]; 2] = [
        &[
            Self::Best { log_delta: 0.0 },
            Self::Best { log_delta: -1.5 },
            Self::Best { log_delta: -3.0 },
            Self::Best { log_delta: -5.0 },
            Self::Best { log_delta: -8.0 },
        ],
        &[Self::Worst { log_delta: -1.0 }, Self::Worst { log_delta: -3.0 }, Self::Worst { log_delta: -6.0 }],
    ];
}

/// An increasing map of values where smaller is better: the straight line or a [`Curve`], then shifted and scaled to zero mean and unit
/// variance. `δ → ∞` is the straight line. `δ` is at least the third smallest distance from the end, so that no value stands apart by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Warp {
    /// Makes sums and differences of values near the largest float safe.
    shrink: f64,
    low: f64,
    spread: f64,
    high: f64,
    /// From the median to the worst.
    far: f64,
    delta: Option<Delta>,
    mean: f64,
    deviation: f64,
}

/// `δ` by end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Delta {
    Best(f64),
    Worst(f64),
}

impl Warp {
    /// The member with this curve (`None`: the straight line), fitted to `values`, which are finite.
    pub fn new(values: &[f64], curve: Option<Curve>) -> Self {
        let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let shrink = if largest > 1e100 || (largest > 0.0 && largest < 1e-100) { 1.0 / largest } else { 1.0 };
        let shrink = if shrink.is_finite() { shrink } else { 1.0 };
        let mut sorted: Vec<f64> = values.iter().map(|v| v * shrink).collect();
        sorted.sort_by(f64::total_cmp);
        let low = sorted.first().copied().unwrap_or(0.0);
        let high = sorted.last().copied().unwrap_or(0.0);
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
        let spread = [median - low, high - low].into_iter().find(|s| *s > 0.0).unwrap_or(1.0);
        let far = [high - median, high - low].into_iter().find(|s| *s > 0.0).unwrap_or(1.0);
        // the last value alone would be drawn away from all others, lucky or not
        let least =
            |third: Option<&f64>, end: f64, scale: f64| third.map_or(0.0, |x| (x - end).abs() / scale);
        let delta = curve.map(|curve| match curve {
            Curve::Best { log_delta } => Delta::Best(log_delta.exp().max(least(sorted.get(2), low, spread))),
            Curve::Worst { log_delta } => {
                Delta::Worst(log_delta.exp().max(least(sorted.iter().rev().nth(2), high, far)))
            }
        });
        let mut warp = Self { shrink, low, spread, high, far, delta, mean: 0.0, deviation: 1.0 };
        let n = values.len().max(1) as f64;
        let raw: Vec<f64> = values.iter().map(|v| warp.apply(*v)).collect();
        warp.mean = raw.iter().sum::<f64>() / n;
        let variance = raw.iter().map(|z| (z - warp.mean).powi(2)).sum::<f64>() / n;
        // all equal: nothing to scale
        warp.deviation = if variance.sqrt() > 1e-12 { variance.sqrt() } else { 1.0 };
        warp
    }

    /// The transformed value.
    pub fn apply(&self, value: f64) -> f64 {
        let z = match self.delta {
            None => self.above_best(value),
            Some(Delta::Best(delta)) => (self.above_best(value).max(0.0) / delta).ln_1p(),
            Some(Delta::Worst(delta)) => -(self.below_worst(value).max(0.0) / delta).ln_1p(),
        };
        (z - self.mean) / self.deviation
    }

    fn above_best(&self, value: f64) -> f64 {
        (value * self.shrink - self.low) / self.spread
    }

    fn below_worst(&self, value: f64) -> f64 {
        (self.high - value * self.shrink) / self.far
    }

    /// The value whose transformed value is `z`. Beyond the end that a curve begins at it goes on as the formula does, by at most `δ`.
    pub fn invert(&self, z: f64) -> f64 {
        let z = z * self.deviation + self.mean;
        let scaled = match self.delta {
            None => z * self.spread + self.low,
            Some(Delta::Best(delta)) => delta * z.exp_m1() * self.spread + self.low,
            Some(Delta::Worst(delta)) => self.high - delta * (-z).exp_m1() * self.far,
        };
        scaled / self.shrink
    }

    /// `ln dy/dt`, which members of the family share.
    pub fn log_spread(&self) -> f64 {
        (self.spread / self.shrink).ln()
    }

    /// `Σ ln dz/dt` over `values`: turns a density of `z` into one of `t`, which members of the family share, so that
    /// their likelihoods can be compared (Snelson, Rasmussen, Ghahramani 2003).
    pub fn log_jacobian(&self, values: &[f64]) -> f64 {
        values
            .iter()
            .map(|value| {
                let curved = match self.delta {
                    None => 0.0,
                    Some(Delta::Best(delta)) => -(delta + self.above_best(*value).max(0.0)).ln(),
                    Some(Delta::Worst(delta)) => {
                        (self.spread / self.far).ln() - (delta + self.below_worst(*value).max(0.0)).ln()
                    }
                };
                curved - self.deviation.ln()
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn curves() -> impl Strategy<Value = Option<Curve>> {
        proptest::option::of(proptest::sample::select(Curve::ALL.concat()))
    }

    #[test]
    fn extremes_and_equal_values_stay_finite() {
        for values in [
            vec![1e300, -1e300, 5.0],
            vec![1e-300, 3e-300, 2e-300],
            vec![4.0; 5],
            vec![0.0],
            vec![f64::MAX, f64::MIN],
        ] {
            let curves = Curve::ALL.concat().into_iter().map(Some);
            for curve in curves.chain([None]) {
                let warp = Warp::new(&values, curve);
                let z: Vec<f64> = values.iter().map(|v| warp.apply(*v)).collect();
                assert!(z.iter().all(|z| z.is_finite() && z.abs() < 10.0), "{values:?} {curve:?} {z:?}");
                assert!(warp.log_jacobian(&values).is_finite());
            }
        }
    }

    proptest! {
        #[test]
        fn order_is_kept_and_unit_and_zero_are_of_no_matter(
            values in proptest::collection::vec(-100.0..100.0f64, 3..30), scale in 0.01..100.0f64, shift in -50.0..50.0f64, curve in curves(),
        ) {
            let warp = Warp::new(&values, curve);
            let other: Vec<f64> = values.iter().map(|v| scale * v + shift).collect();
            let moved = Warp::new(&other, curve);
            for (a, b) in values.iter().zip(&other) {
                prop_assert!((warp.apply(*a) - moved.apply(*b)).abs() < 1e-6);
                for c in &values {
                    prop_assert!(a > c || warp.apply(*a) <= warp.apply(*c));
                }
            }
        }

        #[test]
        fn inverse_gives_values_back(values in proptest::collection::vec(-100.0..100.0f64, 1..20), curve in curves()) {
            let warp = Warp::new(&values, curve);
            for v in &values {
                prop_assert!((warp.invert(warp.apply(*v)) - v).abs() < 1e-6);
            }
        }

        #[test]
        fn jacobian_is_the_derivative(values in proptest::collection::vec(-10.0..10.0f64, 3..9), curve in curves()) {
            let warp = Warp::new(&values, curve);
            // between the ends, beyond which a curve is cut off
            let at = 0.5 * (warp.low + warp.high);
            let h = 1e-5 * warp.spread;
            let numeric = (warp.apply(at + h) - warp.apply(at - h)) / (2.0 * h) * warp.spread;
            prop_assert!((warp.log_jacobian(&[at]) - numeric.ln()).abs() < 1e-4);
        }
    }
}
