//! What is said of an experiment's results.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use autoopt_epoch::message::Ask;
use autoopt_optimizer::explain::{Estimate, ExplainError, Explanation, Kind};
use autoopt_optimizer::{design, explain};
use serde_json::{Value, json};

const ID: &str = "0192a3b4-c5d6-7e8f-9012-000000000001";

/// An ask over four numbers and a categorical that knows `f` at `n` spread points.
fn ask(n: u32, f: impl Fn(u32, &[f64], &str) -> f64) -> Ask {
    let results: Vec<Value> = (0..n)
        .map(|i| {
            let u = design::sobol(i, 5, 11);
            let c = ["one", "two", "three"][(u[4] * 3.0) as usize];
            json!({
                "trial": ID, "number": i + 1, "kind": "proposed", "cluster": "c", "repeats": 1, "outcome": "measured",
                "parameters": {"a": u[0], "b": u[1], "c": u[2], "d": u[3], "choice": c}, "objective": f(i, &u[..4], c),
            })
        })
        .collect();
    let mut parameters: Vec<Value> = ["a", "b", "c", "d"]
        .iter()
        .map(|name| json!({"name": name, "type": "float", "low": 0.0, "high": 1.0, "default": 0.5}))
        .collect();
    parameters.push(
        json!({"name": "choice", "type": "categorical", "choices": ["one", "two", "three"], "default": "one"}),
    );
    serde_json::from_value(json!({
        "ask": ID, "experiment": "e", "experiment_id": ID, "number": n + 1, "algorithm": {"name": "sobol"}, "seed": 3,
        "goal": "maximize", "parameters": parameters, "budget": 100, "parallel": 1, "results": results,
    }))
    .unwrap()
}

fn noise(i: u32) -> f64 {
    design::normal(&mut design::generator(design::seed(&[u64::from(i), 5])))
}

fn effect<'a>(e: &'a Explanation, name: &str) -> &'a autoopt_optimizer::explain::Effect {
    e.effects.iter().find(|x| x.parameter == name).unwrap()
}

#[test]
fn what_matters_is_found_with_its_share() {
    // variances: 9/12 by a, 4/12 · 1/12 by b and c together, 2/9 by the choice
    let f = |u: &[f64], c: &str| {
        20.0 + 3.0 * u[0] + 4.0 * (u[1] - 0.5) * (u[2] - 0.5) + if c == "two" { 1.0 } else { 0.0 }
    };
    let e = explain(&ask(120, |i, u, c| f(u, c) + 0.05 * noise(i))).unwrap();
    let all = 9.0 / 12.0 + 16.0 / 144.0 + 2.0 / 9.0;
    for (name, first, total) in [
        ("a", 0.75 / all, 0.75 / all),
        ("b", 0.0, 16.0 / 144.0 / all),
        ("choice", 2.0 / 9.0 / all, 2.0 / 9.0 / all),
        ("d", 0.0, 0.0),
    ] {
        let x = effect(&e, name);
        assert!((x.first_order.mean - first).abs() < 0.07, "{name}: {first} {:?}", x.first_order);
        assert!((x.total.mean - total).abs() < 0.07, "{name}: {total} {:?}", x.total);
        let Estimate { low, mean, high } = x.first_order;
        // where nearly all draws are 0, their mean is above the 95th of a hundred
        assert!(low <= mean && mean <= high + 1e-4, "{name}: {low} {mean} {high}");
    }
    assert_eq!(e.effects[0].parameter, "a");
    assert_eq!(e.interactions[0].parameters, ["b", "c"]);
    // a main effect in the objective's own sense: larger a, larger objective, by 3 from end to end
    let levels = &effect(&e, "a").levels;
    let rise = levels.last().unwrap().objective.mean - levels[0].objective.mean;
    assert!((rise - 3.0 * 11.0 / 12.0).abs() < 0.3, "{rise}");
    assert!(e.calibration.r_squared > 0.8, "{:?}", e.calibration);
    // the response is a polynomial
    let weight = |kind| e.surrogates.iter().find(|s| s.kind == kind).unwrap().weight;
    assert!(
        weight(Kind::Smooth) + weight(Kind::Rough) > 0.999 && weight(Kind::Smooth) > 0.5,
        "{:?}",
        e.surrogates
    );
    // `d` may be anything; `a` costs 1 % of 24 within a tenth
    let room = |name: &str| &e.robustness.parameters.iter().find(|r| r.parameter == name).unwrap().good;
    assert!(room("d").len() >= 38, "{:?}", room("d"));
    assert!(room("a").len() <= 10, "{:?}", room("a"));
    assert_eq!(room("choice").len(), 1, "{:?}", room("choice"));
}

#[test]
fn cliffs_are_told_by_regression_trees() {
    // a working set fits into `a`, and only then does it matter whether `b` is too large
    let rate = |u: &[f64]| match (u[0] > 0.37, u[1] < 0.6) {
        (true, true) => 12.0,
        (true, false) => 10.5,
        (false, _) => 10.0,
    };
    let e = explain(&ask(96, |_, u, _| rate(u) + if u[2] > 0.7 { 1.0 } else { 0.0 })).unwrap();
    let trees = e.surrogates.iter().find(|s| s.kind == Kind::Trees).unwrap();
    assert!(trees.weight > 0.5, "{:?}", e.surrogates);
}

#[test]
fn measurements_that_are_far_off_are_not_taken_for_the_noise() {
    let told = |off: f64| {
        let f = move |i: u32, u: &[f64]| 20.0 + 3.0 * u[0] - u[1] + if i % 12 == 3 { off } else { 0.0 };
        explain(&ask(96, |i, u, _| f(i, u) + 0.1 * noise(i))).unwrap().noise
    };
    assert!(told(0.0) < 0.15, "{}", told(0.0));
    // their standard deviation would be 0.8
    assert!(told(-3.0) < 0.3, "{}", told(-3.0));
}

#[test]
fn noise_alone_supports_nothing_and_that_is_said() {
    let e = explain(&ask(40, |i, _, _| 10.0 + noise(i))).unwrap();
    assert!(e.caveats.iter().any(|c| c.contains("hardly predicted")), "{:?} {:?}", e.caveats, e.calibration);
}

#[test]
fn too_little_is_told() {
    let told = explain(&ask(3, |_, u, _| u[0]));
    assert_eq!(told, Err(ExplainError::TooFew { measured: 3, needed: 5 }));
    let e = explain(&ask(6, |_, u, _| 1.0 + u[0])).unwrap();
    assert!(e.caveats.iter().any(|c| c.contains("6 results are few")), "{:?}", e.caveats);
}

#[test]
fn values_that_cannot_be_told_apart_are_lived_with() {
    for value in [0.0, 7.0, 1e300] {
        let e = explain(&ask(12, |_, _, _| value)).unwrap();
        assert!(e.effects.iter().all(|x| x.total.mean.is_finite()), "{value}: {e:?}");
    }
}

#[test]
fn results_of_several_clusters_are_named_and_those_of_an_unknown_one_are_not_another() {
    let told = |clusters: [&str; 2]| {
        let mut ask = ask(12, |_, u, _| u[0]);
        ask.results.iter_mut().zip(clusters.iter().cycle()).for_each(|(r, c)| r.cluster = (*c).into());
        explain(&ask).unwrap().caveats.iter().any(|c| c.contains("results of 2 clusters"))
    };
    assert!(told(["a", "b"]));
    assert!(!told(["a", ""]));
}

#[test]
fn a_number_that_tells_all_near_one_end_of_its_range_is_named() {
    let near_low = |u: &[f64]| -((1.0 + 1000.0 * u[0]).ln() - 5.0).powi(2) - (u[1] - 0.4).powi(2);
    let named = |e: &Explanation| e.caveats.iter().filter(|c| c.contains("near the low end")).count();
    let e = explain(&ask(60, |i, u, _| near_low(u) + 0.05 * noise(i))).unwrap();
    assert!(e.caveats.iter().any(|c| c.starts_with("`a` does most of what it does near the low end")));
    assert_eq!(named(&e), 1);
    let e = explain(&ask(40, |i, u, _| 3.0 * u[0] - (u[1] - 0.4).powi(2) + 0.05 * noise(i))).unwrap();
    assert_eq!(named(&e), 0);
}
