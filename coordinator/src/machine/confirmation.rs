//! What is kept of a confirmation.

use std::collections::BTreeMap;

use autoopt_epoch::experiment::{Confirm, ExperimentSpec};
use autoopt_epoch::space::Parameters;
use autoopt_epoch::statistics::{Claim, Pair, Pairs, Precision, Verdict, claim, pairs_wanted};
use autoopt_epoch::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Experiment, Site};

/// The comparison of what the search found with the baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The trial whose values are measured afresh.
    pub number: u32,
    pub parameters: Parameters,
    pub began: Timestamp,
    pub ended: Option<Timestamp>,
    /// Clusters on which it runs.
    pub clusters: u32,
    /// Pairs on all clusters: measured, wanted as far as is known, and void.
    pub done: u32,
    pub wanted: u32,
    pub void: u32,
    /// Why it ended before its time; then nothing counts as shown.
    pub stopped: Option<String>,
    /// At its end, if two pairs were measured on some cluster.
    pub claim: Option<Claim>,
}

impl Confirmation {
    /// Whether the values are better, as far as was to be found out.
    pub fn shown(&self) -> bool {
        self.claim.as_ref().is_some_and(|c| c.verdict == Verdict::Shown)
    }

    /// The result as a sentence.
    pub fn told(&self, spec: &ExperimentSpec) -> String {
        let unit = spec.objective.unit.as_deref();
        match (&self.claim, &self.stopped) {
            (Some(claim), None) => format!("trial {} measured afresh: {}", self.number, claim.told(unit)),
            (Some(claim), Some(why)) => {
                format!("trial {} measured afresh: {}, because {why}", self.number, claim.told(unit))
            }
            (None, Some(why)) => format!("trial {} is not confirmed: {why}", self.number),
            (None, None) if self.ended.is_none() => {
                format!("trial {} is being confirmed: {} of {} pairs", self.number, self.done, self.wanted)
            }
            (None, None) => {
                format!("trial {} is not confirmed: too few pairs could be measured", self.number)
            }
        }
    }

    /// The claim from the pairs of all sites. What was ended early shows nothing: when to end it may have followed from the gain.
    pub(super) fn conclude(&self, experiment: &Experiment, confirm: &Confirm) -> Option<Claim> {
        let pairs = |site: &Site| {
            let all = site.measured_pairs();
            let first = if confirm.precision.is_some() { confirm.pairs as usize } else { all.len() };
            Pairs { first, all }
        };
        let by_cluster: BTreeMap<String, Pairs> =
            experiment.sites.iter().map(|(cluster, site)| (cluster.clone(), pairs(site))).collect();
        let mut claim = claim(experiment.spec.objective.goal(), confirm.level, &by_cluster)?;
        if self.stopped.is_some() {
            claim.verdict = Verdict::NotShown;
        }
        Some(claim)
    }
}

/// One pair of runs on one cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairRun {
    /// From 1 on each cluster.
    pub number: u32,
    pub baseline_first: bool,
    /// The objective of each, once measured.
    pub baseline: Option<f64>,
    pub recommended: Option<f64>,
    /// Why it does not count.
    pub void: Option<String>,
}

impl PairRun {
    /// Whether it is measured.
    pub const fn is_done(&self) -> bool {
        self.baseline.is_some() && self.recommended.is_some() && self.void.is_none()
    }
}

impl Site {
    /// Both values of each pair that counts.
    pub fn measured_pairs(&self) -> Vec<Pair> {
        let pair = |p: &PairRun| Some(Pair { baseline: p.baseline?, recommended: p.recommended? });
        self.pairs.iter().filter(|p| p.is_done()).filter_map(pair).collect()
    }

    /// How many pairs are to be measured here, by what is known; `clusters` share the work.
    pub(super) fn pairs_wanted(&self, confirm: &Confirm, clusters: u32) -> u32 {
        let (measured, first) = (self.measured_pairs(), confirm.pairs as usize);
        let Some(half_width) = confirm.precision.filter(|_| measured.len() >= first) else {
            return confirm.pairs;
        };
        let precision = Precision { half_width, level: confirm.level, clusters: clusters as usize };
        let wanted = pairs_wanted(&measured[..first], precision);
        u32::try_from(wanted).unwrap_or(u32::MAX).min(confirm.max_pairs)
    }
}
