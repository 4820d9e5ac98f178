//! Random scripts: workers that are slow, die, fail, and report twice and out of order; a coordinator that crashes and is
//! given again what it did not acknowledge; people who change their minds.

use std::time::Duration;

use autoopt_coordinator::machine::{Change, Control, Input};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::id::MessageId;
use autoopt_epoch::message::{self, Action, Done, Leak, LeakKind, Report, ReportState, Stage, Violation};
use autoopt_epoch::space::Value;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use crate::support::{Lab, done, experiment_id, measured, report, spec};

/// One throw of the dice: what happens, to whom, and how.
type Throw = (u8, u8, u8);

struct Chaos {
    lab: Lab,
    /// Reports and answers on their way.
    inputs: Vec<Input>,
    running: Vec<message::Epoch>,
    /// The last input, which the coordinator may not have acknowledged.
    last: Option<Input>,
    messages: u128,
}

impl Chaos {
    fn new(repeats: u8, keep_epoch: bool, best: bool) -> Self {
        let more = json!({
            "budget": {"trials": 5}, "algorithm": {"name": "gp"}, "repeats": repeats,
            "at_end": if best { "best" } else { "restore" },
            "load": {"backend": "noop", "keep": if keep_epoch { "epoch" } else { "experiment" }},
            "retry": {"transient": {"attempts": 3}, "breaker_after": 2, "breaker_pause": "20s"},
            "confirm": {"pairs": 2, "precision": 0.1, "max_pairs": 3}, "baseline": {"every": 2},
        });
        let mut lab = Lab::with(&spec("first", &["a", "b"], more.clone()));
        let second = spec("second", &["b", "c"], more);
        lab.give(Input::Submit { id: experiment_id(2), spec: second });
        Self { lab, inputs: Vec::new(), running: Vec::new(), last: None, messages: 0 }
    }

    fn give(&mut self, input: Input) {
        self.lab.give(input.clone());
        self.last = Some(input);
        self.take_asks();
    }

    fn take_asks(&mut self) {
        for ask in std::mem::take(&mut self.lab.asks) {
            let x = i64::from(ask.number % 7) * 10;
            let trial = message::Trial {
                experiment: ask.experiment,
                parameters: [("x".to_owned(), Value::Int(x))].into(),
                trial: None,
                ask: Some(ask.ask),
                cluster: None,
                note: None,
                outlook: None,
                compromise: None,
            };
            self.messages += 1;
            self.inputs.push(Input::Trial { message: MessageId(Uuid::from_u128(self.messages)), trial });
        }
    }

    fn say(&mut self, order: &message::Epoch, state: ReportState) {
        self.inputs.push(Input::Report(report(order, self.lab.now, "w/1", state)));
    }

    fn happen(&mut self, (what, whom, how): Throw) {
        let pick = |n: usize| usize::from(whom) % n.max(1);
        match what % 16 {
            0..=3 if !self.lab.orders.is_empty() => {
                let order = self.lab.orders.remove(pick(self.lab.orders.len()));
                self.take_order(order, how);
            }
            4..=5 if !self.running.is_empty() => {
                let order = self.running.remove(pick(self.running.len()));
                let state = end(&order, how, &self.lab);
                self.say(&order, state);
            }
            6..=9 if !self.inputs.is_empty() => {
                let n = pick(self.inputs.len());
                let input =
                    if how.is_multiple_of(8) { self.inputs[n].clone() } else { self.inputs.remove(n) };
                self.give(input);
            }
            10 if how.is_multiple_of(3) => {
                self.lab.away(u64::from(how / 4), whom.is_multiple_of(2));
                if let Some(input) = self.last.clone() {
                    self.give(input);
                }
            }
            // a worker dies, or tells that it is alive
            11 if !self.running.is_empty() => {
                let n = pick(self.running.len());
                if how.is_multiple_of(2) {
                    self.running.remove(n);
                } else {
                    let order = self.running[n].clone();
                    self.say(&order, ReportState::Heartbeat { note: None });
                }
            }
            12 if how < 25 => self.wish(whom, how),
            _ => {
                self.lab.now = self.lab.now.after(Duration::from_millis(u64::from(how) * 20));
                self.give(Input::Tick);
            }
        }
    }

    fn take_order(&mut self, order: message::Epoch, how: u8) {
        if how.is_multiple_of(10) {
            self.lab.orders.push(order.clone());
        }
        if how.is_multiple_of(3) {
            self.say(&order, ReportState::Accepted);
            self.running.push(order);
        } else {
            let state = end(&order, how, &self.lab);
            self.say(&order, state);
        }
    }

    fn wish(&mut self, whom: u8, how: u8) {
        let experiment = experiment_id(1 + u128::from(whom % 2));
        let control = |control| Input::Control { experiment, control };
        let trials = self.lab.world.experiments.values().flat_map(|e| e.trials.keys());
        let trial = trials.copied().nth(usize::from(whom) % 8);
        match (how, trial) {
            (0..=4, _) => self.give(control(Control::Pause)),
            (5..=9, _) => self.give(control(Control::Resume)),
            (10, _) => self.give(control(Control::Stop)),
            (11, _) => self.give(control(Control::Cancel)),
            (12..=15, Some(trial)) => self.give(Input::CancelTrial { trial }),
            (16..=17, _) => {
                let name = |n: u8| ["a", "b", "c", "d"][usize::from(n % 4)].to_owned();
                let (join, leave) = match how {
                    16 => ([name(whom / 2)].into(), [].into()),
                    _ => ([].into(), [name(whom / 2)].into()),
                };
                let trials = Some(u32::from(whom % 3) + 4);
                self.give(Input::Change {
                    experiment,
                    change: Change {
                        trials,
                        wall_time: None,
                        priority: Some(i32::from(whom % 3)),
                        join,
                        leave,
                    },
                });
            }
            (18..=20, _) => {
                self.lab.trial(if whom.is_multiple_of(2) { "first" } else { "second" }, i64::from(how));
            }
            _ => self.give(Input::ResumeCluster { cluster: "b".into(), keep_leaks: how.is_multiple_of(2) }),
        }
    }

    /// From now on nothing goes wrong: everything has to end.
    fn calm(&mut self) {
        for n in 1..=2 {
            self.give(Input::Control { experiment: experiment_id(n), control: Control::Resume });
        }
        for _ in 0..5_000 {
            if self.lab.world.experiments.is_empty() {
                return self.lab.store.check_ends();
            }
            if let Some(input) = self.inputs.pop() {
                self.give(input);
            } else if let Some(order) = self.running.pop().or_else(|| self.lab.orders.pop()) {
                let state = done(&order, self.lab.now);
                self.give(Input::Report(report(&order, self.lab.now, "w/1", state)));
            } else {
                assert!(self.lab.next(), "stuck: {:#?}", self.lab.world.experiments);
                self.take_asks();
            }
        }
        panic!("no end: {:#?}", self.lab.world.experiments);
    }
}

/// How a worker ends an order: mostly well.
fn end(order: &message::Epoch, how: u8, lab: &Lab) -> ReportState {
    let fails = |kind| ReportState::Failed(Failure::new(kind, "a fault"));
    match how {
        200..=255 => fails(FailureKind::ALL[usize::from(how) % 6]),
        180..=199 => fails(FailureKind::Transient),
        165..=169 => leaving(order, lab),
        170..=179 => measured(order, lab.now, &[Violation { constraint: "m <= 1".into(), by: 1.0 }]),
        _ => done(order, lab.now),
    }
}

/// A benchmark, or its removal, that leaves something behind.
fn leaving(order: &message::Epoch, lab: &Lab) -> ReportState {
    let leaves =
        matches!((order.stage, order.action), (Stage::Collect, Action::Run) | (Stage::Bench, Action::Undo));
    match done(order, lab.now) {
        ReportState::Done(done) if leaves => {
            ReportState::Done(Done { leaks: vec![Leak::new(LeakKind::Port, "p")], ..done })
        }
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_trial_ends_once_and_every_cluster_is_left(
        throws in prop::collection::vec(any::<Throw>(), 0..600), repeats in 1_u8..3, keep_epoch: bool, best: bool,
    ) {
        let mut chaos = Chaos::new(repeats, keep_epoch, best);
        for throw in throws {
            chaos.happen(throw);
        }
        chaos.calm();
        for cluster in ["a", "b", "c"] {
            if let Some(action) = chaos.lab.store.last_apply(cluster) {
                let left = action == Action::Undo || best;
                prop_assert!(left, "`{}` was left after {:?}", cluster, action);
            }
        }
    }

    #[test]
    fn the_same_input_twice_has_the_effects_of_once(throws in prop::collection::vec(any::<Throw>(), 0..300)) {
        let mut chaos = Chaos::new(1, false, false);
        for throw in throws {
            chaos.happen(throw);
            let Some(input) = chaos.last.clone() else { continue };
            // a beat of the heart may come twice; a wish is granted or refused again
            let once = match &input {
                Input::Report(Report { state, .. }) => {
                    matches!(state, ReportState::Done(_) | ReportState::Failed(_))
                }
                Input::Trial { .. } | Input::Tick | Input::ResumeCluster { .. } => true,
                Input::Submit { .. }
                | Input::Control { .. }
                | Input::Change { .. }
                | Input::CancelTrial { .. } => false,
            };
            if once {
                let mut again = chaos.lab.clone();
                again.give(input.clone());
                prop_assert_eq!(&again.orders, &chaos.lab.orders, "{:?}", input);
                prop_assert!(again.store == chaos.lab.store, "{:?}", input);
            }
        }
    }
}
