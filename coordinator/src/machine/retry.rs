//! How long to wait before the next attempt.

use std::time::Duration;

use autoopt_epoch::experiment::RetryPolicy;
use uuid::Uuid;

/// The pause after the `failed`-th failure in a row (from 1): it doubles from `backoff` up to `max_backoff`, times a factor
/// from 0.5 to 1 that follows from `seed` and `label`. Two epochs that failed together do not come back together, and the
/// same epoch waits the same after a restart.
pub(super) fn pause(policy: &RetryPolicy, failed: u32, seed: Uuid, label: &str) -> Duration {
    let full = doubled(policy.backoff.0, policy.max_backoff.0, failed);
    let hash = Uuid::new_v5(&seed, label.as_bytes()).as_u128();
    // the low 64 bits hold the variant's two fixed bits at their top, so 32 bits below are taken
    let fraction = f64::from((hash & u128::from(u32::MAX)) as u32) / f64::from(u32::MAX);
    full.mul_f64(f64::midpoint(fraction, 1.0))
}

/// `first * 2^(n-1)`, at most `most`.
pub(super) fn doubled(first: Duration, most: Duration, n: u32) -> Duration {
    let factor = 1_u32.checked_shl(n.saturating_sub(1)).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(most)
}

#[cfg(test)]
mod tests {
    use autoopt_epoch::time::Period;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_pause_is_between_half_and_all_of_the_doubled_backoff(failed in 1_u32..100, seed: u128) {
            let policy = RetryPolicy { attempts: 9, backoff: Period::seconds(2), max_backoff: Period::seconds(60) };
            let full = Duration::from_secs(2 * 2_u64.pow(failed.min(6) - 1)).min(Duration::from_secs(60));
            let got = pause(&policy, failed, Uuid::from_u128(seed), "x");
            prop_assert!(got >= full / 2 && got <= full, "{got:?} of {full:?}");
            prop_assert_eq!(got, pause(&policy, failed, Uuid::from_u128(seed), "x"));
        }
    }

    #[test]
    fn two_epochs_wait_differently() {
        let policy = RetryPolicy::default();
        let of = |n| pause(&policy, 1, Uuid::from_u128(n), "x");
        assert!((0..20).map(of).collect::<std::collections::BTreeSet<_>>().len() > 15);
    }
}
