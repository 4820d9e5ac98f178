//! Every interleaving of small cases: in each state, each message on its way may arrive, arrive twice, find a worker that
//! fails or dies, time may pass too early, and the coordinator may restart. At most so many of these faults happen on one path.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use autoopt_coordinator::machine::{Breaker, Change, Control, Input, Phase, Progress, TrialState};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::id::EpochId;
use autoopt_epoch::message::{self, Report, ReportState, Stage};
use serde_json::json;

use crate::support::{Lab, done, experiment_id, report, spec};

#[derive(Clone)]
struct State {
    lab: Lab,
    /// Orders in queues; the lab's own list is moved here.
    orders: Vec<message::Epoch>,
    /// Orders that a worker has accepted and is doing.
    running: Vec<message::Epoch>,
    reports: Vec<Report>,
    faults: u32,
    wishes: Vec<Input>,
}

impl State {
    fn new(clusters: &[&str], trials: u32, faults: u32, wishes: &[Input]) -> Self {
        let tries = json!({"attempts": 2, "backoff": "2s"});
        let retry = json!({"transient": tries, "invalid": tries, "broken": tries, "breaker_after": 2});
        let mut lab = Lab::with(&spec("e", clusters, json!({"budget": {"trials": trials}, "retry": retry})));
        for n in 0..trials {
            lab.trial("e", i64::from(n) + 20);
        }
        let mut state =
            Self { lab, orders: vec![], running: vec![], reports: vec![], faults, wishes: wishes.to_vec() };
        state.collect();
        state
    }

    /// Two experiments of one trial each, which take turns on a cluster after each epoch.
    fn shared(faults: u32, wishes: &[Input]) -> Self {
        let mut lab = Lab::new();
        for (n, name) in [(1, "e"), (2, "f")] {
            let tries = json!({"attempts": 2, "backoff": "2s"});
            let retry = json!({"transient": tries, "invalid": tries, "broken": tries, "breaker_after": 2});
            let more = json!({"budget": {"trials": 1}, "turn": 1, "retry": retry});
            let spec = spec(name, &["c"], more);
            lab.give(Input::Submit { id: experiment_id(n), spec });
            lab.trial(name, 20);
        }
        let mut state =
            Self { lab, orders: vec![], running: vec![], reports: vec![], faults, wishes: wishes.to_vec() };
        state.collect();
        state
    }

    /// What the last input sent out. Cancellations are taken as lost, which has to be harmless.
    fn collect(&mut self) {
        self.orders.append(&mut self.lab.orders);
        self.lab.cancels.clear();
        self.lab.log.clear();
        self.orders.sort_by_key(token);
        self.running.sort_by_key(token);
        self.reports.sort_by_key(|r| (said(r), kind(r)));
    }

    fn after(&self, faults: u32, change: impl FnOnce(&mut Self)) -> Option<Self> {
        let left = self.faults.checked_sub(faults)?;
        let mut next = Self { faults: left, ..self.clone() };
        change(&mut next);
        next.collect();
        Some(next)
    }

    fn successors(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for n in 0..self.orders.len() {
            let says = |s: &mut Self, state: ReportState| {
                let order = s.orders.remove(n);
                s.reports.push(report(&order, s.lab.now, "w/1", state));
            };
            all.extend(self.after(0, |s| says(s, done(&self.orders[n], s.lab.now))));
            // long steps of the other stages are handled alike
            if matches!(self.orders[n].stage, Stage::Apply | Stage::Bench) {
                all.extend(self.after(0, |s| {
                    let order = s.orders[n].clone();
                    says(s, ReportState::Accepted);
                    s.running.push(order);
                }));
            }
            for kind in failures(self.orders[n].stage) {
                let failed = ReportState::Failed(Failure::new(*kind, "a fault"));
                all.extend(self.after(1, |s| says(s, failed)));
            }
            // delivered twice: it stays in the queue as well
            all.extend(self.after(1, |s| {
                s.orders.push(s.orders[n].clone());
                says(s, done(&self.orders[n], s.lab.now));
            }));
        }
        for n in 0..self.running.len() {
            all.extend(self.after(0, |s| {
                let order = s.running.remove(n);
                s.reports.push(report(&order, s.lab.now, "w/1", done(&order, s.lab.now)));
            }));
            // it dies
            all.extend(self.after(1, |s| drop(s.running.remove(n))));
        }
        for n in 0..self.reports.len() {
            // what one worker says of one attempt arrives in order, but for a fault
            let overtakes = n > 0 && said(&self.reports[n - 1]) == said(&self.reports[n]);
            all.extend(self.after(u32::from(overtakes), |s| {
                let report = s.reports.remove(n);
                s.lab.give(Input::Report(report));
            }));
            all.extend(self.after(1, |s| {
                let report = s.reports[n].clone();
                s.lab.give(Input::Report(report));
            }));
        }
        // before a message is lost sight of, time may pass only by a fault
        let busy = !(self.orders.is_empty() && self.running.is_empty() && self.reports.is_empty());
        if self.lab.world.next_deadline().is_some() {
            all.extend(self.after(u32::from(busy), |s| {
                s.lab.next();
            }));
        }
        all.extend(self.after(1, |s| s.lab.crash()));
        if let Some(wish) = self.wishes.first() {
            all.extend(self.after(0, |s| {
                s.wishes.remove(0);
                s.lab.give(wish.clone());
            }));
        }
        all
    }

    /// Everything that the future depends on; instants count from now.
    fn digest(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        let now = self.lab.now.as_millis();
        let from_now = |t: autoopt_epoch::time::Timestamp| (t.as_millis() - now).max(-1);
        for experiment in self.lab.world.experiments.values() {
            (experiment.phase, experiment.accepted, experiment.spec.priority).hash(&mut hash);
            for site in experiment.sites.values() {
                (site.captured.is_some(), site.baseline.is_some(), site.baseline_ended).hash(&mut hash);
                (site.touched, site.closed, site.closings, &site.dirty, site.out_of_use.is_some(), site.left)
                    .hash(&mut hash);
            }
            for trial in experiment.trials.values() {
                (trial.id, trial.epochs, trial.invalid, trial.broken, trial.measurements.len())
                    .hash(&mut hash);
                match trial.state {
                    TrialState::Waiting { not_before } => from_now(not_before).hash(&mut hash),
                    TrialState::Running { epoch } => epoch.hash(&mut hash),
                    TrialState::Ended { .. } => unreachable!("an open trial"),
                }
            }
            for epoch in experiment.epochs.values() {
                (epoch.id, &epoch.plan, epoch.at, epoch.attempt).hash(&mut hash);
                epoch.verdict.as_ref().map(|v| v.outcome).hash(&mut hash);
                match &epoch.progress {
                    Progress::Handed { since } => (0, from_now(*since), 0).hash(&mut hash),
                    Progress::Leased { lease_until, timeout_at, .. } => {
                        (1, from_now(*lease_until), from_now(*timeout_at)).hash(&mut hash);
                    }
                    Progress::BackingOff { until } => (2, from_now(*until), 0).hash(&mut hash),
                    Progress::Ended { .. } => unreachable!("an open epoch"),
                }
            }
        }
        for cluster in self.lab.world.clusters.values() {
            (cluster.turn, cluster.promised).hash(&mut hash);
            match &cluster.breaker {
                Breaker::Closed { failures } => (0, i64::from(*failures)).hash(&mut hash),
                Breaker::Open { until, .. } => (1, from_now(*until)).hash(&mut hash),
                Breaker::Trying { .. } => (2, 0).hash(&mut hash),
            }
        }
        self.lab.world.next_deadline().map(from_now).hash(&mut hash);
        for order in self.orders.iter().chain(&self.running) {
            token(order).hash(&mut hash);
        }
        (self.orders.len(), self.faults, self.wishes.len()).hash(&mut hash);
        for report in &self.reports {
            (said(report), kind(report)).hash(&mut hash);
        }
        hash.finish()
    }
}

/// How a stage can fail; what is left out is handled as one that is listed.
const fn failures(stage: Stage) -> &'static [FailureKind] {
    match stage {
        Stage::Apply | Stage::Load => &[FailureKind::Transient, FailureKind::Broken],
        Stage::Bench => &[FailureKind::Transient, FailureKind::Infeasible],
        Stage::Collect => &[FailureKind::Invalid],
    }
}

fn token(order: &message::Epoch) -> (EpochId, u32, u32) {
    (order.epoch, order.step, order.attempt)
}

fn said(report: &Report) -> (EpochId, u32, u32) {
    (report.epoch, report.step, report.attempt)
}

fn kind(report: &Report) -> u8 {
    match &report.state {
        ReportState::Accepted => 0,
        ReportState::Heartbeat { .. } => 1,
        ReportState::Done(_) => 2,
        ReportState::Failed(f) => 3 + f.kind as u8,
    }
}

/// Visits every state; the rules are checked on the way (by [`Lab`]). Returns how many there are.
fn explore(start: State) -> usize {
    let mut seen = HashSet::from([start.digest()]);
    let mut open = vec![start];
    let mut ends = 0;
    while let Some(state) = open.pop() {
        if state.lab.world.experiments.is_empty() {
            assert_eq!(state.lab.experiment().phase, Phase::Ended);
            state.lab.store.check_ends();
            ends += 1;
            continue;
        }
        let successors = state.successors();
        assert!(!successors.is_empty(), "stuck: {:#?}", state.lab.world.experiments);
        open.extend(successors.into_iter().filter(|s| seen.insert(s.digest())));
    }
    assert!(ends > 0);
    println!("{} states, {ends} of them ends", seen.len());
    seen.len()
}

#[test]
fn one_cluster_and_one_trial_end_well_on_every_path_with_two_faults() {
    assert!(explore(State::new(&["c"], 1, 2, &[])) > 1000);
}

#[test]
fn two_clusters_and_two_trials_end_well_in_every_order() {
    assert!(explore(State::new(&["c", "d"], 2, 0, &[])) > 1000);
}

#[test]
fn two_experiments_that_take_turns_end_well_on_every_path_with_one_fault() {
    assert!(explore(State::shared(1, &[])) > 1000);
}

#[test]
fn a_priority_that_changes_and_a_pause_at_any_moment_let_both_end_well() {
    let experiment = experiment_id(1);
    let change = |priority| {
        let change = Change { priority: Some(priority), ..Change::default() };
        Input::Change { experiment, change }
    };
    let control = |control| Input::Control { experiment, control };
    let wishes = [change(1), control(Control::Pause), change(-1), control(Control::Resume)];
    assert!(explore(State::shared(0, &wishes)) > 500);
}

#[test]
fn a_cancellation_at_any_moment_ends_well_with_one_fault() {
    let cancel = Input::Control { experiment: experiment_id(1), control: Control::Cancel };
    assert!(explore(State::new(&["c"], 1, 1, &[cancel])) > 1000);
}

fn change(join: &[&str], leave: &[&str]) -> Input {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let change = Change { join: set(join), leave: set(leave), ..Change::default() };
    Input::Change { experiment: experiment_id(1), change }
}

#[test]
fn a_cluster_that_leaves_at_any_moment_is_left_on_every_path() {
    assert!(explore(State::new(&["c", "d"], 1, 0, &[change(&[], &["c"])])) > 1000);
}

#[test]
fn a_cluster_that_takes_the_place_of_another_at_any_moment_lets_all_end_well_with_one_fault() {
    assert!(explore(State::new(&["c"], 1, 1, &[change(&["d"], &["c"])])) > 1000);
}
