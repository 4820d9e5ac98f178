//! How long to wait before the next attempt.

use std::time::Duration;

use autoopt_epoch::experiment::RetryPolicy;
use autoopt_epoch::time::Timestamp;
use uuid::Uuid;

/// The instant of the attempt that follows the `n`-th failure (from 1): `backoff * 2^(n-1)`, at most `max_backoff`,
/// times a factor in [0.5, 1) that is hashed from `id` and `n`, so that many failures at once spread out.
pub(super) fn next_attempt(policy: &RetryPolicy, id: Uuid, n: u32, at: Timestamp) -> Timestamp {
    let doubled =
        policy.backoff.0.saturating_mul(1_u32.checked_shl(n.saturating_sub(1).min(31)).unwrap_or(u32::MAX));
    let pause = doubled.min(policy.max_backoff.0);
    let hash = Uuid::new_v5(&id, &n.to_be_bytes()).as_u64_pair().0;
    let factor = 0.5 + (hash >> 11) as f64 / (1_u64 << 53) as f64 / 2.0;
    at.after(Duration::from_secs_f64(pause.as_secs_f64() * factor))
}

#[cfg(test)]
mod tests {
    use autoopt_epoch::time::Period;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pauses_stay_between_half_and_all_of_the_capped_back_off(n in 1_u32..200, id in any::<u128>()) {
            let policy = RetryPolicy { attempts: 9, backoff: Period::seconds(1), max_backoff: Period::seconds(60) };
            let start = Timestamp::from_millis(0);
            let pause = next_attempt(&policy, Uuid::from_u128(id), n, start).since(start).as_secs_f64();
            let full = (1_u64 << (n - 1).min(6)).min(60) as f64;
            prop_assert!(pause <= full && pause >= full / 2.0 - 0.001, "{} of {}", pause, full);
        }
    }
}
