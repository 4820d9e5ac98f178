//! What may be said of two configurations that were measured several times, pure.
//!
//! [`claim`] compares them from runs in pairs, [`pairs_wanted`] plans how many pairs that takes, [`drift`] tells whether the
//! system itself moved meanwhile, and [`Terms`] put a value of one cluster beside those of another. The method, with what it does
//! not do, is in `docs/claims.md`.

mod claim;
mod drift;
mod plan;
mod several;
mod student;
mod terms;

pub use claim::{Claim, ClusterClaim, Pair, Pairs, Scale, Verdict, claim};
pub use drift::{Drift, Run, drift};
pub use plan::{Precision, pairs_wanted};
pub use several::{all_shown, level_of_each, told_of, verdict_told};
pub use terms::Terms;

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sample variance; of fewer than two values it is not a number.
fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)
}
