//! The circle: what is done, in which order and with which values.

use autoopt_coordinator::machine::{Input, Phase};
use autoopt_epoch::failure::FailureKind;
use autoopt_epoch::message::{EventKind, ReportState, Stage, TrialKind};
use autoopt_epoch::space::Value;
use serde_json::json;

use crate::support::{Lab, done, spec};

const CIRCLE: [&str; 4] = ["apply:run", "load:run", "bench:run", "collect:run"];

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
