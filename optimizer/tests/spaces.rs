//! Spaces in which several sets of values mean the same: what is proposed and what is learned there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use autoopt_epoch::message::Ask;
use autoopt_epoch::space::{Parameters, Value as Setting};
use autoopt_optimizer::space::Codec;
use autoopt_optimizer::{Origin, recommend, suggest};
use proptest::prelude::*;
use serde_json::{Value, json};

const ID: &str = "0192a3b4-c5d6-7e8f-9012-000000000001";

fn ask(parameters: &Value, scale_free: &Value, results: &[Value]) -> Ask {
    serde_json::from_value(json!({
        "ask": ID, "experiment": "e", "experiment_id": ID, "number": results.len() + 1, "algorithm": {"name": "gp"},
        "seed": 5, "goal": "minimize", "parameters": parameters, "scale_free": scale_free,
        "budget": 100, "parallel": 1, "results": results, "pending": [],
    }))
    .unwrap()
}

fn result(parameters: &Parameters, objective: f64) -> Value {
    json!({
        "trial": ID, "number": 1, "kind": "proposed", "cluster": "c", "parameters": parameters, "repeats": 1,
        "outcome": "measured", "objective": objective,
    })
}

/// Asks and answers, `n` times.
fn search(
    parameters: &Value,
    scale_free: &Value,
    n: usize,
    f: impl Fn(&Parameters) -> f64,
) -> Vec<Parameters> {
    let (mut results, mut proposed) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let answer = suggest(&ask(parameters, scale_free, &results)).unwrap().parameters;
        results.push(result(&answer, f(&answer)));
        proposed.push(answer);
    }
    proposed
}

fn number(parameters: &Parameters, name: &str) -> f64 {
    parameters[name].as_f64().unwrap()
}

/// Three weights that are only compared with each other, and a number of its own.
fn weights() -> (Value, Value) {
    let weight = |name| json!({"name": name, "type": "float", "low": -1.0, "high": 1.0, "default": 0.0});
    let own = json!({"name": "own", "type": "float", "low": 0.0, "high": 1.0, "default": 0.5});
    (json!([weight("a"), weight("b"), own, weight("c")]), json!([["a", "b", "c"]]))
}

fn direction(p: &Parameters) -> [f64; 3] {
    let v = ["a", "b", "c"].map(|n| number(p, n));
    let length = v.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-300);
    v.map(|x| x / length)
}

fn by_direction(p: &Parameters) -> f64 {
    let goal = [0.6, -0.64, 0.48];
    let cosine: f64 = direction(p).iter().zip(goal).map(|(x, g)| x * g).sum();
    -cosine + (number(p, "own") - 0.3).powi(2)
}

#[test]
fn of_weights_that_mean_the_same_one_is_proposed_and_none_twice() {
    let (space, groups) = weights();
    let proposed = search(&space, &groups, 30, by_direction);
    for (i, p) in proposed.iter().enumerate() {
        let largest = ["a", "b", "c"].map(|n| number(p, n).abs()).into_iter().fold(0.0, f64::max);
        assert!((largest - 1.0).abs() < 1e-12, "as large as the bounds allow: {p:?}");
        for other in &proposed[..i] {
            let same = direction(p).iter().zip(direction(other)).all(|(x, y)| (x - y).abs() < 1e-9);
            assert!(!same || number(p, "own") != number(other, "own"), "{p:?} {other:?}");
        }
    }
    let best = proposed.iter().map(by_direction).fold(f64::INFINITY, f64::min);
    assert!(best < -0.995, "the best of 30 is at {best}, of −1");
}

#[test]
fn conditional_parameters_vary_where_they_have_an_effect_only() {
    let space = json!([
        {"name": "engine", "type": "categorical", "choices": ["plain", "tree", "log"], "default": "plain"},
        {"name": "cache", "type": "bool", "default": false, "when": {"engine": ["tree", "log"]}},
        {"name": "size", "type": "float", "low": 1.0, "high": 100.0, "log": true, "default": 7.0, "when": {"cache": true}},
        {"name": "depth", "type": "int", "low": 1, "high": 9, "default": 4, "when": {"engine": "tree"}},
    ]);
    let value = |p: &Parameters| match (&p["engine"], &p["cache"]) {
        (Setting::Text(e), Setting::Bool(true)) if e == "tree" => {
            (number(p, "size").ln() - 3.0).powi(2) / 4.0 + (number(p, "depth") - 6.0).abs() / 8.0
        }
        (Setting::Text(e), _) if e == "plain" => 2.0,
        _ => 1.0,
    };
    let proposed = search(&space, &json!([]), 30, value);
    for p in &proposed {
        let engine = p["engine"].to_string();
        let cached = p["cache"] == Setting::Bool(true);
        assert!(!(cached && engine == "plain"), "{p:?}");
        assert!(cached || number(p, "size") == 7.0, "{p:?}");
        assert!(engine == "tree" || number(p, "depth") == 4.0, "{p:?}");
    }
    let plain = proposed.iter().filter(|p| p["engine"].to_string() == "plain").count();
    assert_eq!(plain, 1, "a point with nothing to vary is bought once");
    let best = proposed.iter().map(value).fold(f64::INFINITY, f64::min);
    assert!(best < 0.1, "the best of 30 is {best}");
}

#[test]
fn a_value_without_an_effect_is_no_difference() {
    let space = json!([
        {"name": "on", "type": "bool", "default": false},
        {"name": "size", "type": "int", "low": 0, "high": 9, "default": 3, "when": {"on": true}},
    ]);
    let ask = ask(&space, &json!([]), &[]);
    let codec = Codec::new(&ask.parameters, &[]).unwrap();
    let point = |on: bool, size: i64| {
        codec.encode(&Parameters::from([
            ("on".into(), Setting::Bool(on)),
            ("size".into(), Setting::Int(size)),
        ]))
    };
    assert_eq!(point(false, 8), point(false, 3));
    assert_eq!(point(false, 1000), point(false, 3), "it may be anything");
    assert_ne!(point(true, 8), point(true, 3));
    assert_eq!(point(true, 1000), None);
}

#[test]
fn what_is_fixed_stays_and_results_with_another_value_teach_nothing() {
    let space = json!([
        {"name": "x", "type": "float", "low": 0.0, "high": 1.0, "default": 0.5},
        {"name": "k", "type": "int", "low": 1, "high": 9, "default": 3, "fixed": 5},
    ]);
    let with =
        |x: f64, k: i64| Parameters::from([("x".into(), Setting::Float(x)), ("k".into(), Setting::Int(k))]);
    let mut results: Vec<Value> =
        (0..8).map(|i| f64::from(i) / 8.0).map(|x| result(&with(x, 5), (x - 0.6).powi(2))).collect();
    let without = suggest(&ask(&space, &json!([]), &results)).unwrap();
    assert_eq!((without.origin, &without.parameters["k"]), (Origin::Model, &Setting::Int(5)));
    results.push(result(&with(0.1, 3), -100.0));
    let mut other = ask(&space, &json!([]), &results);
    other.number -= 1;
    assert_eq!(suggest(&other).unwrap(), without, "the values found, with 3, are elsewhere");
    assert_eq!(recommend(&other).unwrap()["k"], Setting::Int(5));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn multiples_are_one_point(values in prop::array::uniform3(-1.0..1.0f64), factor in 1e-3..1e3f64) {
        let (space, groups) = weights();
        let ask = ask(&space, &groups, &[]);
        let codec = Codec::new(&ask.parameters, &[]).unwrap().scale_free(&ask.scale_free).unwrap();
        let point = |factor: f64| {
            let named = ["a", "b", "c"].iter().zip(values).map(|(n, v)| ((*n).into(), Setting::Float(v * factor)));
            codec.encode(&named.collect()).unwrap()
        };
        let (one, other) = (point(1.0), point(factor));
        prop_assert!(one.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-12), "{one:?} {other:?}");
        let again = codec.snap(&one);
        prop_assert!(one.iter().zip(&again).all(|(a, b)| (a - b).abs() < 1e-14), "{one:?} {again:?}");
    }

    #[test]
    fn what_is_proposed_is_what_was_modelled(seed in 0u64..500, n in 0u32..3) {
        let (space, groups) = weights();
        let mut ask = ask(&space, &groups, &[]);
        (ask.seed, ask.number, ask.algorithm.name) = (seed, n + 1, "random".into());
        ask.constraints = vec!["a <= b".into(), "own >= 0.25".into()];
        let constraints: Vec<_> = ask.constraints.iter()
            .map(|c| autoopt_epoch::formula::Linear::parse(c, &["a", "b", "c", "own"]).unwrap()).collect();
        let codec = Codec::new(&ask.parameters, &constraints).unwrap().scale_free(&ask.scale_free).unwrap();
        let p = suggest(&ask).unwrap().parameters;
        prop_assert!(codec.allows(&p), "{p:?}");
        let point = codec.encode(&p).unwrap();
        for (name, value) in codec.decode(&point) {
            prop_assert!((value.as_f64().unwrap() - number(&p, &name)).abs() < 1e-14, "{name} of {p:?}");
        }
    }
}
