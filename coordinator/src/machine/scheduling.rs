//! Free clusters are given to waiting trials; experiments move on from phase to phase.

use autoopt_epoch::id::{AskId, EpochId, ExperimentId, TrialId};
use autoopt_epoch::message::{EventKind, TrialKind};
use autoopt_epoch::time::{Period, Timestamp};

use super::plan::plan;
use super::retry::next_attempt;
use super::{
    Breaker, Cluster, Effect, Epoch, Experiment, OpenAsk, Phase, Progress, Record, Trial, TrialState, World,
};

/// An optimizer that is silent for this long is asked again.
const ASK_PATIENCE: Period = Period::seconds(30);

impl World {
    /// Does everything that can be done at `at` without anybody saying anything.
    pub(super) fn schedule(&mut self, at: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        for experiment in self.experiments.values_mut() {
            effects.extend(experiment.settle(at));
        }
        let free: Vec<String> =
            self.clusters.values().filter(|c| c.is_free(at)).map(|c| c.name.clone()).collect();
        for name in &free {
            if let Some((experiment, trial)) = self.candidate(at, name) {
                effects.extend(self.begin(at, experiment, trial, name));
            }
        }
        for experiment in self.experiments.values_mut() {
            let idle = free.iter().any(|name| {
                experiment.sites.get(name).is_some_and(|s| s.baseline.is_some())
                    && self.clusters.get(name).is_some_and(|c| c.is_free(at))
            });
            effects.extend(experiment.ask(at, idle));
        }
        self.experiments.retain(|_, e| e.phase != Phase::Ended);
        effects
    }

    /// The trial that `cluster` is given: of the experiment with the fewest running epochs, then of the oldest.
    fn candidate(&self, at: Timestamp, cluster: &str) -> Option<(ExperimentId, TrialId)> {
        let taken_by = |e: &&Experiment| e.sites.get(cluster).is_some_and(|s| s.touched && !s.closed);
        // an experiment must not take another one's changes for what was in force before
        let holder = self.experiments.values().find(taken_by).map(|e| e.id);
        self.experiments
            .values()
            .filter(|e| holder.is_none_or(|h| h == e.id) && e.sites.contains_key(cluster))
            .filter_map(|e| Some(((e.epochs.len(), e.submitted, e.id), e.next_trial(at, cluster)?)))
            .min_by_key(|(order, _)| *order)
            .map(|((_, _, experiment), trial)| (experiment, trial))
    }

    fn begin(
        &mut self,
        at: Timestamp,
        experiment: ExperimentId,
        trial: TrialId,
        cluster: &str,
    ) -> Vec<Effect> {
        let (Some(experiment), Some(cluster)) =
            (self.experiments.get_mut(&experiment), self.clusters.get_mut(cluster))
        else {
            return Vec::new();
        };
        let mut effects = experiment.begin(at, trial, cluster);
        if let Some((_, epoch)) = cluster.holder {
            self.index.insert(epoch, experiment.id);
            if let Breaker::Open { reason, .. } = &cluster.breaker {
                cluster.breaker = Breaker::Trying { reason: reason.clone() };
            }
            effects.push(Effect::Save(Record::Cluster(cluster.clone())));
        }
        effects
    }
}

impl Cluster {
    fn is_free(&self, at: Timestamp) -> bool {
        self.holder.is_none()
            && match self.breaker {
                Breaker::Closed { .. } => true,
                Breaker::Open { until, .. } => until <= at,
                Breaker::Trying { .. } => false,
            }
    }
}

impl Trial {
    fn is_ready(&self, at: Timestamp) -> bool {
        matches!(self.state, TrialState::Waiting { not_before } if not_before <= at)
    }
}

impl Experiment {
    /// The trial this experiment would run on a free cluster: the closing or the baseline of that cluster, else trials by
    /// hand before proposed ones, in the order of acceptance.
    fn next_trial(&self, at: Timestamp, cluster: &str) -> Option<TrialId> {
        let site = self.sites.get(cluster)?;
        let here = |t: &&Trial| t.is_ready(at) && t.cluster.as_deref().is_none_or(|c| c == cluster);
        let ready = self.trials.values().filter(here);
        match self.phase {
            Phase::Closing => {
                let mut ready = ready.filter(|t| t.kind == TrialKind::Closing);
                ready.next().map(|t| t.id)
            }
            Phase::Running | Phase::Stopping if !site.baseline_ended => {
                let mut ready = ready.filter(|t| t.kind == TrialKind::Baseline);
                ready.next().map(|t| t.id)
            }
            Phase::Running | Phase::Stopping if site.baseline.is_some() => {
                ready.min_by_key(|t| (t.kind != TrialKind::Manual, t.number)).map(|t| t.id)
            }
            Phase::Running | Phase::Stopping | Phase::Paused | Phase::Ended => None,
        }
    }

    fn begin(&mut self, at: Timestamp, trial: TrialId, cluster: &mut Cluster) -> Vec<Effect> {
        let Some(trial) = self.trials.get_mut(&trial) else { return Vec::new() };
        trial.epochs += 1;
        let id = EpochId::derived(trial.id.0, &format!("epoch/{}", trial.epochs));
        trial.state = TrialState::Running { epoch: id };
        let trial = trial.clone();
        let better = self.best.as_ref().is_some_and(|b| b.number > 0);
        let epoch = Epoch {
            id,
            experiment: self.id,
            trial: trial.id,
            number: trial.number,
            kind: trial.kind,
            cluster: cluster.name.clone(),
            started: at,
            plan: plan(&self.spec, trial.kind, better),
            at: 0,
            attempt: 1,
            progress: Progress::Handed { since: at },
            verdict: None,
            measurement: None,
            outputs: std::collections::BTreeMap::new(),
        };
        cluster.holder = Some((self.id, id));
        let mut effects: Vec<Effect> = self.hand(&epoch, at).into_iter().collect();
        let site = self.sites.entry(cluster.name.clone()).or_default();
        if !site.touched {
            site.touched = true;
            effects.push(Effect::Save(Record::Experiment(self.row())));
        }
        let text = format!("{} began on `{}`", describe(&trial), cluster.name);
        effects.push(Effect::Log(self.epoch_event(at, EventKind::EpochStarted, &epoch, text)));
        effects.push(Effect::Save(Record::Trial(trial)));
        effects.push(Effect::Save(Record::Epoch(epoch.clone())));
        self.epochs.insert(id, epoch);
        effects
    }

    /// Moves the experiment on when nothing holds it in its phase any more.
    fn settle(&mut self, at: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        if matches!(self.phase, Phase::Running | Phase::Paused) {
            if self.wall_time_over().is_some_and(|end| end <= at) {
                effects.extend(self.stop(at, "the wall time is over"));
            } else if !self.sites.is_empty()
                && self.sites.values().all(|s| s.baseline_ended && s.baseline.is_none())
            {
                effects.extend(self.stop(at, "no cluster could be measured as it is"));
            } else if self.phase == Phase::Running
                && self.accepted >= self.spec.budget.trials
                && self.trials.is_empty()
            {
                effects.extend(self.stop(at, "the budget is used up"));
            }
        }
        if self.phase == Phase::Stopping && self.trials.is_empty() && self.epochs.is_empty() {
            effects.extend(self.close(at));
        }
        if self.phase == Phase::Closing && self.trials.is_empty() && self.epochs.is_empty() {
            self.phase = Phase::Ended;
            self.ended = Some(at);
            let mut event = self.event(at, EventKind::ExperimentEnded, self.summary());
            event.detail = serde_json::json!({"best": self.best, "outcomes": self.outcomes});
            effects.push(Effect::Log(event));
            effects.push(Effect::Save(Record::Experiment(self.row())));
        }
        effects
    }

    fn close(&mut self, at: Timestamp) -> Vec<Effect> {
        self.phase = Phase::Closing;
        let text = "all trials have ended; the clusters are being left as the experiment says";
        let mut effects = vec![Effect::Log(self.event(at, EventKind::ExperimentClosing, text))];
        let touched: Vec<String> =
            self.sites.iter().filter(|(_, s)| s.touched && !s.closed).map(|(name, _)| name.clone()).collect();
        for cluster in touched {
            let restore = self.sites.get(&cluster).and_then(|s| s.captured.clone()).unwrap_or_default();
            let id = TrialId::derived(self.id.0, &format!("closing/{cluster}"));
            let trial = Trial::new(id, self, TrialKind::Closing, restore, Some(cluster), at);
            effects.push(Effect::Save(Record::Trial(trial.clone())));
            self.trials.insert(id, trial);
        }
        effects.push(Effect::Save(Record::Experiment(self.row())));
        effects
    }

    fn summary(&self) -> String {
        let baseline = self.results.iter().find(|r| r.kind == TrialKind::Baseline).and_then(|r| r.objective);
        match (&self.best, baseline) {
            (Some(best), Some(baseline)) if best.number > 0 => format!(
                "`{}` ended; best is trial {} with {} (baseline {baseline})",
                self.spec.name, best.number, best.objective
            ),
            (Some(_), Some(baseline)) => {
                format!("`{}` ended; nothing beat the baseline ({baseline})", self.spec.name)
            }
            _ => format!("`{}` ended without a measured trial", self.spec.name),
        }
    }

    pub(super) fn wall_time_over(&self) -> Option<Timestamp> {
        self.spec.budget.wall_time.map(|w| self.submitted.after(w.0))
    }

    /// Asks for the next trial if a cluster is idle, or asks again if the optimizer is silent.
    fn ask(&mut self, at: Timestamp, idle: bool) -> Vec<Effect> {
        if self.phase != Phase::Running || !self.asks() {
            return Vec::new();
        }
        if let Some(open) = self.ask.as_mut() {
            if open.until > at {
                return Vec::new();
            }
            open.attempt += 1;
            let policy = autoopt_epoch::experiment::RetryPolicy {
                attempts: u32::MAX,
                backoff: ASK_PATIENCE,
                max_backoff: Period::seconds(300),
            };
            open.until = next_attempt(&policy, open.id.0, open.attempt, at);
            let open = open.clone();
            let text =
                format!("no answer from `{}`; is autoopt-optimizer running?", self.spec.algorithm.name);
            return vec![
                Effect::Log(self.event(at, EventKind::OptimizerSilent, text)),
                Effect::Save(Record::Experiment(self.row())),
                self.question(open.id),
            ];
        }
        let waiting =
            self.trials.values().any(|t| matches!(t.state, TrialState::Waiting { .. }) && t.number > 0);
        if !idle || waiting || self.accepted >= self.spec.budget.trials {
            return Vec::new();
        }
        self.asked += 1;
        let id = AskId::derived(self.id.0, &format!("ask/{}", self.asked));
        self.ask = Some(OpenAsk { id, until: at.after(ASK_PATIENCE.0), attempt: 1 });
        vec![self.question(id), Effect::Save(Record::Experiment(self.row()))]
    }
}

fn describe(trial: &Trial) -> String {
    match trial.kind {
        TrialKind::Baseline => "the baseline".into(),
        TrialKind::Closing => "the closing".into(),
        TrialKind::Proposed | TrialKind::Manual => format!("trial {}", trial.number),
    }
}
