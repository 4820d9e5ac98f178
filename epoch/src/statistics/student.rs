//! Student's t distribution, by the incomplete beta function: Abramowitz and Stegun, Handbook of Mathematical Functions
//! (1964), 26.7.1.

/// `t` with `P(|T| ≤ t) = level`, for `df > 0` degrees of freedom, which need not be whole.
pub(super) fn two_sided(level: f64, df: f64) -> f64 {
    let x = puruspe::invbetai(1.0 - level, 0.5 * df, 0.5);
    (df * (1.0 - x) / x).sqrt()
}

/// `P(|T| ≥ |t|)`.
pub(super) fn beyond(t: f64, df: f64) -> f64 {
    puruspe::betai(0.5 * df, 0.5, df / (df + t * t))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, two-sided 95 % and 99 %
        let known = [
            (0.95, 1.0, 12.706),
            (0.95, 2.0, 4.303),
            (0.95, 5.0, 2.571),
            (0.95, 7.0, 2.365),
            (0.95, 30.0, 2.042),
            (0.99, 3.0, 5.841),
            (0.99, 10.0, 3.169),
            (0.80, 4.0, 1.533),
        ];
        for (level, df, t) in known {
            assert!((two_sided(level, df) - t).abs() < 6e-4, "{level} {df}: {}", two_sided(level, df));
        }
    }

    #[test]
    fn the_tail_beyond_a_quantile_is_what_the_level_leaves() {
        for df in [1.0, 1.5, 2.0, 3.7, 9.0, 40.0, 500.0, 9000.0] {
            for level in [0.5, 0.8, 0.95, 0.99, 0.999] {
                let left = beyond(two_sided(level, df), df);
                assert!((left - (1.0 - level)).abs() < 1e-7, "{level} {df}: {left}");
            }
        }
    }
}
