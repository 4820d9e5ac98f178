//! How clusters are left at the end.

use std::sync::Arc;

use autoopt_coordinator::machine::{Input, Phase};
use autoopt_epoch::failure::{FailureKind, Outcome};
use autoopt_epoch::message::{Action, Stage, TrialKind};
use autoopt_epoch::space::Value;
use serde_json::json;

use crate::support::{Lab, done, experiment_id, spec};

#[test]
fn closing_goes_on_until_the_cluster_is_as_it_was_found() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({"budget": {"trials": 1}})));
    lab.trial("e", 20);
    let mut failures = 0;
    while lab.experiment().phase != Phase::Ended {
        while let Some(order) = (!lab.orders.is_empty()).then(|| lab.orders.remove(0)) {
            if order.kind == TrialKind::Closing && order.stage == Stage::Apply && failures < 40 {
                failures += 1;
                lab.fail(&order, [FailureKind::Transient, FailureKind::Broken][failures % 2]);
            } else {
                lab.report(&order, done(&order, lab.now));
            }
        }
        if lab.experiment().phase != Phase::Ended {
            assert!(lab.next());
        }
    }
    assert_eq!(failures, 40);
    assert_eq!(lab.actions().last().unwrap(), "apply:undo");
}

#[test]
fn a_person_may_give_up_a_cluster_that_cannot_be_left_as_it_was_found() {
    // before its worker has taken it, and between two tries
    for tried in [false, true] {
        let mut lab = Lab::with(&spec("e", &["c", "d"], json!({"budget": {"trials": 1}})));
        lab.trial("e", 20);
        let mut closing = None;
        while closing.is_none() || lab.experiment().phase != Phase::Closing || !lab.orders.is_empty() {
            if lab.orders.is_empty() {
                assert!(lab.next());
                continue;
            }
            let order = lab.orders.remove(0);
            if order.kind == TrialKind::Closing && order.cluster == "c" {
                closing = Some(order.trial);
                if tried {
                    lab.fail(&order, FailureKind::Broken);
                }
            } else {
                lab.report(&order, done(&order, lab.now));
            }
        }
        let refused = lab.give(Input::CancelTrial { trial: closing.unwrap() });
        assert_eq!(refused, None);
        assert_eq!(lab.experiment().phase, Phase::Ended, "nothing else was to be done");
        assert_eq!(lab.cancels.len(), usize::from(!tried), "a worker that has it stops");
        assert!(lab.outcomes(TrialKind::Closing).contains(&Outcome::Abandoned));
        let told = lab.log.iter().any(|e| e.message.contains("`c` was not left as the experiment says"));
        assert!(told, "{:?}", lab.log.last());
        let again = lab.log.iter().filter(|e| e.message.contains("it is tried again")).count();
        assert_eq!(again, usize::from(tried), "what is given up is not tried again");
    }
}

#[test]
fn the_best_values_are_left_unless_they_do_not_work_any_more() {
    for works in [true, false] {
        let more = json!({"budget": {"trials": 1}, "at_end": "best"});
        let mut lab = Lab::with(&spec("e", &["c"], more));
        lab.trial("e", 20);
        let mut last = None;
        while lab.experiment().phase != Phase::Ended {
            if lab.orders.is_empty() {
                assert!(lab.next());
                continue;
            }
            let order = lab.orders.remove(0);
            if order.kind == TrialKind::Closing && order.action == Action::Run && !works {
                lab.fail(&order, FailureKind::Infeasible);
            } else {
                lab.report(&order, done(&order, lab.now));
            }
            last = Some((order.stage, order.action, order.parameters["x"].clone()));
        }
        let expected = if works { (Action::Run, 20) } else { (Action::Undo, 7) };
        assert_eq!(last, Some((Stage::Apply, expected.0, Value::Int(expected.1))));
    }
}

#[test]
fn an_experiment_that_keeps_its_values_waits_until_another_one_has_left_the_cluster() {
    let mut lab = Lab::with(&spec("first", &["c", "d"], json!({"budget": {"trials": 1}})));
    let second = spec("second", &["c"], json!({"budget": {"trials": 1}, "at_end": "keep"}));
    lab.give(Input::Submit { id: experiment_id(2), spec: Arc::clone(&second) });
    assert!(lab.log.iter().any(|e| e.message.contains("waits for `c` until experiment `first` has left it")));
    let again = lab.give(Input::Submit { id: experiment_id(3), spec: second });
    assert!(again.unwrap().contains("an experiment called `second` is open"));
    lab.work();
    assert!(lab.store.epochs.values().all(|e| e.experiment == experiment_id(1)));
    lab.trial("first", 20);
    lab.trial("second", 30);
    lab.work();
    let phases: Vec<Phase> = lab.store.experiments.values().map(|e| e.phase).collect();
    assert_eq!(phases, [Phase::Ended, Phase::Ended]);
    let second_began = lab.store.epochs.values().filter(|e| e.experiment == experiment_id(2));
    assert_eq!(second_began.count(), 3, "closed as well, for its load");
}
