//! Values of clusters that differ, in the terms of one of them.

use super::{Run, mean};

/// What a value that was measured on one cluster is multiplied by to stand beside those of another one: the ratio of their
/// baselines' means, by the runs of each so far.
///
/// It is 1 where a ratio says nothing: without a baseline, or with one that is not positive.
pub fn in_terms_of(other: &[Run], own: &[Run]) -> f64 {
    let baseline = |runs: &[Run]| {
        let values: Vec<f64> = runs.iter().map(|run| run.objective).collect();
        Some(mean(&values)).filter(|mean| mean.is_finite() && *mean > 0.0)
    };
    baseline(other).zip(baseline(own)).map_or(1.0, |(other, own)| other / own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn runs(objectives: &[f64]) -> Vec<Run> {
        objectives.iter().map(|&objective| Run { at: Timestamp::from_millis(0), objective }).collect()
    }

    #[test]
    fn twice_the_baseline_is_twice_the_baseline_on_each_cluster() {
        let (slow, fast) = (runs(&[90.0, 110.0]), runs(&[250.0]));
        assert_eq!(200.0 * in_terms_of(&fast, &slow), 500.0);
        assert_eq!(500.0 * in_terms_of(&slow, &fast), 200.0);
        assert_eq!(in_terms_of(&slow, &slow), 1.0);
    }

    #[test]
    fn without_a_ratio_that_means_something_values_stay_as_they_are() {
        let fine = runs(&[2.0]);
        for odd in [runs(&[]), runs(&[0.0]), runs(&[-3.0]), runs(&[f64::NAN]), runs(&[f64::INFINITY])] {
            assert_eq!((in_terms_of(&fine, &odd), in_terms_of(&odd, &fine)), (1.0, 1.0), "{odd:?}");
        }
    }
}
