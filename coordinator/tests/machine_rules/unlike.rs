//! Clusters that differ: what counts is the gain over each one's own baseline.

use autoopt_coordinator::machine::TrialState;
use autoopt_epoch::message::{self, ReportState};
use autoopt_epoch::space::Value;
use serde_json::json;

use crate::support::{Lab, done, experiment_id, spec};

/// Works as `Lab::work` does; cluster `slow` measures a tenth.
fn work(lab: &mut Lab) {
    while !lab.orders.is_empty() {
        let order = lab.orders.remove(0);
        let mut state = done(&order, lab.now);
        if let ReportState::Done(done) = &mut state
            && let Some(measurement) = &mut done.measurement
            && order.cluster == "slow"
        {
            measurement.objective /= 10.0;
        }
        lab.report(&order, state);
    }
}

fn on(cluster: &str, x: i64) -> message::Trial {
    message::Trial {
        experiment: experiment_id(1).to_string(),
        parameters: [("x".to_owned(), Value::Int(x))].into(),
        trial: None,
        ask: None,
        cluster: Some(cluster.into()),
        note: None,
        outlook: None,
        compromise: None,
    }
}

#[test]
fn the_best_is_that_with_the_greatest_gain_over_its_own_baseline() {
    for first in ["fast", "slow"] {
        let more = json!({"algorithm": {"name": "gp"}, "budget": {"trials": 4}});
        let mut lab = Lab::with(&spec("e", &["fast", "slow"], more));
        work(&mut lab);
        let (second, values) = if first == "fast" { ("slow", [10, 20]) } else { ("fast", [20, 10]) };
        lab.send(on(first, values[0]));
        work(&mut lab);
        lab.send(on(second, values[1]));
        work(&mut lab);
        let best = lab.experiment().best.clone().unwrap();
        // 2 on the slow cluster is more than 10 on the fast one: 20 and 10 times what was found
        assert_eq!((best.cluster.as_str(), best.objective), ("slow", 2.0), "{first} measures first");
        let best = lab.log.iter().filter(|e| e.message.contains("the best so far")).count();
        assert_eq!(best, if first == "fast" { 2 } else { 1 });
    }
}

/// What a cluster measures of `x`: more of the second objective is worse, and comes with more of the first from 40 on.
fn traded(x: f64, [first, second]: [f64; 2]) -> (f64, Vec<f64>) {
    (first * x, vec![second * (100.0 + (x - 40.0).powi(2))])
}

/// A search of two objectives on `a`, and on `b`, which measures so many times as much of each. A trial is on the one or the other.
fn search(factors: [f64; 2], more: serde_json::Value, trials: &[(&str, i64)]) -> Lab {
    let mut all = json!({
        "algorithm": {"name": "gp"}, "budget": {"trials": 99}, "other_objectives": [{"minimize": "m"}],
    });
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        all[key] = value;
    }
    let mut lab = Lab::with(&spec("e", &["a", "b"], all));
    work_on_both(&mut lab, factors);
    for (cluster, x) in trials {
        lab.send(on(cluster, *x));
        work_on_both(&mut lab, factors);
    }
    lab
}

fn work_on_both(lab: &mut Lab, factors: [f64; 2]) {
    while !lab.orders.is_empty() {
        let order = lab.orders.remove(0);
        let mut state = done(&order, lab.now);
        if let ReportState::Done(done) = &mut state
            && let Some(measurement) = &mut done.measurement
        {
            let factors = if order.cluster == "b" { factors } else { [1.0; 2] };
            (measurement.objective, measurement.others) = traded(measurement.objective, factors);
        }
        lab.report(&order, state);
    }
}

#[test]
fn the_front_is_that_of_clusters_that_are_alike() {
    let trials = [("a", 20), ("b", 30), ("b", 50), ("a", 60), ("b", 10), ("a", 45), ("b", 70), ("a", 49)];
    let front = |factors| {
        let lab = search(factors, json!({}), &trials);
        let experiment = lab.experiment();
        let told = lab.store.trials.values().find_map(|t| match &t.state {
            TrialState::Ended { observation: Some(told), .. } if told.number == 2 => Some(told),
            _ => None,
        });
        let (objective, others) = traded(30.0, factors);
        let as_measured = told.is_some_and(|t| t.objective == Some(objective) && t.others == others);
        assert!(as_measured, "{told:?}");
        assert_eq!(experiment.factors["a"], [1.0; 2]);
        assert_eq!(experiment.factors["b"], factors.map(|f| 1.0 / f));
        experiment.front.clone()
    };
    let alike = front([1.0; 2]);
    let told: Vec<(u32, &str)> = alike.iter().map(|f| (f.number, f.cluster.as_str())).collect();
    assert_eq!(told, [(7, "b"), (4, "a"), (3, "b"), (8, "a"), (6, "a")]);
    assert_eq!(alike[2].values, [50.0, 200.0]);
    for factors in [[1.0, 0.5], [2.0, 1.0], [0.25, 8.0]] {
        assert_eq!(front(factors), alike, "{factors:?}");
    }
}

#[test]
fn a_front_is_compared_by_all_that_is_known_of_the_baselines_by_now() {
    let mut lab = search([1.0; 2], json!({"baseline": {"every": 1}}), &[("a", 50), ("b", 60)]);
    let numbers = |lab: &Lab| -> Vec<u32> { lab.experiment().front.iter().map(|f| f.number).collect() };
    assert_eq!(numbers(&lab), [2, 1]);
    // the baseline of `b` seems to be better than it was, so that trial 2 is worth less than trial 1; then it does not
    lab.send(on("b", 15));
    work_on_both(&mut lab, [2.0, 0.5]);
    assert_eq!(numbers(&lab), [1], "{:?}", lab.experiment().factors);
    for _ in 0..3 {
        lab.send(on("b", 15));
        work_on_both(&mut lab, [0.5, 1.0]);
    }
    assert_eq!(numbers(&lab)[..2], [2, 1], "{:?}", lab.experiment().factors);
    let front = lab.experiment().front.clone();
    lab.crash();
    assert_eq!(lab.experiment().front, front);
}

#[test]
fn where_a_baseline_is_not_positive_values_are_compared_as_they_are() {
    // nothing but the second objective can be compared by ratios
    let lab = search([-1.0, 0.5], json!({}), &[("a", 50), ("b", 60)]);
    let experiment = lab.experiment();
    assert_eq!(experiment.factors["b"], [1.0, 2.0]);
    let told = |number| experiment.front.iter().find(|f| f.number == number).map(|f| f.values.clone());
    assert_eq!((told(1), told(2)), (Some(vec![50.0, 200.0]), None));
    let baseline = traded(7.0, [1.0; 2]);
    assert!(baseline.1[0] > 200.0, "beaten by trial 1 on both: {:?}", experiment.front);
    assert_eq!(experiment.best.as_ref().unwrap().number, 1);
}
