//! What results of several clusters and of earlier experiments say in the terms of one: each is seen against its own baseline.

use std::collections::BTreeMap;

use autoopt_epoch::message::{Observation, TrialKind};

/// How values of different places compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// What is 3 above the baseline here is 3 above it there.
    Difference,
    /// What is 3 % above the baseline here is 3 % above it there.
    Ratio,
}

/// The baseline of each place, and the one in whose terms all are put. Values are those of the objective, as it is measured.
#[derive(Clone, Debug, Default)]
pub struct Baselines {
    places: Vec<Option<f64>>,
    reference: Option<f64>,
}

impl Baselines {
    /// Takes a place in: its baseline is the mean over its baseline trials, each with the weight of its repeats.
    pub fn add<'a>(&mut self, results: impl Iterator<Item = &'a Observation>) {
        // summed in order of value, so that the order of arrival changes nothing
        let mut each: Vec<(f64, f64)> = results
            .filter(|r| r.kind == TrialKind::Baseline)
            .filter_map(|r| Some((r.objective.filter(|x| x.is_finite())?, f64::from(r.repeats.max(1)))))
            .collect();
        each.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let count: f64 = each.iter().map(|(_, n)| n).sum();
        let mean = each.iter().map(|(x, n)| x * (n / count)).sum::<f64>();
        self.places.push((count > 0.0 && mean.is_finite()).then_some(mean));
    }

    /// All is put in the terms of the places taken in so far: of the mean of their baselines.
    pub fn refer(&mut self) {
        let known: Vec<f64> = self.places.iter().copied().flatten().collect();
        let count = known.len() as f64;
        self.reference = (!known.is_empty()).then(|| known.iter().map(|b| b / count).sum());
    }

    /// The alignments there are: ratios only of baselines that are all above 0, or all below.
    pub fn alignments(&self) -> &'static [Alignment] {
        let mut all = self.places.iter().flatten().chain(&self.reference);
        let same_sign = self.reference.is_some_and(|r| all.all(|b| b / r > 0.0 && (r / b).is_finite()));
        if same_sign && self.places.len() > 1 {
            &[Alignment::Ratio, Alignment::Difference]
        } else {
            &[Alignment::Difference]
        }
    }

    /// `value`, measured at `place`, in the terms of the reference; as it is where there is no baseline to see it against.
    pub fn aligned(&self, alignment: Alignment, place: usize, value: f64) -> f64 {
        let (Some(own), Some(reference)) = (self.places[place], self.reference) else { return value };
        match alignment {
            // exactly as it is where there is but one place
            _ if own == reference => value,
            Alignment::Difference => value - own + reference,
            Alignment::Ratio => value * (reference / own),
        }
    }

    /// `ln` of the derivative of [`Self::aligned`] by the value.
    pub fn log_slope(&self, alignment: Alignment, place: usize) -> f64 {
        match (alignment, self.places[place], self.reference) {
            (Alignment::Ratio, Some(own), Some(reference)) => (reference / own).ln(),
            _ => 0.0,
        }
    }
}

/// The results of each cluster, by its name. Those that do not tell theirs are of the only one, if there is but one.
pub fn by_cluster(results: &[Observation]) -> BTreeMap<&str, Vec<&Observation>> {
    let mut all: BTreeMap<&str, Vec<&Observation>> = BTreeMap::new();
    results.iter().for_each(|r| all.entry(&r.cluster).or_default().push(r));
    if all.len() == 2
        && let Some(untold) = all.remove("")
    {
        all.values_mut().for_each(|results| results.extend(&untold));
    }
    all
}
