//! What is kept of a confirmation.

use std::collections::BTreeMap;

use autoopt_epoch::experiment::{Confirm, ExperimentSpec, Objective};
use autoopt_epoch::message::Goal;
use autoopt_epoch::space::Parameters;
use autoopt_epoch::statistics::{
    Claim, Pair, Pairs, Precision, Verdict, all_shown, claim, level_of_each, pairs_wanted, told_of,
};
use autoopt_epoch::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Site;

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
    /// Of each further objective, in their order, where there is the first one's.
    #[serde(default)]
    pub other_claims: Vec<Claim>,
}

impl Confirmation {
    /// Of each objective; none before the end.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.claim.iter().chain(&self.other_claims)
    }

    /// Whether the values are better in everything, as far as was to be found out.
    pub fn shown(&self) -> bool {
        all_shown(self.claim.as_ref(), &self.other_claims)
    }

    /// The result as a sentence.
    pub fn told(&self, spec: &ExperimentSpec) -> String {
        let unit = spec.objective.unit.as_deref();
        match (&self.claim, &self.stopped) {
            (Some(_), stopped) if !spec.other_objectives.is_empty() => {
                let because = stopped.as_ref().map(|why| format!("; not shown because {why}"));
                format!("{}{}", self.told_of_each(spec), because.unwrap_or_default())
            }
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

    /// What is claimed of each of several objectives.
    fn told_of_each(&self, spec: &ExperimentSpec) -> String {
        let pairs = self.claim.as_ref().map_or(0, |c| c.pairs);
        let level = 100.0 * spec.confirm.clone().unwrap_or_default().level;
        let told = |(claim, o): (&Claim, &Objective)| {
            told_of(claim, o.expression(), o.unit.as_deref(), self.stopped.is_none())
        };
        let each: Vec<String> = self.claims().zip(spec.objectives()).map(told).collect();
        format!(
            "trial {} measured afresh in {pairs} pairs, {level} % intervals that hold together: {}",
            self.number,
            each.join("; ")
        )
    }

    /// The claims of all objectives from the pairs of all sites, whose intervals hold together as surely as was asked. What was ended early
    /// shows nothing: when to end it may have followed from the gain.
    pub(super) fn conclude(&mut self, goals: &[Goal], sites: &BTreeMap<String, Site>, confirm: &Confirm) {
        let level = level_of_each(confirm.level, goals.len());
        let pairs = |site: &Site, objective: usize| {
            let all = site.measured_pairs(objective);
            let first = if confirm.precision.is_some() { confirm.pairs as usize } else { all.len() };
            Pairs { first, all }
        };
        let claims = goals.iter().enumerate().map(|(objective, goal)| {
            let by_cluster: BTreeMap<String, Pairs> =
                sites.iter().map(|(cluster, site)| (cluster.clone(), pairs(site, objective))).collect();
            let mut claim = claim(*goal, level, &by_cluster)?;
            if self.stopped.is_some() {
                claim.verdict = Verdict::NotShown;
            }
            Some(claim)
        });
        // of all or of none, so that each stays at the place of its objective
        let mut claims = claims.collect::<Option<Vec<Claim>>>().unwrap_or_default().into_iter();
        (self.claim, self.other_claims) = (claims.next(), claims.collect());
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
    /// Their further objectives, in their order.
    #[serde(default)]
    pub baseline_others: Vec<f64>,
    #[serde(default)]
    pub recommended_others: Vec<f64>,
    /// Why it does not count.
    pub void: Option<String>,
}

impl PairRun {
    /// One that is to be measured.
    pub(super) const fn new(number: u32, baseline_first: bool) -> Self {
        Self {
            number,
            baseline_first,
            baseline: None,
            recommended: None,
            baseline_others: Vec::new(),
            recommended_others: Vec::new(),
            void: None,
        }
    }

    /// Both values of an objective, counted from 0.
    fn values(&self, objective: usize) -> Option<Pair> {
        let of = |first: Option<f64>, others: &[f64]| match objective.checked_sub(1) {
            None => first,
            Some(other) => others.get(other).copied(),
        };
        let baseline = of(self.baseline, &self.baseline_others)?;
        Some(Pair { baseline, recommended: of(self.recommended, &self.recommended_others)? })
    }

    /// Whether it is measured.
    pub const fn is_done(&self) -> bool {
        self.baseline.is_some() && self.recommended.is_some() && self.void.is_none()
    }
}

impl Site {
    /// Both values of an objective, counted from 0, in each pair that counts.
    pub fn measured_pairs(&self, objective: usize) -> Vec<Pair> {
        self.pairs.iter().filter(|p| p.is_done()).filter_map(|p| p.values(objective)).collect()
    }

    /// How many pairs are to be measured here, by what is known, for the noisiest of so many objectives; `clusters` share the work.
    pub(super) fn pairs_wanted(&self, confirm: &Confirm, objectives: usize, clusters: u32) -> u32 {
        let first = confirm.pairs as usize;
        let wanted = |objective: usize| {
            let measured = self.measured_pairs(objective);
            let half_width = confirm.precision.filter(|_| measured.len() >= first)?;
            let level = level_of_each(confirm.level, objectives);
            let precision = Precision { half_width, level, clusters: clusters as usize };
            Some(pairs_wanted(&measured[..first], precision))
        };
        match (0..objectives).filter_map(wanted).max() {
            Some(wanted) => u32::try_from(wanted).unwrap_or(u32::MAX).min(confirm.max_pairs),
            None => confirm.pairs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOALS: [Goal; 3] = [Goal::Maximize, Goal::Minimize, Goal::Maximize];

    /// Pairs in which each objective is doubled, of as many as `others` says beside the first.
    fn site(others: &[usize]) -> Site {
        let pair = |(n, others): (u32, &usize)| PairRun {
            baseline: Some(10.0 + f64::from(n)),
            recommended: Some(20.0 + 2.0 * f64::from(n)),
            baseline_others: vec![3.0; *others],
            recommended_others: vec![6.0; *others],
            ..PairRun::new(n, true)
        };
        Site { pairs: (1..).zip(others).map(pair).collect(), ..Site::default() }
    }

    fn concluded(stopped: Option<&str>, others: &[usize]) -> Confirmation {
        let mut confirmation = Confirmation {
            number: 1,
            parameters: Parameters::new(),
            began: Timestamp::default(),
            ended: None,
            clusters: 1,
            done: 3,
            wanted: 3,
            void: 0,
            stopped: stopped.map(str::to_owned),
            claim: None,
            other_claims: Vec::new(),
        };
        confirmation.conclude(&GOALS, &[("c".to_owned(), site(others))].into(), &Confirm::default());
        confirmation
    }

    #[test]
    fn claims_of_several_objectives_are_in_their_order_and_hold_together() {
        let confirmation = concluded(None, &[2, 2, 2]);
        let claims: Vec<&Claim> = confirmation.claims().collect();
        let verdicts: Vec<Verdict> = claims.iter().map(|c| c.verdict).collect();
        assert_eq!(verdicts, [Verdict::Shown, Verdict::NotShown, Verdict::Shown]);
        for (claim, gain) in claims.iter().zip([1.0, -1.0, 1.0]) {
            assert!((claim.gain - gain).abs() < 1e-9, "{claim:?}");
            assert_eq!((claim.pairs, claim.level), (3, level_of_each(Confirm::default().level, 3)));
        }
        assert!(!confirmation.shown(), "worse in the second");
    }

    #[test]
    fn nothing_is_claimed_unless_it_can_be_of_every_objective() {
        // the last objective is known of one pair only, which is too few
        let confirmation = concluded(None, &[1, 1, 2]);
        assert_eq!(confirmation.claims().count(), 0);
        assert!(!confirmation.shown());
        assert_eq!(concluded(None, &[1, 2, 2]).claims().count(), 3, "of two pairs the last can be claimed");
    }

    #[test]
    fn what_was_ended_early_keeps_its_numbers_and_shows_nothing() {
        let confirmation = concluded(Some("it was stopped"), &[2, 2, 2]);
        assert_eq!(confirmation.claims().count(), 3);
        assert!(confirmation.claims().all(|c| c.verdict == Verdict::NotShown));
    }
}
