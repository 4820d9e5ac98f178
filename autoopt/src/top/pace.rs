//! How long steps usually take, from those that were done.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use autoopt_coordinator::api::view::{SpanState, SpanView};
use autoopt_epoch::id::{EpochId, ExperimentId};
use autoopt_epoch::message::{Action, Stage};

/// Of each kind of step so many are remembered, the latest: conditions change.
const REMEMBERED: usize = 9;

/// What steps are compared by, beside their cluster.
type Kind = (ExperimentId, Stage, Action);
/// One attempt at one step.
type Attempt = (EpochId, u32, u32);

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Paces(BTreeMap<Kind, BTreeMap<String, VecDeque<(Attempt, Duration)>>>);

impl Paces {
    /// Takes those that were done; one that is known already counts once.
    pub(crate) fn learn(&mut self, spans: &[SpanView]) {
        for span in spans.iter().filter(|span| span.state == SpanState::Done) {
            let Some(ended) = span.ended else { continue };
            let clusters = self.0.entry((span.experiment_id, span.stage, span.action)).or_default();
            let known = clusters.entry(span.cluster.clone()).or_default();
            let attempt = (span.epoch, span.step, span.attempt);
            if known.iter().any(|(other, _)| *other == attempt) {
                continue;
            }
            known.push_back((attempt, ended.since(span.began)));
            if known.len() > REMEMBERED {
                known.pop_front();
            }
        }
    }

    /// The median on the span's cluster, or over all clusters of its experiment where nothing was done on that one.
    pub(crate) fn usual(&self, span: &SpanView) -> Option<Duration> {
        let clusters = self.0.get(&(span.experiment_id, span.stage, span.action))?;
        let mut lengths: Vec<Duration> = match clusters.get(&span.cluster) {
            Some(here) => here.iter().map(|(_, length)| *length).collect(),
            None => clusters.values().flatten().map(|(_, length)| *length).collect(),
        };
        lengths.sort_unstable();
        lengths.get(lengths.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use autoopt_epoch::time::Timestamp;

    use super::*;
    use crate::top::view::tests::span;

    fn done(cluster: &str, step: u32, seconds: u64) -> SpanView {
        let mut span = span(cluster, 1, Stage::Bench, SpanState::Done);
        (span.step, span.began) = (step, Timestamp::from_millis(0));
        span.ended = Some(span.began.after(Duration::from_secs(seconds)));
        span
    }

    #[test]
    fn a_step_usually_takes_what_the_latest_ones_took_on_its_cluster() {
        let mut paces = Paces::default();
        let (east, west) = (done("east", 0, 0), done("west", 0, 0));
        assert_eq!(paces.usual(&east), None);
        paces.learn(&[done("east", 1, 10), done("east", 2, 30), done("east", 3, 20)]);
        // the same ones again, as an overlapping look brings them
        paces.learn(&[done("east", 2, 30), done("east", 3, 20)]);
        assert_eq!(paces.usual(&east), Some(Duration::from_secs(20)));
        assert_eq!(paces.usual(&west), Some(Duration::from_secs(20)), "nothing was done there yet");
        paces.learn(&[done("west", 1, 99)]);
        assert_eq!(paces.usual(&west), Some(Duration::from_secs(99)));
        let later: Vec<SpanView> = (4..13).map(|step| done("east", step, 60)).collect();
        paces.learn(&later);
        assert_eq!(paces.usual(&east), Some(Duration::from_secs(60)), "the old ones are forgotten");
        let mut other = done("east", 0, 0);
        other.stage = Stage::Apply;
        assert_eq!(paces.usual(&other), None);
    }
}
