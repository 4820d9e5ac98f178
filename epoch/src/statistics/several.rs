//! Claims of several objectives, from the same pairs of runs.

use super::{Claim, Verdict};

/// The level of each of `count` intervals that hold all at once with at least `level`, whatever they have to do with each other: the
/// inequality of Bonferroni (Dunn, "Multiple Comparisons Among Means", Journal of the American Statistical Association 56, 1961).
pub fn level_of_each(level: f64, count: usize) -> f64 {
    1.0 - (1.0 - level) / count.max(1) as f64
}

/// Whether the recommended values are shown to be better in every objective; not where nothing is claimed of the first.
pub fn all_shown(first: Option<&Claim>, others: &[Claim]) -> bool {
    first.is_some_and(|first| std::iter::once(first).chain(others).all(|c| c.verdict == Verdict::Shown))
}

/// What the runs show of one objective among others. `counts` unless the comparison was ended before its time. The recommended values may be
/// worse in one objective for being better in another, which is then said.
pub fn verdict_told(claim: &Claim, counts: bool) -> &'static str {
    match claim.verdict {
        Verdict::Shown => "shown to be better",
        Verdict::NotShown if counts && claim.high < 0.0 => "shown to be worse",
        Verdict::NotShown => "not shown to be better",
    }
}

/// The same with its numbers: "gain in latency +12.0 % [8.1, 16.2], shown to be better".
pub fn told_of(claim: &Claim, objective: &str, unit: Option<&str>, counts: bool) -> String {
    format!("gain in {objective} {}, {}", claim.numbers(unit), verdict_told(claim, counts))
}
