//! Random interleavings of three experiments on two clusters whose state is kept: each finds what it captured, measures what it asked
//! for under its own load alone, and leaves the clusters as they were found.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use autoopt_coordinator::machine::{Change, Control, Input};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::{self, Action, Epoch, ReportState, Stage, TrialKind, Violation};
use autoopt_epoch::space::{Parameters, Value};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Lab, done, experiment_id, measured, spec};

/// What [`done`] says was captured.
const FOUND: i64 = 7;

/// What is in force on a cluster.
struct Cloud {
    x: i64,
    loads: BTreeSet<ExperimentId>,
    last: Option<ExperimentId>,
}

impl Cloud {
    /// Does a step, or as much of it as a failing one may have done.
    fn perform(&mut self, order: &Epoch) {
        let own = order.experiment_id;
        let others: Vec<_> = self.loads.iter().filter(|e| **e != own).collect();
        assert!(others.is_empty(), "under the load of another one: {order:?}");
        if self.last.replace(own) != Some(own) {
            let restored = self.x == FOUND && self.loads.is_empty();
            assert!(restored, "{:?} under {:?} is what {order:?} finds", self.x, self.loads);
        }
        let x = |of: &Parameters| of.get("x").and_then(Value::as_f64).unwrap() as i64;
        match (order.stage, order.action) {
            (Stage::Apply, Action::Capture) => assert_eq!(self.x, FOUND, "captured: {order:?}"),
            (Stage::Apply, Action::Run) => self.x = x(&order.parameters),
            (Stage::Apply, Action::Undo) => self.x = x(order.restore.as_ref().unwrap()),
            (Stage::Load, Action::Undo) => drop(self.loads.remove(&own)),
            (Stage::Load, _) => drop(self.loads.insert(own)),
            (Stage::Bench, Action::Run) => {
                assert_eq!(self.x, x(&order.parameters), "measured: {order:?}");
                assert!(self.loads.contains(&own), "without its load: {order:?}");
            }
            _ => {}
        }
    }
}

struct Chaos {
    lab: Lab,
    clouds: BTreeMap<String, Cloud>,
}

impl Chaos {
    fn new(turn: u8, priority: u8, keep_epoch: bool) -> Self {
        let mut lab = Lab::new();
        for (n, clusters) in [(1, &["a", "b"][..]), (2, &["a"]), (3, &["b", "a"])] {
            let more = json!({
                "budget": {"trials": 4}, "algorithm": {"name": "gp"}, "repeats": 1 + n % 2,
                "turn": turn, "priority": if n == 3 { priority } else { 0 },
                "load": {"backend": "noop", "keep": if keep_epoch { "epoch" } else { "experiment" }},
                "retry": {"transient": {"attempts": 3}, "breaker_after": 2, "breaker_pause": "20s"},
                "confirm": {"pairs": 2}, "baseline": {"every": 2},
            });
            let spec = spec(&format!("e{n}"), clusters, more);
            lab.give(Input::Submit { id: experiment_id(n), spec });
        }
        let cloud = || Cloud { x: FOUND, loads: BTreeSet::new(), last: None };
        let clouds = ["a", "b"].map(|cluster| (cluster.to_owned(), cloud())).into();
        Self { lab, clouds }
    }

    fn give(&mut self, input: Input) {
        self.lab.give(input);
        for cancel in std::mem::take(&mut self.lab.cancels) {
            let meant =
                |o: &Epoch| (o.epoch, o.step, o.attempt) == (cancel.epoch, cancel.step, cancel.attempt);
            self.lab.orders.retain(|order| !meant(order));
        }
    }

    fn answer(&mut self, n: usize) {
        let ask = self.lab.asks.remove(n);
        let trial = message::Trial {
            experiment: ask.experiment,
            parameters: [("x".to_owned(), Value::Int(i64::from(ask.number % 7) * 10))].into(),
            trial: None,
            ask: Some(ask.ask),
            cluster: None,
            note: None,
            outlook: None,
            compromise: None,
        };
        self.lab.send(trial);
    }

    fn work(&mut self, n: usize, how: u8) {
        let order = self.lab.orders.remove(n);
        self.clouds.get_mut(&order.cluster).unwrap().perform(&order);
        let state = match how {
            225..=255 => ReportState::Failed(Failure::new(FailureKind::ALL[usize::from(how) % 6], "a fault")),
            210..=224 => {
                measured(&order, self.lab.now, &[Violation { constraint: "m <= 1".into(), by: 1.0 }])
            }
            _ => done(&order, self.lab.now),
        };
        let report = crate::support::report(&order, self.lab.now, "w/1", state);
        self.give(Input::Report(report));
    }

    fn happen(&mut self, (what, whom, how): (u8, u8, u8)) {
        let pick = |n: usize| usize::from(whom) % n;
        match what % 16 {
            0..=9 if !self.lab.orders.is_empty() => self.work(pick(self.lab.orders.len()), how),
            10..=12 if !self.lab.asks.is_empty() => self.answer(pick(self.lab.asks.len())),
            13 if how < 60 => self.lab.away(u64::from(how), whom % 2 == 0),
            14 if how < 60 => self.wish(whom, how),
            _ => {
                self.lab.now = self.lab.now.after(Duration::from_millis(u64::from(how) * 20));
                self.give(Input::Tick);
            }
        }
    }

    fn wish(&mut self, whom: u8, how: u8) {
        let experiment = experiment_id(1 + u128::from(whom % 3));
        let control = |control| Input::Control { experiment, control };
        let change = |change| Input::Change { experiment, change };
        let cluster = || [["a", "b"][usize::from(whom / 3 % 2)].to_owned()].into();
        match how {
            0..=9 => self.give(control(Control::Pause)),
            10..=19 => self.give(control(Control::Resume)),
            20..=21 => self.give(control(Control::Stop)),
            22 => self.give(control(Control::Cancel)),
            23..=40 => {
                let priority = Some(i32::from(whom % 3) - 1);
                self.give(change(Change { priority, ..Change::default() }));
            }
            41..=43 => self.give(change(Change { leave: cluster(), ..Change::default() })),
            44..=50 => {
                let mut trials = self.lab.world.experiments.values().flat_map(|e| e.trials.values());
                let open = trials.nth(usize::from(whom) % 8).filter(|t| t.kind != TrialKind::Closing);
                if let Some(trial) = open.map(|t| t.id) {
                    self.give(Input::CancelTrial { trial });
                }
            }
            _ => drop(self.lab.trial(&format!("e{}", 1 + whom % 3), i64::from(how))),
        }
    }

    /// From now on nothing goes wrong: everything has to end.
    fn calm(&mut self) {
        for n in 1..=3 {
            self.give(Input::Control { experiment: experiment_id(n), control: Control::Resume });
        }
        for _ in 0..5_000 {
            if self.lab.world.experiments.is_empty() {
                return self.lab.store.check_ends();
            }
            if !self.lab.asks.is_empty() {
                self.answer(0);
            } else if !self.lab.orders.is_empty() {
                self.work(0, 0);
            } else {
                assert!(self.lab.next(), "stuck: {:#?}", self.lab.world);
            }
        }
        panic!("no end: {:#?}", self.lab.world);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn each_finds_what_it_captured_and_all_is_left_as_it_was_found(
        throws in prop::collection::vec(any::<(u8, u8, u8)>(), 0..500), turn in 1_u8..4, priority in 0_u8..2, keep_epoch: bool,
    ) {
        let mut chaos = Chaos::new(turn, priority, keep_epoch);
        for throw in throws {
            chaos.happen(throw);
        }
        chaos.calm();
        for (cluster, cloud) in &chaos.clouds {
            prop_assert_eq!(cloud.x, FOUND, "{}", cluster);
            prop_assert!(cloud.loads.is_empty(), "{}", cluster);
        }
    }
}
