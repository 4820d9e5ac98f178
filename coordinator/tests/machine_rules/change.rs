//! A person changes an experiment while its search goes on.

use autoopt_coordinator::machine::{Change, Control, Input, Phase};
use autoopt_epoch::failure::{FailureKind, Outcome};
use autoopt_epoch::message::{self, Action, EventKind, Stage, TrialKind};
use autoopt_epoch::space::Value;
use autoopt_epoch::time::Period;
use serde_json::json;

use crate::support::{Lab, done, experiment_id, spec};

fn change(lab: &mut Lab, change: Change) -> Option<String> {
    lab.give(Input::Change { experiment: experiment_id(1), change })
}

fn names(of: &[&str]) -> std::collections::BTreeSet<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

fn leave(lab: &mut Lab, cluster: &str) -> Option<String> {
    change(lab, Change { leave: names(&[cluster]), ..Change::default() })
}

#[test]
fn more_trials_are_taken_and_fewer_end_the_search() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({})));
    lab.trial("e", 20);
    lab.trial("e", 30);
    assert!(lab.trial("e", 40).unwrap().contains("the budget of 2 trials is used up"));
    assert_eq!(change(&mut lab, Change { trials: Some(3), ..Change::default() }), None);
    assert_eq!(lab.trial("e", 40), None);
    let said: Vec<_> = lab.events(EventKind::ExperimentChanged).iter().map(|e| e.message.clone()).collect();
    assert_eq!(said, ["changed by a person: 3 trials instead of 2"]);
    // what is so already is no change
    assert_eq!(change(&mut lab, Change { trials: Some(3), ..Change::default() }), None);
    assert_eq!(lab.events(EventKind::ExperimentChanged).len(), 1);
    let refused = change(&mut lab, Change { trials: Some(2), ..Change::default() }).unwrap();
    assert!(refused.contains("3 trials have been accepted already"), "{refused}");
    lab.work();
    assert_eq!(lab.experiment().phase, Phase::Ended);
    assert_eq!(lab.outcomes(TrialKind::Manual), [Outcome::Measured; 3]);
}

#[test]
fn a_search_that_has_nothing_left_to_do_ends_when_its_budget_is_cut() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({"budget": {"trials": 9}})));
    lab.trial("e", 20);
    lab.work();
    assert_eq!(lab.experiment().phase, Phase::Running);
    change(&mut lab, Change { trials: Some(1), ..Change::default() });
    lab.work();
    assert_eq!(lab.experiment().phase, Phase::Ended);
}

#[test]
fn another_wall_time_counts_from_the_submission() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({"budget": {"trials": 9, "wall_time": "100s"}})));
    lab.later(90);
    let wall_time = |seconds| Change { wall_time: Some(Period::seconds(seconds)), ..Change::default() };
    assert_eq!(change(&mut lab, wall_time(200)), None);
    lab.later(20);
    assert_eq!(lab.experiment().phase, Phase::Running);
    assert!(change(&mut lab, wall_time(60)).unwrap().contains("over already"));
    lab.later(100);
    assert_eq!(lab.experiment().phase, Phase::Stopping);
}

#[test]
fn a_cluster_that_joins_has_its_baseline_measured_first() {
    let mut lab =
        Lab::with(&spec("e", &["c"], json!({"budget": {"trials": 4}, "algorithm": {"name": "gp"}})));
    assert_eq!(change(&mut lab, Change { join: names(&["d"]), ..Change::default() }), None);
    let orders: Vec<_> = lab.orders.iter().map(|o| (o.cluster.as_str(), o.stage, o.action)).collect();
    assert_eq!(orders, [("c", Stage::Apply, Action::Capture), ("d", Stage::Apply, Action::Capture)]);
    lab.work();
    assert_eq!(lab.outcomes(TrialKind::Baseline), [Outcome::Measured; 2]);
    assert_eq!(lab.asks.last().unwrap().parallel, 2);
    for (cluster, said) in [("c", "a cluster of `e` already"), ("a/b", "not a cluster's name")] {
        let refused = change(&mut lab, Change { join: names(&[cluster]), ..Change::default() }).unwrap();
        assert!(refused.contains(said), "{refused}");
    }
}

#[test]
fn a_cluster_that_leaves_ends_what_it_does_and_is_then_free_for_another_experiment() {
    let mut lab = Lab::with(&spec("e", &["c", "d"], json!({"budget": {"trials": 9}})));
    lab.work();
    for cluster in [Some("c"), Some("c"), None] {
        let parameters = [("x".to_owned(), Value::Int(20))].into();
        let experiment = "e".into();
        let cluster = cluster.map(str::to_owned);
        let trial = message::Trial {
            experiment,
            parameters,
            cluster,
            trial: None,
            ask: None,
            note: None,
            outlook: None,
            compromise: None,
        };
        lab.send(trial);
    }
    lab.give(Input::Submit { id: experiment_id(2), spec: spec("f", &["c"], json!({})) });
    lab.give(Input::Control { experiment: experiment_id(1), control: Control::Pause });
    assert_eq!(leave(&mut lab, "c"), None);
    assert_eq!(lab.outcomes(TrialKind::Manual), [Outcome::Abandoned], "what waited for it");
    assert!(lab.store.epochs.values().all(|e| e.experiment == experiment_id(1)));
    lab.work();
    assert_eq!(lab.store.last_apply("c"), Some(Action::Undo), "restored");
    assert!(
        lab.store.epochs.values().any(|e| e.experiment == experiment_id(2)),
        "taken by the other experiment"
    );
    assert_eq!(lab.experiment().phase, Phase::Paused);
    let measured = |o: &&Outcome| **o == Outcome::Measured;
    assert_eq!(
        lab.outcomes(TrialKind::Manual).iter().filter(measured).count(),
        2,
        "what ran, and what runs elsewhere"
    );
    for (leaves, said) in [("c", "no cluster of"), ("d", "no cluster would be left")] {
        let refused = leave(&mut lab, leaves).unwrap();
        assert!(refused.contains(said), "{refused}");
    }
    assert!(
        change(&mut lab, Change { join: names(&["c"]), ..Change::default() })
            .unwrap()
            .contains("a second time")
    );
}

#[test]
fn a_cluster_that_cannot_be_left_holds_the_search_on_the_others_not_up() {
    let mut lab =
        Lab::with(&spec("e", &["c", "d"], json!({"budget": {"trials": 1}, "confirm": {"pairs": 2}})));
    lab.work();
    leave(&mut lab, "c");
    let undo = lab.order();
    assert_eq!((undo.cluster.as_str(), undo.action), ("c", Action::Undo));
    lab.fail(&undo, FailureKind::Broken);
    lab.trial("e", 90);
    while lab.experiment().confirmation.as_ref().is_none_or(|c| c.ended.is_none()) {
        let Some(n) = lab.orders.iter().position(|o| o.cluster == "d") else {
            assert!(lab.next(), "nothing is due");
            continue;
        };
        let order = lab.orders.remove(n);
        lab.report(&order, done(&order, lab.now));
    }
    assert_eq!(lab.experiment().phase, Phase::Closing);
    // once it can be, all ends
    while lab.experiment().phase != Phase::Ended {
        lab.work();
        lab.next();
    }
    lab.store.check_ends();
}

#[test]
fn what_is_being_confirmed_or_ends_is_not_changed() {
    let mut lab =
        Lab::with(&spec("e", &["c", "d"], json!({"budget": {"trials": 1}, "confirm": {"pairs": 2}})));
    lab.trial("e", 90);
    while lab.experiment().phase == Phase::Running {
        let order = lab.orders.remove(0);
        lab.report(&order, done(&order, lab.now));
    }
    assert_eq!(lab.experiment().phase, Phase::Confirming);
    assert!(leave(&mut lab, "c").unwrap().contains("the search of `e` is over"));
    lab.work();
    assert!(leave(&mut lab, "c").unwrap().contains("no open experiment"));
}
