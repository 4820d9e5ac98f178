//! Whether a system moved while it was measured, by its baseline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Scale, mean, student};
use crate::time::Timestamp;

/// One run of the baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// When it had been measured.
    pub at: Timestamp,
    pub objective: f64,
    /// Of each further objective, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<f64>,
}

impl Run {
    /// Of an objective, counted from 0, the experiment's own.
    pub fn value(&self, objective: usize) -> Option<f64> {
        match objective.checked_sub(1) {
            None => Some(self.objective),
            Some(other) => self.others.get(other).copied(),
        }
    }
}

/// The trend of the baseline's runs on one cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// Whether there is one: `p` is below what the level leaves.
    pub found: bool,
    pub scale: Scale,
    /// By how much the fitted line changed from the first run to the last: as a part of its beginning, or in the objective's unit.
    pub change: f64,
    pub low: f64,
    pub high: f64,
    /// The chance of a trend this strong, if there were none.
    pub p: f64,
    pub runs: u32,
    /// Between the first run and the last.
    pub hours: f64,
}

impl Drift {
    /// In words: "-4.0 % [-7.1, -0.8] within 3.5 h, 12 runs of the baseline, p = 0.020".
    pub fn told(&self) -> String {
        let change = match self.scale {
            Scale::Ratio => {
                let [change, low, high] = [self.change, self.low, self.high].map(|part| 100.0 * part);
                format!("{change:+.1} % [{low:.1}, {high:.1}]")
            }
            Scale::Difference => format!("{:+.4} [{:.4}, {:.4}]", self.change, self.low, self.high),
        };
        format!("{change} within {:.2} h, {} runs of the baseline, p = {:.3}", self.hours, self.runs, self.p)
    }
}

/// The fewest runs of which a trend is told.
const FEWEST: usize = 4;

/// Fits a straight line through the logarithms of the runs (through the runs, where one is not positive) and tests its slope with
/// Student's t; nothing with fewer than four runs, or all at one instant. The source is any book on regression, for example
/// Draper and Smith, Applied Regression Analysis (1998), 1.4. Runs whose noise depends on the run before make it too sure.
pub fn drift(level: f64, runs: &[Run]) -> Option<Drift> {
    if runs.len() < FEWEST {
        return None;
    }
    let scale = if runs.iter().all(|r| r.objective > 0.0) { Scale::Ratio } else { Scale::Difference };
    let (first, last) = (runs.iter().map(|r| r.at).min()?, runs.iter().map(|r| r.at).max()?);
    let span = last.since(first).as_secs_f64();
    if span == 0.0 {
        return None;
    }
    let xs: Vec<f64> = runs.iter().map(|r| r.at.since(first).as_secs_f64() / span).collect();
    let inner = |r: &Run| if scale == Scale::Ratio { r.objective.ln() } else { r.objective };
    let ys: Vec<f64> = runs.iter().map(inner).collect();
    let (x_mean, y_mean) = (mean(&xs), mean(&ys));
    let s_xx: f64 = xs.iter().map(|x| (x - x_mean).powi(2)).sum();
    let s_xy: f64 = xs.iter().zip(&ys).map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    let slope = s_xy / s_xx;
    let left: f64 = xs.iter().zip(&ys).map(|(x, y)| (y - y_mean - slope * (x - x_mean)).powi(2)).sum();
    let df = runs.len() as f64 - 2.0;
    let error = (left / df / s_xx).sqrt();
    let p = if slope == 0.0 { 1.0 } else { student::beyond((slope / error).abs().min(1e150), df) };
    let half = student::two_sided(level, df) * error;
    let told = |inner: f64| if scale == Scale::Ratio { inner.exp_m1() } else { inner };
    Some(Drift {
        found: p < 1.0 - level,
        scale,
        change: told(slope),
        low: told(slope - half),
        high: told(slope + half),
        p,
        runs: u32::try_from(runs.len()).unwrap_or(u32::MAX),
        hours: span / 3600.0,
    })
}
