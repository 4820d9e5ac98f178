//! What a person sees happen.

use std::sync::Arc;

use autoopt_coordinator::machine::{Breaker, Control, Ending, Input, Phase};
use autoopt_epoch::failure::{FailureKind, Outcome};
use autoopt_epoch::message::{Action, EventKind, ReportState, Stage, TrialKind, Violation};
use autoopt_epoch::space::Value;
use serde_json::json;

use crate::support::{Lab, done, experiment_id, measured, report, spec};

const CIRCLE: [&str; 4] = ["apply:run", "load:run", "bench:run", "collect:run"];

fn control(lab: &mut Lab, control: Control) -> Option<String> {
    lab.give(Input::Control { experiment: experiment_id(1), control })
}

#[test]
fn an_experiment_goes_round_and_leaves_its_cluster_as_it_was_found() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({})));
    lab.trial("e", 20);
    lab.trial("e", 15);
    lab.work();
    let mut expected = vec!["apply:capture", "load:run", "bench:run", "collect:run"];
    expected.extend([CIRCLE, CIRCLE].concat());
    expected.extend(["load:undo", "apply:undo"]);
    assert_eq!(lab.actions(), expected);
    let ended = lab.experiment();
    assert_eq!((ended.phase, ended.best.as_ref().unwrap().number), (Phase::Ended, 1));
    let events: Vec<&str> = lab.log.iter().filter(|e| e.number == Some(1)).map(|e| e.kind.as_str()).collect();
    assert_eq!(
        events,
        [
            "trial.accepted",
            "epoch.started",
            "stage.done",
            "stage.done",
            "stage.done",
            "stage.done",
            "trial.ended"
        ]
    );
    let last = lab.log.last().unwrap();
    assert!(
        last.message.contains("the best is trial 1 with 20 (baseline 7, 185.7 % better)"),
        "{}",
        last.message
    );
    assert!(lab.world.experiments.is_empty());
    lab.store.check_ends();
}

#[test]
fn presets_come_after_the_baseline_and_before_other_trials() {
    let presets = json!([{"x": 30}, {}]);
    let mut lab = Lab::with(&spec("e", &["c"], json!({"presets": presets, "budget": {"trials": 3}})));
    lab.trial("e", 20);
    lab.work();
    let begun: Vec<(Option<u32>, &Value)> = lab
        .log
        .iter()
        .filter(|e| e.kind == EventKind::EpochStarted)
        .map(|e| (e.number, &lab.store.trials[&e.trial.unwrap()].parameters["x"]))
        .collect();
    // the baseline's values are those that were found, the closing has them as well
    let numbers: Vec<Option<u32>> = begun.iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers, [Some(0), Some(1), Some(2), Some(3), Some(0)]);
    let values: Vec<&Value> = begun[1..4].iter().map(|(_, x)| *x).collect();
    assert_eq!(
        values,
        [&Value::Int(30), &Value::Int(10), &Value::Int(20)],
        "what is left out has its default"
    );
    assert_eq!(lab.experiment().best.as_ref().unwrap().number, 1);
}

#[test]
fn the_baseline_is_measured_under_what_was_captured_and_later_orders_carry_it() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({})));
    assert_eq!(lab.orders[0].parameters["x"], Value::Int(10));
    lab.trial("e", 20);
    let collect = lab.work_until(Stage::Collect);
    assert_eq!((collect.kind, &collect.parameters["x"]), (TrialKind::Baseline, &Value::Int(7)));
    assert_eq!(collect.measure.as_ref().unwrap().baseline, None);
    lab.report(&collect, done(&collect, lab.now));
    let apply = lab.orders[0].clone();
    assert_eq!((apply.kind, &apply.restore.as_ref().unwrap()["x"]), (TrialKind::Manual, &Value::Int(7)));
    let collect = lab.work_until(Stage::Collect);
    assert_eq!(collect.measure.unwrap().baseline.unwrap()["m"], 7.0);
}

#[test]
fn a_transient_failure_is_tried_again_after_its_back_off() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({})));
    let load = lab.work_until(Stage::Load);
    lab.fail(&load, FailureKind::Transient);
    assert!(lab.orders.is_empty());
    assert!(lab.next());
    let again = lab.order();
    assert_eq!((again.step, again.attempt, again.stage), (1, 2, Stage::Load));
    let waited = lab.now.since(crate::support::START).as_millis();
    assert!((500..=1000).contains(&waited), "{waited} ms");
    lab.report(&load, done(&load, lab.now));
    assert_eq!(lab.events(EventKind::ReportIgnored).len(), 1);
    assert!(lab.orders.is_empty(), "a report of the first attempt does nothing");
    lab.report(&again, done(&again, lab.now));
    assert_eq!(lab.order().stage, Stage::Bench);
}

#[test]
fn a_silent_worker_loses_its_lease_and_a_slow_one_its_time() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({})));
    let apply = lab.order();
    lab.later(100_000);
    assert!(lab.orders.is_empty() && lab.cancels.is_empty(), "a step in the queue waits as long as it takes");
    assert!(lab.log.last().unwrap().message.contains("is worker-apply running for this cluster?"));
    lab.report(&apply, ReportState::Accepted);
    for _ in 0..3 {
        lab.later(25);
        lab.report(&apply, ReportState::Heartbeat { note: None });
    }
    assert!(lab.cancels.is_empty());
    lab.later(30);
    assert_eq!(lab.cancels.pop().unwrap().attempt, 1);
    assert!(matches!(lab.store.attempts[&(apply.epoch, 0, 1)].ending, Ending::Superseded { .. }));
    lab.next();
    let again = lab.order();
    lab.report(&apply, ReportState::Heartbeat { note: None });
    assert_eq!(lab.cancels.pop().unwrap().attempt, 1, "whoever comes back late is told to stop");
    lab.report(&again, ReportState::Heartbeat { note: None });
    while lab.cancels.is_empty() {
        lab.later(10);
        lab.report(&again, ReportState::Heartbeat { note: None });
    }
    assert!(lab.events(EventKind::LeaseExpired).last().unwrap().message.contains("time-out"));
}

#[test]
fn a_failed_bench_is_removed_and_the_values_are_put_back() {
    for (kind, undone) in [
        (FailureKind::Infeasible, vec!["bench:undo", "apply:undo"]),
        (FailureKind::Violated, vec!["bench:undo", "apply:undo"]),
        (FailureKind::Broken, vec!["bench:undo", "apply:undo"]),
        (FailureKind::Invalid, vec!["bench:undo"]),
    ] {
        let mut lab = Lab::with(&spec("e", &["c"], json!({})));
        lab.work();
        lab.trial("e", 20);
        let bench = lab.work_until(Stage::Bench);
        lab.fail(&bench, kind);
        let first = lab.orders[0].clone();
        lab.work();
        let epoch = &lab.store.epochs[&bench.epoch];
        let rest: Vec<String> =
            epoch.plan[3..].iter().map(|s| format!("{}:{}", s.stage, s.action.as_str())).collect();
        assert_eq!(rest, undone, "{kind}");
        assert_eq!((first.step, first.action), (3, Action::Undo));
    }
}

#[test]
fn what_teaches_is_told_and_what_does_not_is_not() {
    let more = json!({"budget": {"trials": 4}, "algorithm": {"name": "x"}, "repeats": 2});
    let mut lab = Lab::with(&spec("e", &["c"], more));
    lab.work();
    assert_eq!(lab.answer(1).results.len(), 1);
    let bench = lab.work_until(Stage::Bench);
    lab.fail(&bench, FailureKind::Infeasible);
    lab.work();
    assert_eq!(lab.answer(2).results.len(), 2);
    let collect = lab.work_until(Stage::Collect);
    let violation = Violation { constraint: "m <= 1".into(), by: 1.0 };
    lab.report(&collect, measured(&collect, lab.now, &[violation]));
    assert_eq!((lab.orders[0].stage, lab.orders[0].action), (Stage::Apply, Action::Undo), "restored at once");
    lab.work();
    lab.answer(3);
    let bench = lab.work_until(Stage::Bench);
    lab.fail(&bench, FailureKind::Abandoned);
    lab.work();
    lab.answer(4);
    lab.work();
    let ended = lab.experiment();
    assert_eq!(ended.phase, Phase::Ended);
    use Outcome::{Abandoned, Infeasible, Measured, Violated};
    assert_eq!(lab.outcomes(TrialKind::Proposed), [Infeasible, Violated, Abandoned, Measured]);
    let results = lab.store.trials.values().filter_map(|t| match &t.state {
        autoopt_coordinator::machine::TrialState::Ended { observation, .. } => observation.as_ref(),
        _ => None,
    });
    let mut told: Vec<_> = results.map(|o| (o.number, o.objective, o.repeats, o.std_error)).collect();
    told.sort_by_key(|t| t.0);
    assert_eq!(
        told,
        [
            (0, Some(7.0), 2, Some(0.0)),
            (1, None, 0, None),
            (2, Some(2.0), 1, None),
            (4, Some(4.0), 2, Some(0.0))
        ]
    );
    assert_eq!(ended.best.as_ref().unwrap().number, 0, "nothing feasible beats the baseline's 7");
}

#[test]
fn a_broken_epoch_pauses_its_cluster_and_its_trial_runs_elsewhere() {
    let mut lab = Lab::with(&spec("e", &["a", "b"], json!({})));
    lab.work();
    lab.trial("e", 20);
    let bench = lab.work_until(Stage::Bench);
    lab.fail(&bench, FailureKind::Broken);
    lab.work();
    let cluster = &lab.store.clusters[&bench.cluster];
    assert!(matches!(cluster.breaker, Breaker::Open { .. }), "{cluster:?}");
    while lab.orders.is_empty() {
        assert!(lab.next());
    }
    assert_ne!(lab.orders[0].cluster, bench.cluster);
    lab.work();
    assert_eq!(lab.outcomes(TrialKind::Manual), [Outcome::Measured]);
    lab.later(400);
    lab.trial("e", 21);
    lab.work();
    while lab.next() {
        lab.work();
    }
    assert_eq!(lab.experiment().phase, Phase::Ended);
    assert!(matches!(lab.store.clusters[&bench.cluster].breaker, Breaker::Closed { failures: 0 }));
}

#[test]
fn without_a_baseline_the_experiment_stops_and_says_why() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({"retry": {"broken": {"attempts": 2}}})));
    lab.trial("e", 20);
    for _ in 0..2 {
        let capture = lab.order();
        assert_eq!(capture.action, Action::Capture);
        lab.fail(&capture, FailureKind::Broken);
        while lab.orders.is_empty() && lab.next() {}
    }
    let ended = lab.experiment();
    assert_eq!(ended.phase, Phase::Ended, "nothing was changed, so nothing has to be closed");
    let reason = ended.reason.as_ref().unwrap();
    assert!(reason.contains("no cluster has a baseline") && reason.contains("it did not work"), "{reason}");
    assert_eq!(lab.outcomes(TrialKind::Manual), [Outcome::Abandoned]);
}

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
fn a_load_kept_per_epoch_is_removed_after_each() {
    let load = json!({"backend": "noop", "keep": "epoch"});
    let mut lab = Lab::with(&spec("e", &["c"], json!({"load": load, "budget": {"trials": 1}})));
    lab.work();
    lab.trial("e", 20);
    let bench = lab.work_until(Stage::Bench);
    lab.fail(&bench, FailureKind::Infeasible);
    lab.work();
    let expected = [
        "apply:capture",
        "load:run",
        "bench:run",
        "collect:run",
        "load:undo",
        "apply:run",
        "load:run",
        "bench:run",
        "bench:undo",
        "load:undo",
        "apply:undo",
        "load:undo",
        "apply:undo",
    ];
    assert_eq!(lab.actions(), expected);
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

#[test]
fn a_trial_that_cannot_be_used_is_refused_with_its_reason() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({"budget": {"trials": 1}})));
    let trial = |x: Value| autoopt_epoch::message::Trial {
        experiment: "e".into(),
        parameters: [("x".to_owned(), x)].into(),
        trial: Some(autoopt_epoch::id::TrialId(uuid::Uuid::from_u128(5))),
        ask: None,
        cluster: None,
        note: None,
        outlook: None,
    };
    let mut refused = |trial, expected: &str| {
        let reason = lab.send(trial).unwrap_or_else(|| panic!("taken, not `{expected}`"));
        assert!(reason.contains(expected), "{reason}");
        assert!(lab.events(EventKind::TrialRejected).last().unwrap().message.contains(expected));
    };
    let mut other = trial(Value::Int(1));
    other.experiment = "f".into();
    refused(other, "no open experiment is called `f`; open are: `e`");
    refused(trial(Value::Int(101)), "expected a whole number from 0 to 100");
    let mut elsewhere = trial(Value::Int(1));
    elsewhere.cluster = Some("d".into());
    refused(elsewhere, "`d` is no cluster of this experiment; its clusters are: `c`");
    let mut late = trial(Value::Int(1));
    late.ask = Some(autoopt_epoch::id::AskId(uuid::Uuid::nil()));
    refused(late, "answered already or no longer of interest");
    assert_eq!(lab.send(trial(Value::Int(1))), None);
    assert_eq!(lab.send(trial(Value::Float(1.0))), None, "the same again is silently nothing");
    assert_eq!(lab.experiment().accepted, 1);
    assert!(lab.send(trial(Value::Int(2))).unwrap().contains("known already, with other values"));
    assert!(lab.trial("e", 3).unwrap().contains("the budget of 1 trials is used up"));
    let collect = loop {
        let order = lab.order();
        if order.kind == TrialKind::Manual && order.stage == Stage::Collect {
            break order;
        }
        lab.report(&order, done(&order, lab.now));
    };
    lab.report(&collect, done(&collect, lab.now));
    assert_eq!(lab.send(trial(Value::Int(1))), None, "also once it has ended");
    lab.crash();
    assert_eq!(lab.send(trial(Value::Int(1))), None, "also after a restart");
    assert_eq!(lab.events(EventKind::TrialAccepted).len(), 1);
}

#[test]
fn a_silent_optimizer_is_asked_again_and_a_wrong_one_stops_the_experiment() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({"algorithm": {"name": "mine"}})));
    lab.work();
    let first = lab.asks.pop().unwrap();
    assert!(lab.asks.is_empty());
    lab.later(29);
    assert!(lab.asks.is_empty());
    lab.later(1);
    assert_eq!(lab.asks.pop().unwrap(), first);
    lab.later(59);
    assert!(lab.asks.is_empty());
    lab.later(1);
    assert_eq!(lab.asks.pop().unwrap(), first);
    let mut open = first;
    for n in 1..=5 {
        let trial = autoopt_epoch::message::Trial {
            experiment: "e".into(),
            parameters: [("x".to_owned(), Value::Int(999))].into(),
            trial: None,
            ask: Some(open.ask),
            cluster: None,
            note: None,
            outlook: None,
        };
        assert!(lab.send(trial).is_some());
        if n < 5 {
            assert!(lab.asks.is_empty(), "not at once");
            lab.next();
            let next = lab.asks.pop().unwrap();
            assert_ne!(next.ask, open.ask);
            open = next;
        }
    }
    assert!(lab.experiment().reason.as_ref().unwrap().contains("5 answers of `mine` in a row were refused"));
    lab.work();
    assert_eq!(lab.experiment().phase, Phase::Ended);
}

#[test]
fn pause_holds_new_epochs_back_and_resume_lets_them_go() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({})));
    lab.trial("e", 20);
    control(&mut lab, Control::Pause);
    control(&mut lab, Control::Pause);
    lab.work();
    assert_eq!(lab.outcomes(TrialKind::Baseline), [Outcome::Measured], "what runs goes on");
    assert_eq!(lab.store.epochs.len(), 1);
    control(&mut lab, Control::Resume);
    assert_eq!(lab.orders.len(), 1);
    assert_eq!(lab.events(EventKind::ExperimentPaused).len(), 1);
}

#[test]
fn stop_lets_the_running_trial_end_and_cancel_does_not() {
    for (wish, outcome) in [(Control::Stop, Outcome::Measured), (Control::Cancel, Outcome::Abandoned)] {
        let mut lab = Lab::with(&spec("e", &["c"], json!({})));
        lab.trial("e", 20);
        lab.trial("e", 30);
        let bench = loop {
            let order = lab.order();
            if order.kind == TrialKind::Manual && order.stage == Stage::Bench {
                break order;
            }
            lab.report(&order, done(&order, lab.now));
        };
        control(&mut lab, wish);
        assert!(control(&mut lab, Control::Pause).unwrap().contains("ending"));
        if wish == Control::Cancel {
            assert_eq!(lab.cancels.len(), 1);
            lab.report(&bench, ReportState::Heartbeat { note: None });
            assert_eq!(lab.cancels.len(), 2);
        } else {
            lab.report(&bench, done(&bench, lab.now));
        }
        lab.work();
        assert_eq!(lab.outcomes(TrialKind::Manual), [outcome, Outcome::Abandoned]);
        assert_eq!(lab.experiment().phase, Phase::Ended);
        assert_eq!(lab.actions().last().unwrap(), "apply:undo");
        assert!(control(&mut lab, wish).unwrap().contains("no open experiment"));
    }
}

#[test]
fn wall_time_ends_what_has_not_begun() {
    let budget = json!({"trials": 9, "wall_time": "100s"});
    let mut lab = Lab::with(&spec("e", &["c"], json!({"budget": budget})));
    lab.trial("e", 20);
    let apply = lab.work_until(Stage::Collect);
    lab.report(&apply, done(&apply, lab.now));
    lab.trial("e", 30);
    lab.later(100);
    assert!(lab.trial("e", 40).is_some());
    lab.work();
    assert_eq!(lab.outcomes(TrialKind::Manual), [Outcome::Measured, Outcome::Abandoned]);
    assert_eq!(lab.experiment().reason.as_deref(), Some("the wall time of the budget is over"));
}

#[test]
fn one_trial_can_be_given_up_waiting_or_running() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({})));
    lab.work();
    lab.trial("e", 20);
    lab.trial("e", 30);
    let mut trials: Vec<_> = lab.store.trials.values().filter(|t| t.number > 0).cloned().collect();
    trials.sort_by_key(|t| t.number);
    assert_eq!(lab.give(Input::CancelTrial { trial: trials[1].id }), None);
    assert_eq!(lab.give(Input::CancelTrial { trial: trials[0].id }), None);
    assert_eq!(lab.give(Input::CancelTrial { trial: trials[0].id }), None);
    assert!(lab.give(Input::CancelTrial { trial: trials[1].id }).unwrap().contains("ended already"));
    let taken = lab.orders.remove(0);
    lab.work();
    assert_eq!(lab.outcomes(TrialKind::Manual), [Outcome::Abandoned, Outcome::Abandoned]);
    assert_eq!(lab.experiment().phase, Phase::Ended);
    lab.give(Input::Report(report(&taken, lab.now, "w/2", ReportState::Accepted)));
    assert_eq!(
        lab.cancels.last().unwrap().epoch,
        taken.epoch,
        "who takes it from the queue now is told to stop"
    );
}

#[test]
fn failures_in_a_row_open_the_breaker_and_a_person_can_close_it() {
    let retry = json!({"transient": {"attempts": 1}, "breaker_after": 2, "broken": {"attempts": 9, "backoff": "1s", "max_backoff": "1s"}});
    let mut lab = Lab::with(&spec("e", &["c"], json!({"retry": retry})));
    lab.work();
    lab.trial("e", 20);
    for _ in 0..2 {
        while lab.orders.is_empty() {
            assert!(lab.next());
        }
        let apply = lab.order();
        lab.fail(&apply, FailureKind::Transient);
        lab.work();
    }
    assert!(lab.log.iter().any(|e| e.message.contains("2 epochs in a row failed")));
    lab.later(5);
    assert!(lab.orders.is_empty());
    assert!(
        lab.give(Input::ResumeCluster { cluster: "x".into(), keep_leaks: false })
            .unwrap()
            .contains("known are: `c`")
    );
    lab.give(Input::ResumeCluster { cluster: "c".into(), keep_leaks: false });
    assert_eq!(lab.orders.len(), 1);
}

#[test]
fn two_groups_of_workers_with_one_cluster_name_are_told_of_and_only_one_of_them_counts() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({})));
    let capture = lab.order();
    let say = |lab: &mut Lab, worker: &str, state| {
        let at = lab.now;
        lab.give(Input::Report(report(&capture, at, worker, state)));
    };
    say(&mut lab, "here/1", ReportState::Accepted);
    say(&mut lab, "there/1", ReportState::Accepted);
    let told = &lab.events(EventKind::StageAccepted)[1].message;
    assert!(told.contains("which `here/1` has taken already") && told.contains("another name"), "{told}");
    let at = lab.now;
    say(&mut lab, "here/1", done(&capture, at));
    say(&mut lab, "there/1", done(&capture, at));
    assert_eq!(lab.events(EventKind::ReportIgnored).len(), 1);
    lab.work();
    assert_eq!(lab.outcomes(TrialKind::Baseline), [Outcome::Measured]);
}

#[test]
fn after_a_crash_a_lease_runs_afresh_and_the_world_is_the_same() {
    let mut lab = Lab::with(&spec("e", &["c", "d"], json!({"algorithm": {"name": "gp"}})));
    let apply = lab.orders.remove(0);
    lab.report(&apply, ReportState::Accepted);
    let before = lab.world.clone();
    lab.crash();
    assert_eq!(before, lab.world);
    lab.now = lab.now.after(std::time::Duration::from_secs(10_000));
    lab.crash();
    lab.give(Input::Tick);
    assert!(lab.cancels.is_empty(), "its reports may have been waiting for the coordinator");
    lab.report(&apply, done(&apply, lab.now));
    assert!(lab.events(EventKind::ReportIgnored).is_empty());
    lab.later(10_000);
    assert!(lab.cancels.is_empty());
}
