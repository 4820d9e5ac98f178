//! What was left behind on a cluster: nothing is measured there until it is gone, or a person says that it is to stay.
//!
//! An epoch that begins on such a cluster looks for it first. If it is still there, the epoch ends with nothing done, its trial
//! waits as before, and the cluster is paused again.

use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::{EpochId, ExperimentId};
use autoopt_epoch::message::{Action, EventKind, Leak, Stage, TrialKind};
use serde_json::json;

use super::events::title;
use super::turn::Turn;
use super::{Epoch, Leaked, Step, Verdict, plan};

/// Asks the stage that knows what a workload leaves.
pub(super) const LOOK: Step = plan::step(Stage::Bench, Action::Undo);

/// How many are named in a sentence.
const NAMED: usize = 3;

impl Epoch {
    /// Whether the current step looks for what an earlier epoch left.
    pub(super) fn looks(&self) -> bool {
        self.at == 0 && self.kind != TrialKind::Closing && self.step() == Some(LOOK)
    }

    /// Whether that is all it has done.
    pub(super) fn only_looked(&self) -> bool {
        self.kind != TrialKind::Closing && self.plan == [LOOK]
    }
}

impl Turn<'_> {
    /// A step has been done, after which `leaks` are there. The verdict, if that ends the epoch.
    pub(super) fn take_leaks(
        &mut self,
        experiment: ExperimentId,
        id: EpochId,
        leaks: Vec<Leak>,
    ) -> Option<Verdict> {
        let epoch = self.open_epoch(experiment, id)?.clone();
        if epoch.looks() {
            return self.take_look(&epoch, leaks);
        }
        if leaks.is_empty() {
            return None;
        }
        let found = self.experiment(experiment)?;
        let new = Leaked {
            leaks: Vec::new(),
            since: self.at,
            experiment: found.spec.name.clone(),
            epoch: id,
            bench: found.spec.bench.clone(),
        };
        let reason = format!(
            "{} left behind {}; nothing is measured there until that is gone",
            title(epoch.kind, epoch.number, epoch.pair),
            named(&leaks)
        );
        self.change_cluster(&epoch.cluster, |c| {
            let all = &mut c.leaked.get_or_insert(new).leaks;
            all.extend(leaks);
            all.sort();
            all.dedup();
        });
        self.open_breaker(&epoch.cluster, experiment, &reason);
        None
    }

    fn take_look(&mut self, epoch: &Epoch, leaks: Vec<Leak>) -> Option<Verdict> {
        // none are known any more once a person said that they are to stay
        let from = self.world.clusters.get(&epoch.cluster)?.leaked.as_ref()?.epoch;
        if leaks.is_empty() {
            self.change_cluster(&epoch.cluster, |c| c.leaked = None);
            let message = format!("what epoch {from} had left behind on `{}` is gone", epoch.cluster);
            self.log_step(epoch, EventKind::ClusterResumed, message, json!({"leaks": []}));
            return None;
        }
        let reason = format!("what epoch {from} left behind is still there: {}", named(&leaks));
        self.change_cluster(&epoch.cluster, |c| {
            if let Some(leaked) = &mut c.leaked {
                leaked.leaks = leaks;
            }
        });
        Some(Verdict { outcome: Outcome::Broken, reason: Some(reason) })
    }
}

/// Each with the command that removes it.
fn named(leaks: &[Leak]) -> String {
    let mut names: Vec<String> =
        leaks.iter().take(NAMED).map(|leak| format!("{leak} (`{}`)", leak.remedy())).collect();
    if leaks.len() > NAMED {
        names.push(format!("{} more (see `autoopt clusters`)", leaks.len() - NAMED));
    }
    names.join(", ")
}
