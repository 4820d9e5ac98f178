//! What goes wrong, and what follows from it.

use std::time::Duration;

use autoopt_coordinator::machine::{Breaker, Ending, Input, Phase};
use autoopt_epoch::failure::{FailureKind, Outcome};
use autoopt_epoch::message::{Action, EventKind, ReportState, Stage, TrialKind, Violation};
use autoopt_epoch::space::Value;
use serde_json::json;

use crate::support::{Lab, done, measured, report, spec};

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
fn nobody_is_late_who_could_not_be_heard() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({"algorithm": {"name": "gp"}})));
    lab.work();
    lab.answer(1);
    let apply = lab.order();
    lab.report(&apply, ReportState::Accepted);
    lab.now = lab.now.after(Duration::from_secs(500));
    lab.world.heard_nothing(lab.now);
    lab.later(29);
    assert!(lab.events(EventKind::LeaseExpired).is_empty());
    lab.report(&apply, ReportState::Heartbeat { note: None });
    lab.later(30);
    assert_eq!(lab.events(EventKind::LeaseExpired).len(), 1);
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
            compromise: None,
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
