//! By how much one configuration is better than another, from runs in pairs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{mean, student, variance};
use crate::message::Goal;

/// One objective of two runs, one soon after the other on one cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    pub baseline: f64,
    pub recommended: f64,
}

/// The pairs of one cluster, in the order in which they were run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs {
    pub all: Vec<Pair>,
    /// From how many of them, the first ones, the number of all was planned; no less than two. If it was fixed beforehand, all.
    pub first: usize,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// As a part of the baseline; where every value is positive.
    Ratio,
    /// In the unit of the objective.
    Difference,
}

/// What the runs show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval is above 0: the recommended values are better.
    Shown,
    NotShown,
}

/// What is claimed of the recommended values, on the clusters where they were measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    pub verdict: Verdict,
    pub scale: Scale,
    /// By how much the recommended values are better. Scale `ratio`: 0.12 is 12 % better than the baseline. Scale `difference`:
    /// in the objective's unit. The geometric mean of the ratios, or the mean of the differences; each cluster counts the same.
    pub gain: f64,
    /// The interval's ends, on the scale of `gain`.
    pub low: f64,
    pub high: f64,
    /// How sure the interval is by itself, between 0 and 1. With several objectives more than asked for, so that the intervals of all hold
    /// together as surely as was asked.
    pub level: f64,
    /// The chance of a gain this far from 0 on either side, if there were none.
    pub p: f64,
    /// Pairs on all clusters.
    pub pairs: u32,
    /// By cluster; those with fewer than two pairs are left out.
    pub clusters: BTreeMap<String, ClusterClaim>,
}

impl Claim {
    /// As a part of a sentence: "gain +12.0 % [8.1, 16.2], 95 % interval, 8 pairs: shown". `unit` is the objective's.
    pub fn told(&self, unit: Option<&str>) -> String {
        let verdict = match self.verdict {
            Verdict::Shown => "shown",
            Verdict::NotShown => "not shown",
        };
        let level = 100.0 * self.level;
        format!("gain {}, {level} % interval, {} pairs: {verdict}", self.numbers(unit), self.pairs)
    }

    /// The gain with its interval: "+12.0 % [8.1, 16.2]".
    pub fn numbers(&self, unit: Option<&str>) -> String {
        match self.scale {
            Scale::Ratio => {
                let [gain, low, high] = [self.gain, self.low, self.high].map(|part| 100.0 * part);
                format!("{gain:+.1} % [{low:.1}, {high:.1}]")
            }
            Scale::Difference => {
                let unit = unit.map(|u| format!(" {u}")).unwrap_or_default();
                format!("{:+.4}{unit} [{:.4}, {:.4}]", self.gain, self.low, self.high)
            }
        }
    }
}

/// The same for one cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterClaim {
    pub gain: f64,
    pub low: f64,
    pub high: f64,
    pub pairs: u32,
}

/// A mean with its standard error and degrees of freedom.
#[derive(Clone, Copy)]
struct Estimate {
    mean: f64,
    error: f64,
    df: f64,
}

/// Compares from pairs, by cluster; nothing if no cluster has two of them.
///
/// On one cluster it is the paired t test (Student, "The Probable Error of a Mean", Biometrika 6, 1908) of the logarithms of the
/// ratios, or of the differences where a value is not positive. Where the number of pairs was planned from the first of them,
/// their variance alone is used: the interval then keeps its level although the number depends on the data (Stein, "A Two-Sample
/// Test for a Linear Hypothesis Whose Power is Independent of the Variance", Annals of Mathematical Statistics 16, 1945).
/// Over several clusters the means are averaged, and the degrees of freedom are Satterthwaite's ("An Approximate Distribution of
/// Estimates of Variance Components", Biometrics Bulletin 2, 1946).
pub fn claim(goal: Goal, level: f64, clusters: &BTreeMap<String, Pairs>) -> Option<Claim> {
    let used: Vec<(&String, &Pairs)> = clusters.iter().filter(|(_, p)| p.all.len() >= 2).collect();
    let positive = |p: &&Pair| p.baseline > 0.0 && p.recommended > 0.0;
    let ratio = used.iter().flat_map(|(_, pairs)| &pairs.all).all(|p| positive(&p));
    let scale = if ratio { Scale::Ratio } else { Scale::Difference };
    let estimates: Vec<Estimate> = used.iter().map(|(_, pairs)| estimate(scale, goal, pairs)).collect();
    let over_all = combined(&estimates)?;
    let (gain, low, high) = interval(scale, goal, level, over_all);
    let t = over_all.mean / over_all.error;
    let p = if over_all.mean == 0.0 { 1.0 } else { student::beyond(t.abs().min(1e150), over_all.df) };
    let count = |pairs: &Pairs| u32::try_from(pairs.all.len()).unwrap_or(u32::MAX);
    let by_cluster = used.iter().zip(&estimates).map(|((cluster, pairs), estimate)| {
        let (gain, low, high) = interval(scale, goal, level, *estimate);
        ((*cluster).clone(), ClusterClaim { gain, low, high, pairs: count(pairs) })
    });
    Some(Claim {
        verdict: if low > 0.0 { Verdict::Shown } else { Verdict::NotShown },
        scale,
        gain,
        low,
        high,
        level,
        p,
        pairs: used.iter().map(|(_, pairs)| count(pairs)).sum(),
        clusters: by_cluster.collect(),
    })
}

/// On the inner scale: log ratio or difference, larger is better.
fn estimate(scale: Scale, goal: Goal, pairs: &Pairs) -> Estimate {
    let inner = |p: &Pair| {
        goal.sign()
            * match scale {
                Scale::Ratio => (p.recommended / p.baseline).ln(),
                Scale::Difference => p.recommended - p.baseline,
            }
    };
    let values: Vec<f64> = pairs.all.iter().map(inner).collect();
    let first = pairs.first.clamp(2, values.len());
    let variance = variance(&values[..first]);
    Estimate { mean: mean(&values), error: (variance / values.len() as f64).sqrt(), df: first as f64 - 1.0 }
}

fn combined(estimates: &[Estimate]) -> Option<Estimate> {
    let count = estimates.len() as f64;
    if estimates.is_empty() {
        return None;
    }
    let squares: f64 = estimates.iter().map(|e| e.error.powi(2)).sum();
    let fourths: f64 = estimates.iter().map(|e| e.error.powi(4) / e.df).sum();
    let df = if fourths > 0.0 { squares.powi(2) / fourths } else { estimates.iter().map(|e| e.df).sum() };
    let mean = estimates.iter().map(|e| e.mean).sum::<f64>() / count;
    Some(Estimate { mean, error: squares.sqrt() / count, df })
}

/// Gain and ends of its interval, as they are told.
fn interval(scale: Scale, goal: Goal, level: f64, e: Estimate) -> (f64, f64, f64) {
    let half = student::two_sided(level, e.df) * e.error;
    // the ratio is the recommended value over the baseline's whichever way is better: 20 % less latency is 0.2, not 0.25
    let told = |inner: f64| match scale {
        Scale::Ratio => goal.sign() * (goal.sign() * inner).exp_m1(),
        Scale::Difference => inner,
    };
    (told(e.mean), told(e.mean - half), told(e.mean + half))
}
