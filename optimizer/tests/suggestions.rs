//! What an ask is answered, whatever it tells.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use autoopt_epoch::formula::Linear;
use autoopt_epoch::message::Ask;
use autoopt_epoch::space::Parameters;
use autoopt_optimizer::design;
use autoopt_optimizer::space::Codec;
use autoopt_optimizer::{Origin, SuggestError, recommend, suggest};
use proptest::prelude::*;
use serde_json::{Value, json};

const ID: &str = "0192a3b4-c5d6-7e8f-9012-000000000001";

fn ask(parameters: &Value, constraints: &[&str], results: &[Value]) -> Ask {
    serde_json::from_value(json!({
        "ask": ID, "experiment": "e", "experiment_id": ID, "number": results.len() + 1, "algorithm": {"name": "gp"},
        "seed": 5, "goal": "minimize", "parameters": parameters, "constraints": constraints,
        "budget": 100, "parallel": 1, "results": results, "pending": [],
    }))
    .unwrap()
}

fn result(parameters: &Parameters, objective: Option<f64>) -> Value {
    json!({
        "trial": ID, "number": 1, "kind": "proposed", "cluster": "c", "parameters": parameters, "repeats": 1,
        "outcome": if objective.is_some() { "measured" } else { "infeasible" }, "objective": objective,
    })
}

fn plane() -> Value {
    json!([
        {"name": "x", "type": "float", "low": -1.0, "high": 3.0, "default": 0.0},
        {"name": "y", "type": "float", "low": 0.01, "high": 100.0, "log": true, "default": 1.0},
    ])
}

fn mixed() -> Value {
    json!([
        {"name": "x", "type": "float", "low": 0.0, "high": 1.0, "default": 0.5},
        {"name": "s", "type": "float", "low": 0.5, "high": 16.0, "step": 0.5, "default": 1.0, "special": [-1.0]},
        {"name": "k", "type": "int", "low": 1, "high": 64, "log": true, "default": 8},
        {"name": "c", "type": "categorical", "choices": ["a", "b", "z"], "default": "a"},
        {"name": "b", "type": "bool", "default": false},
    ])
}

/// Space-filling parameters and what `f` makes of them.
fn evaluated(
    parameters: &Value,
    constraints: &[&str],
    n: u32,
    f: impl Fn(u32, &Parameters) -> Option<f64>,
) -> Vec<Value> {
    let mut ask = ask(parameters, constraints, &[]);
    ask.algorithm.name = "sobol".into();
    (0..n)
        .map(|i| {
            ask.number = i + 1;
            let parameters = suggest(&ask).unwrap().parameters;
            result(&parameters, f(i, &parameters))
        })
        .collect()
}

fn bowl(p: &Parameters) -> f64 {
    p.values().filter_map(autoopt_epoch::space::Value::as_f64).map(|x| (x - 0.4).powi(2)).sum()
}

/// What trials yield, by number and parameters; nothing if they fail.
type Outcomes = Box<dyn Fn(u32, &Parameters) -> Option<f64>>;

/// The answer, which has to be allowed.
fn checked(ask: &Ask) -> autoopt_optimizer::Suggestion {
    let suggestion = suggest(ask).unwrap();
    let constraints: Vec<Linear> = ask
        .constraints
        .iter()
        .map(|c| {
            let numbers: Vec<&str> = ask.parameters.iter().map(|p| p.name.as_str()).collect();
            Linear::parse(c, &numbers).unwrap()
        })
        .collect();
    let codec = Codec::new(&ask.parameters, &constraints).unwrap();
    assert!(codec.allows(&suggestion.parameters), "{:?}", suggestion.parameters);
    suggestion
}

#[test]
fn any_outcomes_are_lived_with() {
    let waves = |i: u32| f64::from(i % 5);
    let cases: [(&str, u32, Outcomes); 9] = [
        ("no result", 0, Box::new(|_, _| None)),
        ("one", 1, Box::new(|_, p| Some(bowl(p)))),
        ("all equal", 20, Box::new(|_, _| Some(5.0))),
        ("all failed", 20, Box::new(|_, _| None)),
        ("one of them measured", 20, Box::new(|i, _| (i == 7).then_some(1.0))),
        ("huge", 20, Box::new(move |i, _| Some(1e300 * (waves(i) - 2.0)))),
        ("tiny", 20, Box::new(move |i, _| Some(1e-300 * waves(i)))),
        ("over many powers of ten", 30, Box::new(|i, p| Some(bowl(p) * 10f64.powi(i as i32 % 40 - 20)))),
        ("one outlier", 30, Box::new(|i, p| Some(if i == 3 { 1e12 } else { bowl(p) }))),
    ];
    for (name, n, f) in cases {
        for space in [plane(), mixed()] {
            let ask = ask(&space, &[], &evaluated(&space, &[], n, &f));
            let answer = checked(&ask);
            assert_eq!(answer, suggest(&ask).unwrap(), "{name}: the same twice");
            let measured = ask.results.iter().any(|r| r.objective.is_some());
            assert_eq!(recommend(&ask).is_some(), measured, "{name}");
        }
    }
}

#[test]
fn a_result_that_is_no_number_is_refused_by_its_name() {
    let space = plane();
    let mut ask = ask(&space, &[], &evaluated(&space, &[], 12, |_, p| Some(bowl(p))));
    ask.results[7].number = 8;
    for wrong in [f64::NAN, f64::INFINITY] {
        ask.results[7].objective = Some(wrong);
        let told = suggest(&ask).unwrap_err().to_string();
        assert!(told.starts_with(&format!("the objective of trial 8 on `c` is {wrong};")), "{told}");
    }
}

#[test]
fn many_exact_duplicates_are_lived_with() {
    // equal rows of the covariance, equal values: singular but for the noise that the model comes to believe is none
    let space = plane();
    let one = evaluated(&space, &[], 3, |_, p| Some(bowl(p)));
    let results: Vec<Value> = (0..150).map(|i| one[i % 3].clone()).collect();
    let ask = ask(&space, &[], &results);
    assert_eq!(checked(&ask).origin, Origin::Model);
    let best = recommend(&ask).unwrap();
    assert!(ask.results.iter().all(|r| bowl(&best) <= bowl(&r.parameters)), "{best:?}");
}

#[test]
fn one_lucky_value_of_several_does_not_decide() {
    let space = plane();
    let mut results = evaluated(&space, &[], 10, |_, p| Some(bowl(p)));
    for value in [-50.0, 60.0, 20.0] {
        let mut again = results[0].clone();
        again["objective"] = json!(value);
        results.push(again);
    }
    let ask = ask(&space, &[], &results);
    assert_eq!(checked(&ask).origin, Origin::Model);
    let best = recommend(&ask).unwrap();
    assert_ne!(best, ask.results[0].parameters, "one lucky value of four");
}

#[test]
fn nothing_is_bought_twice() {
    let space = mixed();
    let mut results = evaluated(&space, &[], 12, |_, p| Some(bowl(p)));
    for _ in 0..25 {
        let parameters = checked(&ask(&space, &[], &results)).parameters;
        let answer = result(&parameters, Some(bowl(&parameters)));
        assert!(!results.contains(&answer), "{answer}");
        results.push(answer);
    }
}

#[test]
fn results_from_elsewhere_teach_but_are_not_recommended() {
    let space = plane();
    let mut results = evaluated(&space, &[], 8, |_, p| Some(bowl(p)));
    results.push(result(&serde_json::from_value(json!({"x": 3.5, "y": 1.0})).unwrap(), Some(-100.0)));
    results.push(result(&serde_json::from_value(json!({"x": 1e9, "y": 1.0})).unwrap(), Some(-1e9)));
    results.push(result(&serde_json::from_value(json!({"x": "text", "y": 1.0})).unwrap(), Some(-1e9)));
    let ask = ask(&space, &[], &results);
    checked(&ask);
    let best = recommend(&ask).unwrap();
    assert!(ask.results[..8].iter().any(|r| r.parameters == best));
}

#[test]
fn what_cannot_vary_stays_as_it_is() {
    let space = json!([
        {"name": "fixed", "type": "float", "low": 2.5, "high": 2.5, "default": 2.5},
        {"name": "only", "type": "categorical", "choices": ["a"], "default": "a"},
        {"name": "one", "type": "int", "low": 7, "high": 7, "default": 7},
    ]);
    let ask = ask(&space, &[], &[]);
    assert_eq!(
        serde_json::to_value(checked(&ask).parameters).unwrap(),
        json!({"fixed": 2.5, "only": "a", "one": 7})
    );
}

#[test]
fn of_sixty_categories_the_good_one_is_found() {
    let choices: Vec<String> = (0..60).map(|i| format!("c{i}")).collect();
    let space = json!([{"name": "c", "type": "categorical", "choices": choices, "default": "c0"}]);
    let mut results = Vec::new();
    for _ in 0..60 {
        let answer = checked(&ask(&space, &[], &results)).parameters;
        let good = serde_json::to_value(&answer).unwrap() == json!({"c": "c41"});
        results.push(result(&answer, Some(if good { 0.0 } else { 1.0 })));
    }
    let best = recommend(&ask(&space, &[], &results)).unwrap();
    assert_eq!(serde_json::to_value(best).unwrap(), json!({"c": "c41"}), "no category is tried twice");
}

#[test]
fn contradictory_constraints_are_told_soon() {
    let began = Instant::now();
    let told = suggest(&ask(&plane(), &["x + y <= 0", "x >= 1"], &[]));
    assert!(
        matches!(&told, Err(SuggestError::Contradiction { constraints }) if constraints == "x + y <= 0, x >= 1"),
        "{told:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[test]
fn five_thousand_pending_trials_and_ten_thousand_results_do_not_stop_it() {
    let space = plane();
    let mut ask = ask(&space, &[], &evaluated(&space, &[], 10_000, |_, p| Some(bowl(p))));
    let mut other = ask.clone();
    other.results.clear();
    other.algorithm.name = "random".into();
    for number in 1..=5000 {
        other.number = number;
        let parameters = suggest(&other).unwrap().parameters;
        ask.pending.push(serde_json::from_value(json!({"trial": ID, "parameters": parameters})).unwrap());
    }
    let answer = checked(&ask);
    assert_eq!(answer.origin, Origin::Model);
    assert!(ask.pending.iter().all(|p| p.parameters != answer.parameters));
}

#[test]
fn pending_trials_are_kept_away_from() {
    let space = plane();
    let mut ask = ask(&space, &[], &evaluated(&space, &[], 12, |_, p| Some(bowl(p))));
    let codec = Codec::new(&ask.parameters, &[]).unwrap();
    let mut points: Vec<Vec<f64>> = Vec::new();
    for number in 13..17 {
        ask.number = number;
        let parameters = checked(&ask).parameters;
        let point = codec.encode(&parameters).unwrap();
        for other in &points {
            let distance: f64 = point.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            assert!(distance > 0.01, "{point:?} {other:?}");
        }
        points.push(point);
        ask.pending.push(serde_json::from_value(json!({"trial": ID, "parameters": parameters})).unwrap());
    }
}

#[test]
fn a_region_that_fails_is_left() {
    let space = plane();
    let fails = |p: &Parameters| p["x"].as_f64().unwrap() < 1.0;
    let value = |p: &Parameters| bowl(p) + 5.0 * (p["x"].as_f64().unwrap() - 1.8).powi(2);
    let mut results = evaluated(&space, &[], 20, |_, p| (!fails(p)).then(|| value(p)));
    for _ in 0..10 {
        let parameters = checked(&ask(&space, &[], &results)).parameters;
        results.push(result(&parameters, (!fails(&parameters)).then(|| value(&parameters))));
    }
    let failed = results[20..].iter().filter(|r| r["objective"].is_null()).count();
    assert!(failed <= 1, "{failed} of 10 in the half that fails");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn constraints_are_kept_and_pending_points_left_alone(seed in 0u64..1000, n in 0u32..25) {
        let constraints = ["k + 4 * x <= 20", "s >= 2 * x"];
        let space = mixed();
        let mut ask = ask(&space, &constraints, &evaluated(&space, &constraints, n, |_, p| Some(bowl(p))));
        ask.seed = seed;
        for result in ask.results.split_off(ask.results.len() / 2) {
            ask.pending.push(
                serde_json::from_value(json!({"trial": ID, "parameters": result.parameters})).unwrap(),
            );
        }
        let answer = checked(&ask);
        prop_assert!(ask.pending.iter().all(|p| p.parameters != answer.parameters));
    }

    #[test]
    fn order_unit_and_zero_of_results_are_of_no_matter(seed in 0u64..1000, shift in -50.0..50.0f64, power in -3i32..4) {
        let space = plane();
        let results = evaluated(&space, &[], 15, |i, p| Some(bowl(p) + 0.1 * f64::from(i % 3)));
        let mut original = ask(&space, &[], &results);
        original.seed = seed;
        let answer = suggest(&original).unwrap();
        let mut turned = original.clone();
        turned.results.reverse();
        turned.results.rotate_left((seed % 15) as usize);
        prop_assert_eq!(&answer, &suggest(&turned).unwrap());

        // a change of the values' last digits may be seen in those of the proposal
        let mut other = original.clone();
        for r in &mut other.results {
            r.objective = r.objective.map(|y| y * 2f64.powi(power) + shift);
        }
        let moved = suggest(&other).unwrap();
        let codec = Codec::new(&original.parameters, &[]).unwrap();
        let (a, b) = (codec.encode(&answer.parameters).unwrap(), codec.encode(&moved.parameters).unwrap());
        let distance = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        prop_assert!(distance < 0.02, "{a:?} {b:?}");

        // the other goal with the other sign is the same question
        for r in &mut turned.results {
            r.objective = r.objective.map(|y| -y);
        }
        turned.goal = autoopt_epoch::message::Goal::Maximize;
        prop_assert_eq!(&answer.parameters, &suggest(&turned).unwrap().parameters);
    }
}

#[test]
fn numbers_spread_over_the_space() {
    // the designs alone: every quarter of a column is met by a quarter of the points
    let mut counts = [0u32; 4];
    for i in 0..64 {
        counts[(design::sobol(i, 5, 9)[3] * 4.0) as usize] += 1;
    }
    assert_eq!(counts, [16; 4]);
}
