//! What the optimizer is told beside values: placements, lengths, what is in force, further objectives.

use autoopt_coordinator::machine::{Input, TrialState};
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::message::{Action, Done, Observation, ReportState, Stage, TrialKind};
use autoopt_epoch::space::Value;
use serde_json::json;

use super::support::{Lab, done, report, spec};

/// Works until the optimizer has been asked; servers land as `placed` says by the trial's value, and each step takes `seconds`.
fn work(lab: &mut Lab, seconds: u64, placed: &dyn Fn(i64) -> Option<&'static str>) {
    while !lab.orders.is_empty() {
        let order = lab.orders.remove(0);
        lab.later(seconds);
        let mut state = done(&order, lab.now);
        let x = order.parameters.get("x").and_then(Value::as_f64).unwrap_or_default();
        if let (Stage::Bench, Action::Run, ReportState::Done(Done { outputs, .. })) =
            (order.stage, order.action, &mut state)
            && let Some(host) = placed(x as i64)
        {
            outputs.insert("placement".into(), json!({"one": host, "two": "b"}));
        }
        lab.report(&order, state);
    }
}

fn result(results: &[Observation], number: u32) -> &Observation {
    results.iter().find(|r| r.number == number).unwrap()
}

#[test]
fn a_trial_s_placement_is_told_if_all_its_epochs_had_it() {
    let more = json!({"algorithm": {"name": "gp"}, "budget": {"trials": 4}});
    let mut lab = Lab::with(&spec("e", &["a"], more));
    // 1 and 2 on one host, 3 on another one, of 4 nothing is told
    let placed = |x: i64| match x {
        1 | 2 => Some("a"),
        3 => Some("c"),
        _ => None,
    };
    work(&mut lab, 1, &placed);
    for x in [1, 2, 3] {
        lab.answer(x);
        work(&mut lab, 1, &placed);
    }
    let results = lab.asks.last().unwrap().results.clone();
    let class = |n| result(&results, n).placement.clone();
    assert!(class(1).is_some());
    assert_eq!(class(1), class(2));
    assert_ne!(class(1), class(3));
    assert_eq!(class(0), None, "the baseline told none");
    assert_eq!(lab.asks.last().unwrap().in_force, Vec::new(), "no change costs anything");
}

#[test]
fn costs_of_changes_are_taken_from_lengths_and_what_is_in_force_is_told() {
    let parameters =
        json!([{"name": "x", "type": "int", "low": 0, "high": 100, "default": 10, "change_cost": "12s"}]);
    let more = json!({"algorithm": {"name": "gp"}, "budget": {"trials": 4}, "parameters": parameters});
    let mut lab = Lab::with(&spec("e", &["a"], more));
    work(&mut lab, 5, &|_| None);
    // what the baseline found
    assert_eq!(lab.asks.last().unwrap().in_force, [[("x".to_owned(), Value::Int(7))].into()]);
    let mut lengths = Vec::new();
    for (number, x) in [(1, 40), (2, 40)] {
        lab.answer(x);
        work(&mut lab, 5, &|_| None);
        lengths.push(result(&lab.asks.last().unwrap().results, number).seconds.unwrap());
    }
    // four steps of 5 s each, of which the first trial's change took 12 s
    assert_eq!(lengths, [8.0, 20.0]);
    assert_eq!(lab.asks.last().unwrap().in_force, [[("x".to_owned(), Value::Int(40))].into()]);
    lab.crash();
    lab.answer(50);
    work(&mut lab, 5, &|_| None);
    assert_eq!(result(&lab.asks.last().unwrap().results, 3).seconds, Some(8.0), "also after a restart");
}

#[test]
fn the_front_of_two_objectives_is_kept_and_a_worker_that_gives_one_is_told_so() {
    let more = json!({
        "algorithm": {"name": "manual"}, "budget": {"trials": 9}, "retry": {"invalid": {"attempts": 1}},
        "other_objectives": [{"minimize": "m"}],
    });
    let mut lab = Lab::with(&spec("e", &["a"], more));
    let work = |lab: &mut Lab, second: Option<f64>| {
        while !lab.orders.is_empty() {
            let order = lab.orders.remove(0);
            let mut state = done(&order, lab.now);
            if let ReportState::Done(Done { measurement: Some(measurement), .. }) = &mut state {
                measurement.others.extend(second);
            }
            lab.give(Input::Report(report(&order, lab.now, "w/1", state)));
        }
    };
    work(&mut lab, Some(5.0));
    for (x, second) in [(20, 9.0), (15, 4.0), (30, 4.0), (25, 3.0), (30, 4.0), (1, 8.0)] {
        assert_eq!(lab.trial("e", x), None);
        work(&mut lab, Some(second));
    }
    // the baseline (7, 5) is beaten by (15, 4), that by (30, 4); (30, 4) again adds nothing
    let front: Vec<(u32, Vec<f64>)> =
        lab.experiment().front.iter().map(|f| (f.number, f.values.clone())).collect();
    assert_eq!(front, [(3, vec![30.0, 4.0]), (4, vec![25.0, 3.0])]);
    let compromise = lab.experiment().recommended().map(|(number, _)| number);
    assert_eq!(
        compromise,
        Some(3),
        "as near to the best of both as trial 4, and the better one by the first"
    );
    lab.crash();
    lab.trial("e", 50);
    work(&mut lab, None);
    assert_eq!(lab.outcomes(TrialKind::Manual).last(), Some(&Outcome::Invalid));
    let reason = lab.store.trials.values().find(|t| t.number == 7).map(|t| match &t.state {
        TrialState::Ended { reason, .. } => reason.clone().unwrap_or_default(),
        _ => String::new(),
    });
    assert!(reason.as_ref().is_some_and(|r| r.contains("0 of 1 further objectives")), "{reason:?}");
}
