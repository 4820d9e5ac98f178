//! How well the model predicts results that it was not told.

use serde::Serialize;

use crate::outlook::NINETY;
use crate::surrogate::Gp;

/// Models of an ensemble that are looked at, of every shape some; each costs an inverse.
const MODELS: usize = 3;

/// Each result against its prediction from all others (leave one out).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Calibration {
    pub results: usize,
    /// The share of the variance that is predicted, 1 at best; of outputs as the model sees them. 0 and below: no better than the mean.
    pub r_squared: f64,
    /// The share of results within their 90 % intervals.
    pub within_90: f64,
}

/// In closed form, `μ_i = y_i − α_i / K⁻¹_ii` and `σ_i² = 1 / K⁻¹_ii` (Rasmussen, Williams 2006, eq. 5.12), hyperparameters
/// staying as they are, averaged over models.
pub(super) fn calibration(gps: &[Gp]) -> Calibration {
    let each: Vec<Vec<(f64, f64)>> =
        gps.iter().step_by(gps.len().div_ceil(MODELS).max(1)).map(Gp::left_out).collect();
    let n = each.first().map_or(0, Vec::len);
    let models = each.len() as f64;
    let values: Vec<f64> = gps.first().map(Gp::values).unwrap_or_default();
    let mean = values.iter().sum::<f64>() / n.max(1) as f64;
    let (mut missed, mut all, mut within) = (0.0, 0.0, 0.0);
    for (i, y) in values.iter().enumerate() {
        let predicted = each.iter().map(|m| m[i].0).sum::<f64>() / models;
        let variance = each.iter().map(|m| m[i].1 + (m[i].0 - predicted).powi(2)).sum::<f64>() / models;
        missed += (y - predicted).powi(2);
        all += (y - mean).powi(2);
        within += if (y - predicted).abs() <= NINETY * variance.sqrt() { 1.0 } else { 0.0 };
    }
    Calibration {
        results: n,
        r_squared: if all > 0.0 { 1.0 - missed / all } else { 0.0 },
        within_90: within / n.max(1) as f64,
    }
}
