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

/// Standard errors by which a model has to be better for it to be decided.
const DECIDED: f64 = 3.0;

/// Whether one model's log densities of left-out results are better than those of a mixture, by more than chance in which results there are could do:
/// the sum of the differences against its standard error (Vehtari, Gelman, Gabry 2017, eq. 24).
pub fn decidedly_better(one: &[f64], log_densities: &[Vec<f64>], weights: &[f64]) -> bool {
    let mixture = |i: usize| {
        let each = log_densities.iter().zip(weights).map(|(d, w)| w * d[i].exp());
        each.sum::<f64>().max(f64::MIN_POSITIVE).ln()
    };
    let n = one.len() as f64;
    let differences: Vec<f64> = one.iter().enumerate().map(|(i, d)| d - mixture(i)).collect();
    let mean = differences.iter().sum::<f64>() / n;
    let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    n > 1.0 && mean * n > DECIDED * (n * variance).sqrt()
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

    #[test]
    fn better_is_decided_where_chance_would_hardly_do_it() {
        let mixture = [vec![-1.0; 40], vec![-1.0; 40]];
        let better = |by: f64| {
            let one: Vec<f64> = (0..40).map(|i| by - 1.0 + if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
            decidedly_better(&one, &mixture, &[0.3, 0.7])
        };
        // the standard error of a mean is 0.16
        assert!(!better(0.0) && !better(0.4) && better(0.6));
        assert!(!decidedly_better(&[5.0], &[vec![0.0]], &[1.0]), "one result decides nothing");
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
