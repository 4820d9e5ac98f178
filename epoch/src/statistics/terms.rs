//! Values of clusters that differ, in the terms of one of them.

use std::collections::BTreeMap;

use super::{Run, mean};

/// The baselines of clusters in one objective, by which values of these clusters are compared: what is 3 % above the baseline here is 3 %
/// above it there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms<'a> {
    /// Empty where ratios say nothing.
    baselines: BTreeMap<&'a str, f64>,
    reference: f64,
}

impl<'a> Terms<'a> {
    /// Takes for each cluster's baseline the mean of its runs so far; the terms are those of the first one that has any.
    ///
    /// `objective` is counted from 0, the experiment's own. Where a baseline is not positive a ratio says nothing, and all values stay as
    /// they are; so do those of a cluster without a baseline.
    pub fn new(objective: usize, clusters: impl IntoIterator<Item = (&'a str, &'a [Run])>) -> Self {
        let baseline = |(cluster, runs): (&'a str, &[Run])| {
            let values: Vec<f64> = runs.iter().filter_map(|run| run.value(objective)).collect();
            (!values.is_empty()).then(|| (cluster, mean(&values)))
        };
        let known: Vec<(&str, f64)> = clusters.into_iter().filter_map(baseline).collect();
        match known.first() {
            Some(&(_, reference)) if known.iter().all(|(_, b)| b.is_finite() && *b > 0.0) => {
                Self { baselines: known.into_iter().collect(), reference }
            }
            _ => Self::default(),
        }
    }

    /// `value`, measured on `cluster`, in the common terms.
    pub fn of(&self, cluster: &str, value: f64) -> f64 {
        // in this order a value that is the baseline becomes exactly the other one
        self.baselines.get(cluster).map_or(value, |own| value / own * self.reference)
    }

    /// What values of `cluster` are multiplied by.
    pub fn factor(&self, cluster: &str) -> f64 {
        self.baselines.get(cluster).map_or(1.0, |own| self.reference / own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn runs(values: &[[f64; 2]]) -> Vec<Run> {
        let run = |[first, second]: &[f64; 2]| Run {
            at: Timestamp::from_millis(0),
            objective: *first,
            others: vec![*second],
        };
        values.iter().map(run).collect()
    }

    #[test]
    fn twice_the_baseline_is_twice_the_baseline_on_each_cluster_in_every_objective() {
        let (slow, fast) = (runs(&[[90.0, 3.0], [110.0, 5.0]]), runs(&[[250.0, 0.3]]));
        for (first, second) in [("a", "b"), ("b", "a")] {
            let of = |objective| Terms::new(objective, [(first, &slow[..]), (second, &fast[..])]);
            assert_eq!((of(0).of(first, 200.0), of(0).of(second, 500.0)), (200.0, 200.0));
            assert_eq!((of(1).of(first, 4.0), of(1).of(second, 0.3)), (4.0, 4.0));
            assert_eq!((of(0).factor(first), of(0).factor(second)), (1.0, 0.4));
        }
    }

    #[test]
    fn without_a_ratio_that_means_something_values_stay_as_they_are() {
        let fine = runs(&[[2.0, 2.0]]);
        for odd in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            let odd = runs(&[[odd, 8.0]]);
            let of = |objective| Terms::new(objective, [("a", &fine[..]), ("b", &odd[..]), ("c", &fine[..])]);
            assert_eq!(["a", "b", "c"].map(|cluster| of(0).of(cluster, 5.0)), [5.0; 3], "{odd:?}");
            assert_eq!(of(1).of("b", 16.0), 4.0, "each objective by itself");
        }
        let other = runs(&[[4.0, 2.0]]);
        let terms = Terms::new(0, [("none", &[][..]), ("a", &fine[..]), ("b", &other[..])]);
        assert_eq!(["none", "a", "b", "unknown"].map(|c| terms.of(c, 6.0)), [6.0, 6.0, 3.0, 6.0]);
        assert_eq!(Terms::new(2, [("a", &fine[..]), ("b", &other[..])]), Terms::default());
    }
}
