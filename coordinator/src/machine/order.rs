//! What is sent out: orders for workers, questions for the optimizer.

use autoopt_epoch::experiment::Algorithm;
use autoopt_epoch::id::AskId;
use autoopt_epoch::message::{self, Action, Cancel, Measure, Pending, Stage, TrialKind};
use autoopt_epoch::time::Timestamp;

use super::{Effect, Epoch, Experiment};

impl Experiment {
    /// Hands the current step of `epoch` out.
    pub(super) fn hand(&self, epoch: &Epoch, at: Timestamp) -> Option<Effect> {
        let step = epoch.step()?;
        let spec = self.spec.stage(step.stage);
        let site = self.sites.get(&epoch.cluster);
        let trial = self.trials.get(&epoch.trial)?;
        let parameters = match (epoch.kind, &self.best) {
            (TrialKind::Closing, Some(best)) if step.action == Action::Run => best.parameters.clone(),
            _ => trial.parameters.clone(),
        };
        let measure = (step.stage == Stage::Collect && step.action == Action::Run).then(|| Measure {
            metrics: self.spec.metrics.clone(),
            objective: self.spec.objective.clone(),
            outcome_constraints: self.spec.outcome_constraints.clone(),
            baseline: site.and_then(|s| s.baseline.clone()),
        });
        Some(Effect::Hand(Box::new(message::Epoch {
            experiment: self.spec.name.clone(),
            experiment_id: self.id,
            trial: epoch.trial,
            number: epoch.number,
            kind: epoch.kind,
            epoch: epoch.id,
            cluster: epoch.cluster.clone(),
            step: epoch.at,
            stage: step.stage,
            action: step.action,
            attempt: epoch.attempt,
            issued: at,
            lease: spec.lease,
            timeout: spec.timeout,
            parameters,
            backend: spec.clone(),
            restore: site.and_then(|s| s.captured.clone()),
            outputs: epoch.outputs.clone(),
            artifacts: Vec::new(),
            measure,
        })))
    }

    /// Tells the workers of the current step to stop it.
    pub(super) fn cancel(epoch: &Epoch, reason: &str) -> Option<Effect> {
        let step = epoch.step()?;
        Some(Effect::Cancel(Cancel {
            epoch: epoch.id,
            cluster: epoch.cluster.clone(),
            stage: step.stage,
            step: epoch.at,
            attempt: epoch.attempt,
            reason: reason.into(),
        }))
    }

    /// The question whose answer is the next trial.
    pub(super) fn question(&self, ask: AskId) -> Effect {
        Effect::Ask(Box::new(message::Ask {
            ask,
            experiment: self.spec.name.clone(),
            experiment_id: self.id,
            number: self.accepted + 1,
            algorithm: self.spec.algorithm.clone(),
            seed: self.spec.seed,
            goal: self.spec.objective.goal(),
            parameters: self.spec.parameters.clone(),
            constraints: self.spec.constraints.clone(),
            budget: self.spec.budget.trials,
            parallel: u32::try_from(self.spec.clusters.len()).unwrap_or(u32::MAX),
            results: self.results.clone(),
            pending: self
                .trials
                .values()
                .filter(|t| matches!(t.kind, TrialKind::Proposed | TrialKind::Manual))
                .map(|t| Pending {
                    trial: t.id,
                    cluster: t.cluster.clone(),
                    parameters: t.parameters.clone(),
                })
                .collect(),
        }))
    }

    /// Whether trials come from an optimizer.
    pub(super) fn asks(&self) -> bool {
        self.spec.algorithm.name != Algorithm::MANUAL
    }
}
