//! Whose a cluster is, where several experiments name it.
//!
//! An experiment that has begun on a cluster has it until it has restored it: another one would capture values that are not the
//! user's. It does so between two epochs, never between the runs of a pair, when another experiment waits that
//! - has a higher priority;
//! - has the same one, and this one has had its turn; on several clusters only if the other one has fewer of them, or trials that can
//!   run nowhere else;
//! - has any, while this one has nothing to run: it is paused, waits for a person's trials, or its optimizer is silent.
//!
//! For a trial that waits and could run anywhere one cluster is restored, not several.
//!
//! Afterwards it waits itself, and goes on with what it captured when it began. That holds only while nobody leaves values
//! of their own: an experiment whose `at_end` is not `restore` has a cluster to itself from its first epoch there to its end, and
//! begins only where no other one is in between.

use std::cmp::Reverse;

use autoopt_epoch::experiment::AtEnd;
use autoopt_epoch::id::{ExperimentId, TrialId};
use autoopt_epoch::message::EventKind;
use autoopt_epoch::time::Timestamp;
use serde_json::json;

use super::accept::asks;
use super::index::counts;
use super::turn::Turn;
use super::{Experiment, Phase, Site};

/// What an experiment would do with a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Now(TrialId),
    /// A trial is about to come from the optimizer.
    Soon,
}

/// Who comes first; the least.
type Rank = (Reverse<i32>, bool, u32, Timestamp, Timestamp, ExperimentId);

impl Turn<'_> {
    /// Whose turn it is on a free cluster, and what for. If another experiment has it, that one has to restore it first.
    pub(super) fn claim(&self, cluster: &str) -> Option<(ExperimentId, Wish)> {
        let owner = self.world.index.owners.get(cluster).and_then(|id| self.experiment(*id));
        let Some(owner) = owner else {
            let (best, wish) =
                self.first_waiting(cluster, |e| shares(e) || !self.in_between(e.id, cluster))?;
            return Some((best.id, wish));
        };
        let own = self.wish(owner, cluster).map(|wish| (owner.id, wish));
        if !shares(owner) || in_a_pair(owner, cluster) || self.alone(cluster) {
            return own;
        }
        let comes = |e: &Experiment| shares(e) && e.id != owner.id && !self.provided_for(e, cluster);
        let Some((other, wish)) = self.first_waiting(cluster, comes) else { return own };
        let (priority, its) = (other.spec.priority, owner.spec.priority);
        let gives_way = match own {
            // it leaves the cluster as it is
            Some((_, Wish::Now(trial))) if self.closes(owner, trial) => false,
            Some(_) if priority != its => priority > its,
            Some(_) => self.turn_is_over(owner, cluster) && self.presses(other, owner, cluster),
            None => priority > its || !self.backs_off(owner, cluster),
        };
        if gives_way { Some((other.id, wish)) } else { own }
    }

    /// Whether no two experiments use a cluster.
    pub(super) fn alone(&self, cluster: &str) -> bool {
        self.world.index.users.get(cluster).is_none_or(|users| users.len() == 1)
    }

    /// Of the experiments that could use a cluster, the one to have it next.
    fn first_waiting(
        &self,
        cluster: &str,
        which: impl Fn(&Experiment) -> bool,
    ) -> Option<(&Experiment, Wish)> {
        let users = self.world.index.users.get(cluster)?;
        let waiting = users.iter().filter_map(|id| {
            let experiment = self.experiment(*id).filter(|e| which(e))?;
            Some((experiment, self.wish(experiment, cluster)?))
        });
        waiting.min_by_key(|(experiment, _)| self.rank(experiment, cluster))
    }

    /// Whether as many other clusters are being restored for an experiment as it has trials that wait and could run on any.
    fn provided_for(&self, experiment: &Experiment, cluster: &str) -> bool {
        let Some(queue) = self.world.index.queues.get(&experiment.id) else { return false };
        let waiting = if queue.pinned.contains_key(cluster) { 0 } else { queue.any.len() };
        let promised = |c: &&super::Cluster| c.promised == Some(experiment.id);
        waiting > 0
            && self.held(experiment.id) > 0
            && !self.world.clusters.get(cluster).is_some_and(|c| promised(&c))
            && self.world.clusters.values().filter(promised).filter(|c| c.holder.is_some()).count() >= waiting
    }

    /// The one it was promised to first; then who has the fewest clusters, then who has waited longest.
    fn rank(&self, experiment: &Experiment, cluster: &str) -> Rank {
        let promised = self.world.clusters.get(cluster).and_then(|c| c.promised);
        let parted = experiment.sites.get(cluster).and_then(|s| s.parted);
        (
            Reverse(experiment.spec.priority),
            promised != Some(experiment.id),
            self.held(experiment.id),
            parted.unwrap_or(experiment.submitted),
            experiment.submitted,
            experiment.id,
        )
    }

    fn held(&self, id: ExperimentId) -> u32 {
        self.world.index.held.get(&id).copied().unwrap_or(0)
    }

    fn wish(&self, experiment: &Experiment, cluster: &str) -> Option<Wish> {
        match self.next_for(experiment, cluster) {
            Some(trial) => Some(Wish::Now(trial)),
            None => self.about_to_begin(experiment, cluster).then_some(Wish::Soon),
        }
    }

    /// Whether the optimizer has been asked or can be, and is not known to be silent.
    fn about_to_begin(&self, experiment: &Experiment, cluster: &str) -> bool {
        let answers = match &experiment.ask {
            Some(open) => open.attempt == 1,
            None => experiment.ask_after.is_none_or(|after| after <= self.at),
        };
        answers && self.may_ask(experiment) && experiment.sites.get(cluster).is_some_and(Site::usable)
    }

    /// Whether an experiment takes trials from an optimizer.
    pub(super) fn may_ask(&self, experiment: &Experiment) -> bool {
        experiment.phase == Phase::Running
            && experiment.accepted < experiment.spec.budget.trials
            && experiment.wall_end().is_none_or(|end| self.at < end)
            && asks(experiment)
    }

    fn closes(&self, experiment: &Experiment, trial: TrialId) -> bool {
        experiment.trials.get(&trial).is_some_and(|t| t.kind == autoopt_epoch::message::TrialKind::Closing)
    }

    fn turn_is_over(&self, owner: &Experiment, cluster: &str) -> bool {
        self.world.clusters.get(cluster).is_some_and(|c| c.turn >= owner.spec.turn)
    }

    /// Whether an experiment is worse off than the one that has the cluster.
    fn presses(&self, other: &Experiment, owner: &Experiment, cluster: &str) -> bool {
        let nowhere_else = |queue: &super::index::Queue| {
            let of = |id: &TrialId| other.trials.get(id).is_some_and(|t| counts(t.kind) || t.pair.is_some());
            queue.pinned.get(cluster).is_some_and(|places| places.iter().any(|(_, _, id)| of(id)))
        };
        self.held(other.id) < self.held(owner.id)
            || self.world.index.queues.get(&other.id).is_some_and(nowhere_else)
    }

    /// Whether a trial that could run here waits for the end of its back-off.
    fn backs_off(&self, experiment: &Experiment, cluster: &str) -> bool {
        let Some(queue) = self.world.index.queues.get(&experiment.id) else { return false };
        experiment.phase != Phase::Paused
            && (queue.later.contains_key(&None) || queue.later.contains_key(&Some(cluster.to_owned())))
    }

    /// Whether an experiment other than `but` has left a cluster and will come back to it.
    fn in_between(&self, but: ExperimentId, cluster: &str) -> bool {
        let users = self.world.index.users.get(cluster).into_iter().flatten();
        users.filter(|id| **id != but).filter_map(|id| self.experiment(*id)).any(|e| away(e, cluster))
    }

    /// Has `owner` restore a cluster, for `next`.
    pub(super) fn hand_over(&mut self, cluster: &str, owner: ExperimentId, next: ExperimentId) {
        let (Some(from), Some(to)) = (self.experiment(owner), self.experiment(next)) else { return };
        let (name, mine, its) = (to.spec.name.clone(), from.spec.priority, to.spec.priority);
        let why = if its > mine { format!(", whose priority is {its}") } else { String::new() };
        let message = format!("`{cluster}` is restored and handed over to experiment `{name}`{why}");
        let detail = json!({"to": name, "to_id": next, "priority": its});
        self.log_cluster(owner, cluster, EventKind::ClusterHandedOver, message, detail);
        self.change_cluster(cluster, |c| c.promised = Some(next));
        self.close_site(owner, cluster);
    }
}

/// Whether an experiment takes turns with others.
pub(super) fn shares(experiment: &Experiment) -> bool {
    experiment.spec.at_end == AtEnd::Restore
}

/// Whether an experiment has left a cluster and will come back to it.
pub(super) fn away(experiment: &Experiment, cluster: &str) -> bool {
    let goes_on =
        matches!(experiment.phase, Phase::Running | Phase::Paused | Phase::Confirming | Phase::Stopping);
    let site = experiment.sites.get(cluster);
    goes_on && site.is_some_and(|s| s.touched && s.closed && s.out_of_use.is_none())
}

/// Whether one run of a pair is measured and the other is not.
fn in_a_pair(experiment: &Experiment, cluster: &str) -> bool {
    let last = experiment.sites.get(cluster).and_then(|s| s.pairs.last());
    last.is_some_and(|p| p.void.is_none() && p.baseline.is_some() != p.recommended.is_some())
}
