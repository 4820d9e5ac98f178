//! Measurements that are far off, as when something else ran beside the benchmark.

use super::gp::Posterior;

/// Degrees of freedom of the noise.
const FREEDOM: f64 = 4.0;
/// While no weight is below this, all are 1. A measurement has it that is 3.6 standard deviations of the noise off, of normal ones every
/// 2,500th.
const FAR: f64 = 0.3;

/// How much each measurement tells, as a part of what one of normal noise does, if noise has Student's t distribution: the E step of its
/// expectation maximisation, `(ν + 1) / (ν + E[(y − f)²] / σ²)` (Lange, Little, Taylor 1989), at most 1. `None` where no measurement
/// is far off.
///
/// `posterior` is what is known of the function at each measurement, of which there are the output and the variance of its noise.
pub fn weights(posterior: &[Posterior], outputs: &[f64], noise: &[f64]) -> Option<Vec<f64>> {
    let weigh = |((at, output), noise): ((&Posterior, &f64), &f64)| {
        let square = (output - at.mean).powi(2) + at.variance;
        ((FREEDOM + 1.0) / (FREEDOM + square / noise)).min(1.0)
    };
    let weights: Vec<f64> = posterior.iter().zip(outputs).zip(noise).map(weigh).collect();
    weights.iter().any(|w| *w < FAR).then_some(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_far_off_tells_little_and_where_nothing_is_all_tell_the_same() {
        let posterior = [Posterior { mean: 1.0, variance: 0.0 }; 3];
        assert_eq!(weights(&posterior, &[1.05, 0.95, 1.2], &[0.01; 3]), None);
        let weights = weights(&posterior, &[1.05, 0.95, 2.0], &[0.01; 3]).unwrap();
        assert_eq!(weights[..2], [1.0, 1.0]);
        assert!((weights[2] - 5.0 / 104.0).abs() < 1e-12, "{weights:?}");
    }
}
