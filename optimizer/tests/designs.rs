//! Designs: what each promises of its points, and what is said of a wrong setting.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;

use autoopt_epoch::message::Ask;
use autoopt_optimizer::{Origin, design, recommend, suggest};
use proptest::prelude::*;
use serde_json::{Value, json};

const ID: &str = "0192a3b4-c5d6-7e8f-9012-000000000001";

fn ask(parameters: &Value, algorithm: &Value, budget: u32) -> Ask {
    serde_json::from_value(json!({
        "ask": ID, "experiment": "e", "experiment_id": ID, "number": 1, "algorithm": algorithm, "seed": 5,
        "goal": "minimize", "parameters": parameters, "budget": budget, "parallel": 1, "results": [], "pending": [],
    }))
    .unwrap()
}

fn observed(parameters: &Value, objective: f64) -> Value {
    json!({"trial": ID, "number": 1, "kind": "proposed", "cluster": "c", "parameters": parameters, "repeats": 1,
        "outcome": "measured", "objective": objective})
}

/// The proposals of `n` asks, each with the results of those before.
fn proposals(mut ask: Ask, n: u32) -> Vec<Value> {
    let mut all = Vec::new();
    for number in 1..=n {
        ask.number = number;
        let suggestion = suggest(&ask).unwrap();
        assert_eq!(suggestion.origin, Origin::Design, "{}", suggestion.note);
        let parameters = serde_json::to_value(suggestion.parameters).unwrap();
        ask.results.push(serde_json::from_value(observed(&parameters, f64::from(number))).unwrap());
        all.push(parameters);
    }
    all
}

fn mixed() -> Value {
    json!([
        {"name": "x", "type": "float", "low": 0.0, "high": 4.0, "default": 0.5},
        {"name": "on", "type": "bool", "default": false},
        {"name": "k", "type": "int", "low": 1, "high": 100, "default": 8, "special": [0]},
    ])
}

#[test]
fn a_grid_is_every_combination_once_and_then_again() {
    let algorithm = json!({"name": "grid", "settings": {"levels": 3}});
    let all = proposals(ask(&mixed(), &algorithm, 99), 25);
    let different: HashSet<String> = all[..24].iter().map(Value::to_string).collect();
    assert_eq!(different.len(), 3 * 2 * 4, "the special value is a level of its own");
    assert!(different.contains(&json!({"k": 100, "on": true, "x": 4.0}).to_string()), "{different:?}");
    assert!(different.contains(&all[24].to_string()));
}

#[test]
fn a_grid_fills_the_budget() {
    let algorithm = json!({"name": "grid"});
    for (budget, points) in [(1, 12), (24, 24), (39, 24), (40, 40), (1000, 924)] {
        let note = suggest(&ask(&mixed(), &algorithm, budget)).unwrap().note;
        assert_eq!(note, format!("of a grid of {points} points"), "{budget}");
    }
}

#[test]
fn a_grid_leaves_out_what_constraints_forbid_and_says_if_that_is_all() {
    let mut ask = ask(&mixed(), &json!({"name": "grid", "settings": {"levels": 3}}), 99);
    ask.constraints = vec!["k <= 60".into(), "x >= 1".into()];
    for parameters in proposals(ask.clone(), 12) {
        assert!(parameters["k"].as_f64().unwrap() <= 60.0 && parameters["x"].as_f64().unwrap() >= 1.0);
    }
    ask.constraints = vec!["x >= 0.5".into(), "x <= 1.5".into()];
    let told = suggest(&ask).unwrap_err().to_string();
    assert!(told.contains("no point of the grid of 24") && told.contains("set more `levels`"), "{told}");
}

#[test]
fn a_wrong_setting_says_what_is_expected() {
    let cases = [
        (
            json!({"name": "grid", "settings": {"levels": 1}}),
            "`levels` of algorithm `grid` has to be a whole number from 2",
        ),
        (
            json!({"name": "gp", "settings": {"design": "latin"}}),
            "has to be `sobol`, `lhs`, `grid` or `random`, not \"latin\"",
        ),
        (
            json!({"name": "lhs", "settings": {"levels": 3}}),
            "algorithm `lhs` has no setting `levels`; it has: none",
        ),
        (
            json!({"name": "halton"}),
            "unknown algorithm `halton`; this optimizer has `gp`, `sobol`, `lhs`, `grid` and `random`",
        ),
    ];
    for (algorithm, message) in cases {
        let told = suggest(&ask(&mixed(), &algorithm, 9)).unwrap_err().to_string();
        assert!(told.contains(message), "{told}");
    }
}

#[test]
fn a_model_begins_with_the_design_it_is_told() {
    let parameters = json!([{"name": "x", "type": "float", "low": 0.0, "high": 1.0, "default": 0.5}]);
    let algorithm = json!({"name": "gp", "initial": 6, "settings": {"design": "lhs"}});
    let mut cells: Vec<u32> = proposals(ask(&parameters, &algorithm, 99), 6)
        .iter()
        .map(|p| (p["x"].as_f64().unwrap() * 6.0) as u32)
        .collect();
    cells.sort_unstable();
    assert_eq!(cells, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_result_counts_as_much_as_its_standard_error_says() {
    let parameters = json!([{"name": "x", "type": "float", "low": 0.0, "high": 1.0, "default": 0.5}]);
    let with = |errors: bool| {
        let mut ask = ask(&parameters, &json!({"name": "gp"}), 99);
        for i in 0..12 {
            let x = f64::from(i) / 11.0;
            let (noise, error) = if i == 10 { (-1.0, 1.0) } else { (0.02 * f64::from(i % 3), 0.02) };
            let mut result = observed(&json!({"x": x}), (x - 0.3).powi(2) + noise);
            if errors {
                result["std_error"] = json!(error);
            }
            ask.results.push(serde_json::from_value(result).unwrap());
        }
        recommend(&ask).unwrap()["x"].as_f64().unwrap()
    };
    assert!((with(false) - 10.0 / 11.0).abs() < 1e-9, "the lucky one: {}", with(false));
    assert!((with(true) - 0.3).abs() < 0.15, "{}", with(true));
}

proptest! {
    #[test]
    fn every_cell_of_every_column_of_a_latin_hypercube_holds_one_point(
        count in 1u32..60, dimensions in 1usize..8, seed: u64, block in 0u32..3,
    ) {
        let points: Vec<Vec<f64>> =
            (0..count).map(|i| design::latin(block * count + i, count, dimensions, seed)).collect();
        for dimension in 0..dimensions {
            let mut cells: Vec<u32> = points.iter().map(|p| (p[dimension] * f64::from(count)) as u32).collect();
            cells.sort_unstable();
            prop_assert_eq!(cells, (0..count).collect::<Vec<_>>());
        }
    }
}

#[test]
fn before_a_model_the_first_point_is_the_middle_and_the_next_ones_leave_the_rim_alone() {
    let number =
        |i: usize| json!({"name": format!("x{i}"), "type": "float", "low": 0.0, "high": 1.0, "default": 0.1});
    let parameters: Vec<Value> = (0..8).map(number).collect();
    let all = proposals(ask(&json!(parameters), &json!({"name": "gp"}), 30), 5);
    assert!(all[0].as_object().unwrap().values().all(|x| *x == json!(0.5)), "{}", all[0]);
    let spread = design::spread(5, 8) / 2.0;
    for point in &all[1..] {
        let from_middle = point.as_object().unwrap().values().map(|x| (x.as_f64().unwrap() - 0.5).abs());
        assert!(from_middle.fold(0.0, f64::max) <= spread, "{point}");
    }
    // what only counts by its ratios is not all 0
    let mut ask = ask(&json!(parameters), &json!({"name": "gp"}), 30);
    ask.scale_free = vec![vec!["x0".into(), "x1".into()]];
    let first = &proposals(ask, 1)[0];
    assert_eq!(first["x2"], json!(0.5));
    assert_ne!((&first["x0"], &first["x1"]), (&json!(0.5), &json!(0.5)));
}

#[test]
fn points_of_a_design_are_spread_the_wider_the_more_there_are_and_the_fewer_numbers() {
    assert_eq!(design::spread(1, 7), 0.0);
    assert!((design::spread(5, 8) - 0.5760).abs() < 1e-3, "{}", design::spread(5, 8));
    assert!(design::spread(5, 2) > design::spread(5, 8) && design::spread(9, 8) > design::spread(5, 8));
    assert!(design::spread(1_000_000, 3) > 0.99);
}
