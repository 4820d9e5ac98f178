//! Several experiments on one cluster: whose turn it is, and that each finds it as it captured it.

use std::time::Duration;

use autoopt_coordinator::machine::{Change, Control, Input, Phase};
use autoopt_epoch::failure::FailureKind;
use autoopt_epoch::message::{self, Action, EventKind, Stage, TrialKind};
use autoopt_epoch::space::Value;
use serde_json::{Value as Json, json};

use crate::support::{Lab, done, experiment_id, spec};

/// Experiments 1, 2, … that an optimizer proposes trials for.
fn lab(experiments: &[(&str, &[&str], Json)]) -> Lab {
    let mut lab = Lab::new();
    for (n, (name, clusters, more)) in (1..).zip(experiments) {
        submit(&mut lab, n, name, clusters, more);
    }
    lab
}

fn submit(lab: &mut Lab, n: u128, name: &str, clusters: &[&str], more: &Json) {
    let mut all = json!({"algorithm": {"name": "gp"}, "budget": {"trials": 3}, "turn": 2});
    for (key, value) in more.as_object().unwrap() {
        all[key] = value.clone();
    }
    assert_eq!(lab.give(Input::Submit { id: experiment_id(n), spec: spec(name, clusters, all) }), None);
}

fn answer(lab: &mut Lab) -> bool {
    let Some(number) = lab.asks.last().map(|ask| ask.number) else { return false };
    lab.answer(i64::from(number) * 5 + 10);
    true
}

/// Answers and works until `enough`, or until nothing is left to do at once.
fn drive(lab: &mut Lab, enough: impl Fn(&Lab) -> bool) {
    while !enough(lab) && (answer(lab) || !lab.orders.is_empty()) {
        if !lab.orders.is_empty() && !enough(lab) {
            let order = lab.orders.remove(0);
            lab.now = lab.now.after(Duration::from_millis(10));
            lab.report(&order, done(&order, lab.now));
        }
    }
}

/// Which epochs began on a cluster, in order: the experiment's name and what was measured.
fn epochs(lab: &Lab, cluster: &str) -> Vec<String> {
    let began = lab.log.iter().filter(|e| e.kind == EventKind::EpochStarted);
    let here = began.filter(|e| e.cluster.as_deref() == Some(cluster));
    here.map(|e| {
        let epoch = &lab.store.epochs[&e.epoch.unwrap()];
        let number = if epoch.number > 0 { epoch.number.to_string() } else { String::new() };
        format!("{} {}{number}", e.experiment.as_deref().unwrap(), epoch.kind.as_str())
    })
    .collect()
}

fn all_ended(lab: &Lab) -> bool {
    lab.world.experiments.is_empty()
}

#[test]
fn experiments_of_one_priority_take_turns_and_restore_in_between() {
    let mut lab = lab(&[("a", &["c"], json!({})), ("b", &["c"], json!({}))]);
    assert!(lab.log.iter().any(|e| e.message.contains("it takes turns on `c` with experiment `a`")));
    drive(&mut lab, |_| false);
    let expected = [
        // begun before there was anybody to share with
        "a baseline",
        "a proposed1",
        "a proposed2",
        "a closing",
        "b baseline",
        "b proposed1",
        "b closing",
        "a proposed3",
        "a closing",
        "b proposed2",
        "b proposed3",
        "b closing",
    ];
    assert_eq!(epochs(&lab, "c"), expected);
    assert!(all_ended(&lab));
    lab.store.check_ends();
    let captures = lab.actions().iter().filter(|a| *a == "apply:capture").count();
    assert_eq!(captures, 2, "each captures once, from the restored cluster");
    assert_eq!(lab.events(EventKind::ClusterHandedOver).len(), 2, "the last turns end by themselves");
    assert!(lab.log.iter().any(|e| e.message == "`c` has been restored, for another experiment"));
}

#[test]
fn three_take_turns_in_the_order_in_which_they_waited() {
    let one = || json!({"turn": 1});
    let mut lab = lab(&[("a", &["c"], one()), ("b", &["c"], one()), ("d", &["c"], one())]);
    drive(&mut lab, |_| false);
    let measured: Vec<_> = epochs(&lab, "c").into_iter().filter(|e| !e.contains("closing")).collect();
    let expected = [
        // begun before there was anybody to share with
        "a baseline",
        "a proposed1",
        "b baseline",
        "d baseline",
        "a proposed2",
        "b proposed1",
        "d proposed1",
        "a proposed3",
        "b proposed2",
        "d proposed2",
        "b proposed3",
        "d proposed3",
    ];
    assert_eq!(measured, expected);
}

#[test]
fn a_higher_priority_takes_over_after_the_running_epoch_and_the_other_one_goes_on_afterwards() {
    let mut lab = lab(&[("a", &["c"], json!({}))]);
    drive(&mut lab, |lab| epochs(lab, "c").len() == 2 && lab.orders.iter().any(|o| o.stage == Stage::Bench));
    submit(&mut lab, 2, "urgent", &["c"], &json!({"priority": 1}));
    drive(&mut lab, |_| false);
    let expected = [
        "a baseline",
        "a proposed1",
        "a closing",
        "urgent baseline",
        "urgent proposed1",
        "urgent proposed2",
        "urgent proposed3",
        "urgent closing",
        "a proposed2",
        "a proposed3",
        "a closing",
    ];
    assert_eq!(epochs(&lab, "c"), expected, "its turn does not end as long as it is the higher one");
    let told = &lab.events(EventKind::ClusterHandedOver)[0].message;
    assert_eq!(told, "`c` is restored and handed over to experiment `urgent`, whose priority is 1");
}

#[test]
fn after_a_hand_over_what_was_found_is_in_force_and_not_what_was_tried_last() {
    let priced =
        json!([{"name": "x", "type": "int", "low": 0, "high": 100, "default": 10, "change_cost": "12s"}]);
    let mut lab = lab(&[("a", &["c"], json!({"parameters": priced}))]);
    let in_force = |lab: &Lab| {
        let site = &lab.world.experiments[&experiment_id(1)].sites["c"];
        site.in_force.as_ref().map(|values| values["x"].clone())
    };
    drive(&mut lab, |lab| epochs(lab, "c").len() == 2 && lab.orders.iter().any(|o| o.stage == Stage::Bench));
    submit(&mut lab, 2, "urgent", &["c"], &json!({"priority": 1}));
    drive(&mut lab, |lab| epochs(lab, "c").contains(&"a closing".to_owned()));
    assert_eq!(in_force(&lab), Some(Value::Int(15)), "of the trial that ended");
    drive(&mut lab, |lab| epochs(lab, "c").contains(&"urgent baseline".to_owned()));
    assert_eq!(in_force(&lab), Some(Value::Int(7)), "the cluster was restored");
    // what the next change costs is counted from there
    drive(&mut lab, |lab| epochs(lab, "c").contains(&"a proposed2".to_owned()));
    lab.crash();
    assert_eq!(in_force(&lab), Some(Value::Int(7)));
}

#[test]
fn a_changed_priority_counts_from_the_next_epoch_on() {
    let mut lab = lab(&[("a", &["c"], json!({"turn": 9})), ("b", &["c"], json!({}))]);
    drive(&mut lab, |lab| epochs(lab, "c").len() == 2);
    let change = Change { priority: Some(3), ..Change::default() };
    assert_eq!(lab.give(Input::Change { experiment: experiment_id(2), change }), None);
    let said = &lab.events(EventKind::ExperimentChanged)[0].message;
    assert_eq!(said, "changed by a person: priority 3 instead of 0");
    drive(&mut lab, |lab| epochs(lab, "c").len() == 4);
    assert_eq!(epochs(&lab, "c")[2..], ["a closing", "b baseline"]);
    // while what was found is confirmed, or the cluster is being left, it can be changed still
    drive(&mut lab, |lab| lab.store.experiments[&experiment_id(2)].phase == Phase::Closing);
    let change = Change { priority: Some(-3), ..Change::default() };
    assert_eq!(lab.give(Input::Change { experiment: experiment_id(2), change }), None);
    drive(&mut lab, |_| false);
    assert!(all_ended(&lab));
}

#[test]
fn a_pair_is_not_split() {
    let confirms = || json!({"turn": 1, "budget": {"trials": 1}, "confirm": {"pairs": 2}});
    let mut lab = lab(&[("a", &["c"], confirms()), ("b", &["c"], confirms())]);
    drive(&mut lab, |_| false);
    assert!(all_ended(&lab));
    let began = epochs(&lab, "c");
    for first in began.iter().enumerate().filter(|(_, e)| e.contains("recommended")).map(|(n, _)| n) {
        let name = &began[first][..1];
        let baseline = format!("{name} baseline");
        assert!(began[first - 1] == baseline || began[first + 1] == baseline, "{began:?}");
    }
    assert_eq!(lab.events(EventKind::ClusterHandedOver).len(), 4, "pair by pair: {began:?}");
    let shown = |n| lab.store.experiments[&experiment_id(n)].confirmation.as_ref().unwrap().done;
    assert_eq!((shown(1), shown(2)), (2, 2));
}

#[test]
fn an_experiment_that_leaves_its_own_values_shares_with_nobody() {
    let keeps = || json!({"at_end": "keep", "priority": 9});
    // it came first: another one waits for its end; it came second: it waits for the other one's
    let mut first = lab(&[("k", &["c"], keeps()), ("a", &["c"], json!({"priority": 10}))]);
    assert!(first.log.iter().any(|e| e.message.contains("waits for `c` until experiment `k` has left it")));
    let mut second = lab(&[("a", &["c"], json!({})), ("k", &["c"], keeps()), ("b", &["c"], json!({}))]);
    drive(&mut first, |_| false);
    drive(&mut second, |_| false);
    for (lab, alone) in [(&first, 0..4), (&second, 12..16)] {
        assert!(all_ended(lab));
        let began = epochs(lab, "c");
        let its: Vec<usize> = (0..began.len()).filter(|n| began[*n].starts_with("k ")).collect();
        assert_eq!(&its[..4], alone.collect::<Vec<_>>(), "{began:?}");
    }
}

#[test]
fn a_cluster_whose_experiment_has_nothing_to_run_is_handed_over() {
    // paused
    let mut paused = lab(&[("a", &["c"], json!({"turn": 9})), ("b", &["c"], json!({}))]);
    drive(&mut paused, |lab| epochs(lab, "c").len() == 2);
    paused.give(Input::Control { experiment: experiment_id(1), control: Control::Pause });
    drive(&mut paused, |_| false);
    assert_eq!(paused.store.experiments[&experiment_id(2)].phase, Phase::Ended);
    paused.give(Input::Control { experiment: experiment_id(1), control: Control::Resume });
    drive(&mut paused, |_| false);
    assert!(all_ended(&paused));

    // its optimizer is silent, but not from the first moment on
    let mut silent = lab(&[("a", &["c"], json!({"turn": 9, "priority": 1})), ("b", &["c"], json!({}))]);
    silent.work();
    let question = silent.asks.pop().unwrap();
    silent.later(29);
    assert!(silent.orders.is_empty());
    silent.later(1);
    silent.asks.clear();
    drive(&mut silent, |lab| epochs(lab, "c").len() == 4);
    assert_eq!(epochs(&silent, "c")[1..], ["a closing", "b baseline", "b proposed1"]);
    // once it answers, it has the cluster again
    silent.asks.insert(0, question);
    while answer(&mut silent) {}
    drive(&mut silent, |_| false);
    assert_eq!(epochs(&silent, "c")[4..6], ["b closing", "a proposed1"]);
    assert!(all_ended(&silent));

    // a person sends its trials
    let manual = json!({"algorithm": {"name": "manual"}});
    let mut by_hand = lab(&[("a", &["c"], manual), ("b", &["c"], json!({}))]);
    drive(&mut by_hand, |lab| epochs(lab, "c").len() > 3);
    by_hand.trial("a", 50);
    drive(&mut by_hand, |_| false);
    let began = epochs(&by_hand, "c");
    assert_eq!(began[..3], ["a baseline", "a closing", "b baseline"]);
    assert!(began.contains(&"a manual1".to_owned()), "{began:?}");
}

#[test]
fn two_experiments_on_two_clusters_have_one_each() {
    let both: &[&str] = &["c", "d"];
    let more = || json!({"budget": {"trials": 12}, "turn": 1});
    let mut lab = lab(&[("a", both, more())]);
    drive(&mut lab, |lab| epochs(lab, "d").len() == 3);
    submit(&mut lab, 2, "b", both, &more());
    drive(&mut lab, |_| false);
    assert!(all_ended(&lab));
    let changes = lab.events(EventKind::ClusterHandedOver).len();
    assert_eq!(
        changes,
        1,
        "no further one is worth a restore: {:?} {:?}",
        epochs(&lab, "c"),
        epochs(&lab, "d")
    );

    // a trial that can run there only is worth one
    let manual = || json!({"algorithm": {"name": "manual"}, "turn": 1});
    let mut lab = self::lab(&[("a", both, manual()), ("b", both, manual())]);
    lab.work();
    for (experiment, cluster) in [("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")] {
        let trial = message::Trial {
            experiment: experiment.into(),
            parameters: [("x".to_owned(), Value::Int(5))].into(),
            trial: None,
            ask: None,
            cluster: Some(cluster.into()),
            note: None,
            outlook: None,
            compromise: None,
        };
        assert_eq!(lab.send(trial), None);
    }
    lab.work();
    let measured =
        lab.store.trials.values().filter(|t| t.kind == TrialKind::Manual && t.measurements.len() == 1);
    assert_eq!(measured.count(), 4);
}

#[test]
fn a_trial_runs_where_its_experiment_is_before_a_cluster_is_handed_over_for_it() {
    let manual = || json!({"algorithm": {"name": "manual"}});
    let mut lab = lab(&[("a", &["c", "d"], manual()), ("b", &["c", "d"], manual())]);
    lab.work();
    // after this each has one
    assert_eq!(lab.trial("a", 5), None);
    lab.work();
    let handed = lab.events(EventKind::ClusterHandedOver).len();
    for experiment in ["b", "a", "b"] {
        assert_eq!(lab.trial(experiment, 5), None);
        lab.work();
    }
    assert_eq!(
        lab.events(EventKind::ClusterHandedOver).len(),
        handed,
        "{:?} {:?}",
        epochs(&lab, "c"),
        epochs(&lab, "d")
    );
}

#[test]
fn one_cluster_that_cannot_be_restored_holds_the_others_not_up() {
    let both: &[&str] = &["c", "d"];
    let mut lab = lab(&[("a", both, json!({"turn": 1})), ("b", both, json!({"turn": 1}))]);
    lab.give(Input::Control { experiment: experiment_id(2), control: Control::Pause });
    for _ in 0..400 {
        answer(&mut lab);
        if let Some(order) = (!lab.orders.is_empty()).then(|| lab.orders.remove(0)) {
            if order.cluster == "c" && order.action == Action::Undo {
                lab.fail(&order, FailureKind::Broken);
            } else {
                lab.report(&order, done(&order, lab.now));
            }
        } else if lab.store.experiments[&experiment_id(2)].phase == Phase::Paused {
            lab.give(Input::Control { experiment: experiment_id(2), control: Control::Resume });
        } else if lab.store.experiments[&experiment_id(2)].phase == Phase::Ended {
            break;
        } else {
            lab.next();
        }
    }
    assert_eq!(lab.store.experiments[&experiment_id(2)].phase, Phase::Ended, "on `d` alone");
    // a person gives it up
    let closing =
        lab.world.experiments[&experiment_id(1)].trials.values().find(|t| t.kind == TrialKind::Closing);
    assert_eq!(lab.give(Input::CancelTrial { trial: closing.unwrap().id }), None);
    drive(&mut lab, |_| false);
    assert!(all_ended(&lab));
}

#[test]
fn a_cluster_that_is_given_up_while_it_is_handed_over_is_out_of_use_for_who_changed_it() {
    let mut lab = lab(&[("a", &["c", "d"], json!({"budget": {"trials": 9}}))]);
    drive(&mut lab, |lab| epochs(lab, "d").len() == 2);
    submit(&mut lab, 2, "b", &["d"], &json!({"priority": 1}));
    drive(&mut lab, |lab| epochs(lab, "d").last().is_some_and(|e| e == "a closing"));
    let closing = |lab: &Lab| {
        let mut trials = lab.world.experiments[&experiment_id(1)].trials.values();
        trials.find(|t| t.kind == TrialKind::Closing).unwrap().id
    };
    let trial = closing(&lab);
    assert_eq!(lab.give(Input::CancelTrial { trial }), None);
    assert!(lab.world.experiments[&experiment_id(1)].sites["d"].out_of_use.is_some());
    // giving up pauses the cluster for a while
    while !all_ended(&lab) {
        drive(&mut lab, |_| false);
        lab.next();
    }
    let its = epochs(&lab, "d").iter().filter(|e| e.starts_with("a ")).count();
    assert_eq!(its, 3, "{:?}", epochs(&lab, "d"));
}
