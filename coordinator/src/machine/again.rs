//! The baseline once more while the search runs: it tells the noise, and whether the cluster drifts.
//!
//! The trials of a cluster are taken in blocks of as many as the experiment says. In each block the baseline is measured before one
//! trial that is drawn by lot, so that no rhythm of the system coincides with it.

use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::id::{ExperimentId, TrialId};
use autoopt_epoch::message::TrialKind;
use uuid::Uuid;

use super::Trial;
use super::index::counts;
use super::turn::Turn;

impl Turn<'_> {
    /// The baseline that is to be measured before `next` begins on `cluster`, if it is due.
    pub(super) fn baseline_due(&mut self, id: ExperimentId, next: TrialId, cluster: &str) -> Option<TrialId> {
        let experiment = self.experiment(id)?;
        let every = experiment.spec.baseline.as_ref()?.every;
        let (next, site) = (experiment.trials.get(&next)?, experiment.sites.get(cluster)?);
        let block = site.again;
        if !counts(next.kind)
            || next.epochs > 0
            || site.begun < first_of(&experiment.spec, cluster, block, every)
        {
            return None;
        }
        let parameters = experiment.found(cluster)?.clone();
        self.site_mut(id, cluster)?.again += 1;
        let own = format!("baseline/{cluster}/{block}");
        let trial = Trial::own(id, &own, TrialKind::Baseline, parameters, cluster, self.at);
        Some(self.add_trial(Trial { again: true, ..trial }))
    }
}

/// Before which trial of the cluster, counted from 0, the baseline of a block is due.
fn first_of(spec: &ExperimentSpec, cluster: &str, block: u32, every: u32) -> u32 {
    let place = lot(spec, &format!("baseline/{cluster}/{block}")) % every.max(1);
    block.saturating_mul(every).saturating_add(place)
}

/// A number drawn for `what`: by the experiment's name and seed, so that the same experiment is run in the same order.
pub(super) fn lot(spec: &ExperimentSpec, what: &str) -> u32 {
    let drawn = Uuid::new_v5(&Uuid::nil(), format!("{}/{}/{what}", spec.name, spec.seed).as_bytes());
    // the lowest 32 bits have none that are fixed
    (drawn.as_u128() & u128::from(u32::MAX)) as u32
}
