//! How many pairs a claim needs.

use super::{Pair, student, variance};

/// How precise a claim is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Precision {
    /// Half the length of the interval, as a part of the baseline.
    pub half_width: f64,
    pub level: f64,
    /// Clusters over which it is averaged.
    pub clusters: usize,
}

/// Pairs in all that a cluster should have, by the noise of the `first` ones, no less than their number.
///
/// Stein's rule (1945; see [`super::claim`]): `t² s² / h²` with the t quantile and the variance of the first pairs. It looks at their
/// noise only, not at their gain, so the interval keeps its level. With k clusters each has a k-th of the work.
pub fn pairs_wanted(first: &[Pair], precision: Precision) -> usize {
    if first.len() < 2 {
        return first.len();
    }
    let ratio = first.iter().all(|p| p.baseline > 0.0 && p.recommended > 0.0);
    let inner = |p: &Pair| match ratio {
        true => (p.recommended / p.baseline).ln(),
        false => p.recommended - p.baseline,
    };
    let values: Vec<f64> = first.iter().map(inner).collect();
    let half_width = match ratio {
        true => precision.half_width.ln_1p(),
        false => {
            let sum: f64 = first.iter().map(|p| p.baseline.abs()).sum();
            precision.half_width * sum / first.len() as f64
        }
    };
    let t = student::two_sided(precision.level, first.len() as f64 - 1.0);
    let wanted = t.powi(2) * variance(&values) / half_width.powi(2) / precision.clusters.max(1) as f64;
    // `as` saturates; without noise, and a baseline of 0, it is not a number and becomes 0
    first.len().max(wanted.ceil() as usize)
}
