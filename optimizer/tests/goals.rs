//! Searches with several goals.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use autoopt_epoch::message::Ask;
use autoopt_optimizer::design::sobol;
use autoopt_optimizer::pareto::{Best, volume};
use autoopt_optimizer::{recommend_front, suggest};
use serde_json::{Value, json};
use support::{Talk, numbers, unit};

/// Zitzler, Deb, Thiele (2000), test function 1, over four parameters: the front is `f2 = 1 − √f1`, at `x1 … x3 = 0`.
fn zdt1(x: &[f64]) -> Vec<f64> {
    let g = 1.0 + 9.0 * x[1..].iter().sum::<f64>() / (x.len() - 1) as f64;
    vec![x[0], g * (1.0 - (x[0] / g).sqrt())]
}

/// Two bowls; their front is the line between their centres.
fn bowls(x: &[f64]) -> Vec<f64> {
    let to = |c: [f64; 3]| x.iter().zip(c).map(|(x, c)| (x - c).powi(2)).sum();
    vec![to([0.2, 0.3, 0.7]), to([0.8, 0.6, 0.4])]
}

fn hello(dimensions: usize, goals: &Value, seed: u64, algorithm: &str) -> Value {
    json!({"space": unit(dimensions), "goals": goals, "seed": seed, "budget": 40, "algorithm": {"name": algorithm}})
}

/// The volume that `trials` trials dominate.
fn search(
    f: fn(&[f64]) -> Vec<f64>,
    dimensions: usize,
    reference: &[f64],
    seed: u64,
    algorithm: &str,
) -> f64 {
    let mut talk = Talk::new(&hello(dimensions, &json!(["minimize", "minimize"]), seed, algorithm));
    let mut seen = Vec::new();
    for _ in 0..40 {
        talk.trial(|p| {
            let values = f(&numbers(p));
            seen.push(values.clone());
            json!({"values": values})
        });
    }
    volume(&seen, reference)
}

#[test]
fn much_more_is_dominated_than_by_random_search() {
    // the largest volume there is: ∫ (1.1 − f2) over the front, and what lies right of it
    let zdt1_most = 1.1 * 1.1 - (1.0 - 2.0 / 3.0);
    let zdt1_reference = [1.1, 1.1];
    let (mut ours, mut random) = (0.0, 0.0);
    for seed in 0..2 {
        ours += search(zdt1, 4, &zdt1_reference, seed, "gp") / 2.0 / zdt1_most;
        random += search(zdt1, 4, &zdt1_reference, seed, "random") / 2.0 / zdt1_most;
    }
    assert!(ours > 0.6 && random < 0.2, "ZDT1: {ours} of what there is, {random} by random search");
    let distance: f64 = [0.6f64, 0.3, 0.3].iter().map(|d| d * d).sum();
    // f1 = t² d, f2 = (1 − t)² d, d the squared distance of the centres; the reference is (d, d): 1 − ∫ (1 − √u)² du
    let most = distance * distance * (1.0 - 1.0 / 6.0);
    let (mut ours, mut random) = (0.0, 0.0);
    for seed in 0..2 {
        ours += search(bowls, 3, &[distance, distance], seed, "gp") / 2.0 / most;
        random += search(bowls, 3, &[distance, distance], seed, "random") / 2.0 / most;
    }
    assert!(ours > 0.9 && random < 0.85, "two bowls: {ours} of what there is, {random} by random search");
}

#[test]
fn maximising_three_goals_works_with_failures_and_the_front_is_told() {
    let mut talk = Talk::new(&hello(3, &json!(["maximize", "maximize", "minimize"]), 2, "gp"));
    for i in 0..18 {
        talk.trial(|p| {
            let x = numbers(p);
            match i {
                3 | 11 => json!({"values": null}),
                _ => json!({"values": [x[0], 1.0 - x[0] * x[0], (x[1] - 0.5).abs() + x[2]]}),
            }
        });
    }
    let best = talk.send(&json!({"op": "best"}));
    let front = best["front"].as_array().unwrap();
    assert!(front.len() > 1, "{best}");
    assert_eq!(front[0]["params"], best["params"]);
    let values: Vec<Vec<f64>> =
        front.iter().map(|b| serde_json::from_value(b["values"].clone()).unwrap()).collect();
    for a in &values {
        let dominated = values.iter().any(|b| b != a && b[0] >= a[0] && b[1] >= a[1] && b[2] <= a[2]);
        assert!(!dominated, "{a:?} in {values:?}");
    }
}

#[test]
fn the_same_results_in_another_order_have_the_same_answer() {
    let points = [[0.1, 0.2], [0.9, 0.4], [0.5, 0.5], [0.3, 0.8], [0.7, 0.1], [0.6, 0.9]];
    let mut answers = Vec::new();
    for reversed in [false, true] {
        let mut talk = Talk::new(&hello(2, &json!(["minimize", "maximize"]), 4, "gp"));
        let mut order: Vec<[f64; 2]> = points.to_vec();
        if reversed {
            order.reverse();
        }
        for [a, b] in order {
            talk.send(&json!({"op": "tell", "params": {"x0": a, "x1": b}, "values": [a + b, a * b]}));
        }
        answers.push(talk.send(&json!({"op": "ask"}))["trials"][0]["params"].clone());
    }
    assert_eq!(answers[0], answers[1]);
}

/// An ask of two goals with so many results in turn on two clusters, of which the second measures so many times as much of each goal.
fn on_two_clusters(results: usize, factors: [f64; 2]) -> Ask {
    let id = "0192a3b4-c5d6-7e8f-9012-000000000001";
    let told = |i: usize, kind: &str, x: &[f64]| {
        let on_second = i % 2 == 1;
        let [first, second] = if on_second { factors } else { [1.0; 2] };
        let values = bowls(x);
        json!({
            "trial": id, "number": i, "kind": kind, "cluster": if on_second { "b" } else { "a" }, "repeats": 1,
            "outcome": "measured", "parameters": {"x0": x[0], "x1": x[1], "x2": x[2]},
            "objective": first * (1.0 + values[0]), "others": [second * (1.0 + values[1])],
        })
    };
    let mut all = vec![told(0, "baseline", &[0.9; 3]), told(1, "baseline", &[0.9; 3])];
    all.extend((0..results).map(|i| told(i, "proposed", &sobol(i as u32, 3, 5))));
    let mut space = unit(3);
    space.as_array_mut().unwrap().iter_mut().for_each(|parameter| parameter["default"] = json!(0.9));
    serde_json::from_value(json!({
        "ask": id, "experiment": "e", "experiment_id": id, "number": results + 1, "seed": 3,
        "algorithm": {"name": "gp"}, "goal": "minimize", "other_goals": ["minimize"], "parameters": space,
        "budget": 100, "parallel": 2, "results": all, "pending": [],
    }))
    .unwrap()
}

#[test]
fn clusters_of_different_speed_in_one_goal_have_the_front_of_equal_ones() {
    let equal = recommend_front(&on_two_clusters(24, [1.0; 2])).unwrap();
    let parameters = |front: &[Best]| -> Vec<_> { front.iter().map(|b| b.parameters.clone()).collect() };
    assert!(equal.len() > 2, "{equal:?}");
    for factors in [[1.0, 2.0], [0.5, 1.0], [10.0, 0.1]] {
        let front = recommend_front(&on_two_clusters(24, factors)).unwrap();
        assert_eq!(parameters(&front), parameters(&equal), "{factors:?}");
    }
    // an answer tells what would be recommended by now: the most probable model of each goal, where `equal` averages over several
    let told = suggest(&on_two_clusters(24, [1.0, 2.0])).unwrap().compromise.unwrap();
    let place = equal.iter().position(|b| b.parameters == told.parameters);
    assert!(place.is_some_and(|i| i < 2), "{told:?} {equal:?}");
    // what is proposed is as near to the line between the bowls' centres, which is the front
    let proposed = |factors| {
        let parameters = suggest(&on_two_clusters(24, factors)).unwrap().parameters;
        let x = ["x0", "x1", "x2"].map(|name| parameters[name].as_f64().unwrap());
        let beaten = equal.iter().filter(|b| bowls(&x).iter().zip(&b.values).all(|(v, w)| 1.0 + v > *w));
        beaten.count()
    };
    assert_eq!((proposed([1.0; 2]), proposed([1.0, 2.0])), (0, 0));
}
