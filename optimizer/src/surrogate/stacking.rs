//! How much each of several models counts.

/// Something of a model, and how much the model counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted<T> {
    pub of: T,
    /// Those of all models add up to 1.
    pub weight: f64,
}

/// Steps of the iteration; each moves a weight by less than the one before.
const STEPS: usize = 60;

/// Weights of models, which add up to 1, under which their mixture makes results most probable that were left out: stacking of predictive
/// distributions (Yao, Vehtari, Simpson, Gelman 2018). `log_densities` has, by model, `ln p(y_i | all others)` of the same results.
///
/// By expectation maximisation, which is concave here. Each model counts as if it had explained one result more by itself, so that few results
/// leave the weights near each other, and no model is given up for one.
pub fn stack(log_densities: &[Vec<f64>]) -> Vec<f64> {
    let models = log_densities.len();
    let results = log_densities.first().map_or(0, Vec::len);
    let mut weights = vec![1.0 / models as f64; models];
    for _ in 0..STEPS {
        let mut explained = vec![1.0; models];
        for i in 0..results {
            let largest = log_densities.iter().map(|d| d[i]).fold(f64::NEG_INFINITY, f64::max);
            let parts: Vec<f64> =
                weights.iter().zip(log_densities).map(|(w, d)| w * (d[i] - largest).exp()).collect();
            let sum: f64 = parts.iter().sum();
            explained.iter_mut().zip(&parts).for_each(|(e, part)| *e += part / sum);
        }
        weights = explained.iter().map(|e| e / (results + models) as f64).collect();
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_predicts_as_well_counts_as_much_and_what_predicts_nothing_hardly_counts() {
        assert_eq!(stack(&[vec![-1.0; 9], vec![-1.0; 9]]), [0.5, 0.5]);
        let weights = stack(&[vec![-1.0; 40], vec![-9.0; 40]]);
        assert!((weights[0] - 41.0 / 42.0).abs() < 1e-3, "{weights:?}");
        assert_eq!(stack(&[Vec::new(), Vec::new()]), [0.5, 0.5]);
    }

    proptest! {
        #[test]
        fn no_other_weights_make_the_results_more_probable(
            pairs in proptest::collection::vec((-5.0..0.0f64, -5.0..0.0f64), 1..40), other in 0.01..0.99f64,
        ) {
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
            let weights = stack(&[a, b]);
            prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let density = |w: f64| {
                let each = pairs.iter().map(|(a, b)| (w * a.exp() + (1.0 - w) * b.exp()).ln());
                each.sum::<f64>() + w.ln() + (1.0 - w).ln()
            };
            prop_assert!(density(weights[0]) >= density(other) - 0.02);
        }
    }
}
