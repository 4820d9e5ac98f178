//! Outputs as the model sees them: about normal, whatever their range, offset and tail.
//!
//! Benchmarks give skewed numbers: a bad configuration is a hundred times worse than the default, and the differences that
//! matter are among the best. Every transformation here is increasing and does not depend on the unit or the zero of the
//! objective.

/// `ln δ` of the curved members of the family, from mild to strong.
pub const CURVATURES: [f64; 4] = [0.0, -1.5, -3.0, -5.0];

/// An increasing map of values where smaller is better: with `t = (y − y_min) / (median − y_min)`, either `z = t` or
/// `z = ln(1 + t/δ)`, then shifted and scaled to zero mean and unit variance. Small `δ` spreads the best values and draws
/// the bad ones together; `δ → ∞` is the straight line. `δ` is at least the third best `t`.
#[derive(Clone, Debug, PartialEq)]
pub struct Warp {
    /// Makes sums and differences of values near the largest float safe.
    shrink: f64,
    low: f64,
    spread: f64,
    delta: Option<f64>,
    mean: f64,
    deviation: f64,
}

impl Warp {
    /// The member with `ln δ = log_delta` (`None`: the straight line), fitted to `values`, which are finite.
    pub fn new(values: &[f64], log_delta: Option<f64>) -> Self {
        let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let shrink = if largest > 1e100 || (largest > 0.0 && largest < 1e-100) { 1.0 / largest } else { 1.0 };
        let shrink = if shrink.is_finite() { shrink } else { 1.0 };
        let mut sorted: Vec<f64> = values.iter().map(|v| v * shrink).collect();
        sorted.sort_by(f64::total_cmp);
        let low = sorted.first().copied().unwrap_or(0.0);
        let high = sorted.last().copied().unwrap_or(0.0);
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
        let spread = [median - low, high - low].into_iter().find(|s| *s > 0.0).unwrap_or(1.0);
        // the best value alone would be drawn away from all others, lucky or not
        let least = sorted.get(2).map_or(0.0, |third| (third - low) / spread);
        let delta = log_delta.map(|log| log.exp().max(least));
        let mut warp = Self { shrink, low, spread, delta, mean: 0.0, deviation: 1.0 };
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
        let t = (value * self.shrink - self.low) / self.spread;
        let z = match self.delta {
            None => t,
            Some(delta) => (t.max(0.0) / delta).ln_1p(),
        };
        (z - self.mean) / self.deviation
    }

    /// The value whose transformed value is `z`. Below the smallest value that was seen it goes on as the formula does, by at
    /// most `δ`.
    pub fn invert(&self, z: f64) -> f64 {
        let z = z * self.deviation + self.mean;
        let t = match self.delta {
            None => z,
            Some(delta) => delta * z.exp_m1(),
        };
        (t * self.spread + self.low) / self.shrink
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
                let t = ((value * self.shrink - self.low) / self.spread).max(0.0);
                self.delta.map_or(0.0, |delta| -(delta + t).ln()) - self.deviation.ln()
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn extremes_and_equal_values_stay_finite() {
        for values in [
            vec![1e300, -1e300, 5.0],
            vec![1e-300, 3e-300, 2e-300],
            vec![4.0; 5],
            vec![0.0],
            vec![f64::MAX, f64::MIN],
        ] {
            for delta in [None, Some(0.0), Some(-5.0)] {
                let warp = Warp::new(&values, delta);
                let z: Vec<f64> = values.iter().map(|v| warp.apply(*v)).collect();
                assert!(z.iter().all(|z| z.is_finite() && z.abs() < 10.0), "{values:?} {delta:?} {z:?}");
                assert!(warp.log_jacobian(&values).is_finite());
            }
        }
    }

    proptest! {
        #[test]
        fn order_is_kept_and_unit_and_zero_are_of_no_matter(
            values in proptest::collection::vec(-100.0..100.0f64, 3..30), scale in 0.01..100.0f64, shift in -50.0..50.0f64, curved: bool,
        ) {
            let delta = curved.then_some(-1.5);
            let warp = Warp::new(&values, delta);
            let other: Vec<f64> = values.iter().map(|v| scale * v + shift).collect();
            let moved = Warp::new(&other, delta);
            for (a, b) in values.iter().zip(&other) {
                prop_assert!((warp.apply(*a) - moved.apply(*b)).abs() < 1e-6);
                for c in &values {
                    prop_assert!(a > c || warp.apply(*a) <= warp.apply(*c));
                }
            }
        }

        #[test]
        fn inverse_gives_values_back(values in proptest::collection::vec(-100.0..100.0f64, 1..20), curved: bool) {
            let warp = Warp::new(&values, curved.then_some(-3.0));
            for v in &values {
                prop_assert!((warp.invert(warp.apply(*v)) - v).abs() < 1e-6);
            }
        }

        #[test]
        fn jacobian_is_the_derivative(values in proptest::collection::vec(-10.0..10.0f64, 3..9)) {
            let warp = Warp::new(&values, Some(-1.5));
            let at = values.iter().copied().fold(f64::MIN, f64::max);
            let h = 1e-5 * warp.spread;
            let numeric = (warp.apply(at + h) - warp.apply(at - h)) / (2.0 * h) * warp.spread;
            prop_assert!((warp.log_jacobian(&[at]) - numeric.ln()).abs() < 1e-4);
        }
    }
}
