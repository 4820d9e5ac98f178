//! Expressions over named numbers: metrics, objectives, constraints.

use std::collections::BTreeMap;

/// `sum(coefficients · parameters) <= bound`, or `<` when `strict`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// By parameter name; bools count as 0 and 1.
    pub coefficients: BTreeMap<String, f64>,
    pub bound: f64,
    pub strict: bool,
}
