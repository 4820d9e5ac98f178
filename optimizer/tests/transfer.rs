//! Results of several clusters, and of earlier experiments: what helps is used, what misleads is found out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use autoopt_epoch::message::Ask;
use autoopt_epoch::space::Parameters;
use autoopt_optimizer::{recommend, suggest};
use serde_json::{Value, json};

const ID: &str = "0192a3b4-c5d6-7e8f-9012-000000000001";
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn space() -> Value {
    NAMES
        .iter()
        .map(|n| json!({"name": n, "type": "float", "low": 0.0, "high": 1.0, "default": 0.5}))
        .collect()
}

fn ask(seed: u64, warm_start: &Value, results: &[Value]) -> Ask {
    serde_json::from_value(json!({
        "ask": ID, "experiment": "e", "experiment_id": ID, "number": results.len() + 1, "seed": seed,
        "algorithm": {"name": "gp", "warm_start": warm_start}, "goal": "minimize", "parameters": space(),
        "budget": 100, "parallel": 1, "results": results, "pending": [],
    }))
    .unwrap()
}

fn result(cluster: &str, parameters: &Value, kind: &str, objective: f64) -> Value {
    json!({
        "trial": ID, "number": 1, "kind": kind, "cluster": cluster, "parameters": parameters, "repeats": 1,
        "outcome": "measured", "objective": objective,
    })
}

fn baseline() -> Value {
    NAMES.iter().map(|n| ((*n).to_owned(), json!(0.5))).collect::<serde_json::Map<_, _>>().into()
}

/// Hard to find: a narrow valley that bends, off the centre. 1 at the best point.
fn cost(x: [f64; 4], shift: f64) -> f64 {
    let best = [0.2, 0.83, 0.3, 0.7].map(|b: f64| b + shift);
    let away: [f64; 4] = std::array::from_fn(|i| x[i] - best[i]);
    let bend = away[0] + 2.0 * away[1] * away[1] - away[2];
    1.0 + 4.0 * away.iter().map(|d| d * d).sum::<f64>() + 20.0 * bend * bend + (9.0 * away[3]).sin().powi(2)
}

fn at(parameters: &Parameters) -> [f64; 4] {
    NAMES.map(|n| parameters[n].as_f64().unwrap())
}

/// An experiment of 40 trials of `f` and its baseline, as it is told to a later one.
fn earlier(f: impl Fn([f64; 4]) -> f64) -> Value {
    let mut results = vec![result("old", &baseline(), "baseline", f([0.5; 4]))];
    for _ in 0..40 {
        let answer = suggest(&ask(77, &json!([]), &results)).unwrap().parameters;
        let value = f(at(&answer));
        results.push(result("old", &json!(answer), "proposed", value));
    }
    json!([{"name": "old", "goal": "minimize", "results": results}])
}

/// What is left of the way from the baseline to the best after 6 and after 18 trials with `warm_start`, on average over seeds.
fn regret(warm_start: &Value) -> [f64; 2] {
    let seeds = 3;
    let mut left = [0.0; 2];
    for seed in 0..seeds {
        let mut results = vec![result("new", &baseline(), "baseline", cost([0.5; 4], 0.0))];
        for (left, n) in left.iter_mut().zip([6, 18]) {
            while results.len() <= n {
                let answer = suggest(&ask(seed, warm_start, &results)).unwrap().parameters;
                results.push(result("new", &json!(answer), "proposed", cost(at(&answer), 0.0)));
            }
            let best = recommend(&ask(seed, warm_start, &results)).unwrap();
            *left += (cost(at(&best), 0.0) - 1.0) / (cost([0.5; 4], 0.0) - 1.0) / seeds as f64;
        }
    }
    left
}

#[test]
fn a_similar_experiment_helps_and_a_contradictory_one_costs_little() {
    let cold = regret(&json!([]));
    // half as fast a machine, and an optimum a little elsewhere
    let similar = earlier(|x| 2.0 * cost(x, 0.03));
    let similar = regret(&similar);
    let contrary = earlier(|x| 20.0 - cost(x, 0.0));
    let contrary = regret(&contrary);
    assert!(similar[0] < 0.3 * cold[0], "{similar:?} {cold:?}");
    assert!(similar[1] <= cold[1] + 0.01, "{similar:?} {cold:?}");
    assert!(contrary[1] < cold[1] + 0.05, "{contrary:?} {cold:?}");
}

#[test]
fn clusters_of_different_speed_are_compared_by_their_baselines() {
    // what is left after 24 trials in turn on all of them, on average over seeds
    let left = |tell: &dyn Fn(usize) -> &'static str, factors: [f64; 3]| {
        let seeds = 8;
        let each = (0..seeds).map(|seed| {
            let mut results: Vec<Value> = (0..3)
                .map(|i| result(tell(i), &baseline(), "baseline", factors[i] * cost([0.5; 4], 0.0)))
                .collect();
            for i in 0..24 {
                let answer = suggest(&ask(seed, &json!([]), &results)).unwrap().parameters;
                let value = factors[i % 3] * cost(at(&answer), 0.0);
                results.push(result(tell(i % 3), &json!(answer), "proposed", value));
            }
            let best = recommend(&ask(seed, &json!([]), &results)).unwrap();
            (cost(at(&best), 0.0) - 1.0) / (cost([0.5; 4], 0.0) - 1.0)
        });
        each.sum::<f64>() / seeds as f64
    };
    let equal = left(&|_| "a", [1.0; 3]);
    let told_apart = left(&|i| ["a", "b", "c"][i], [1.0, 3.0, 10.0]);
    let as_one = left(&|_| "a", [1.0, 3.0, 10.0]);
    assert!(told_apart < equal + 0.1 && told_apart < 0.5 * as_one, "{equal} {told_apart} {as_one}");
}

#[test]
fn another_space_is_known_by_the_names_it_shares() {
    // a parameter that is new here, one that is gone, and one with a value that has no place here
    let old = |a: f64, extra: f64| {
        result(
            "old",
            &json!({"a": a, "b": 0.8, "d": 0.7, "gone": extra}),
            "proposed",
            cost([a, 0.8, 0.5, 0.7], 0.0),
        )
    };
    let mut results: Vec<Value> = (0..20).map(|i| old(f64::from(i) / 19.0, f64::from(i))).collect();
    results.push(result(
        "old",
        &json!({"a": 0.5, "b": 0.5, "d": 0.5, "gone": 1.0}),
        "baseline",
        cost([0.5; 4], 0.0),
    ));
    results.push(result("old", &json!({"a": "text"}), "proposed", -1e9));
    let warm =
        json!([{"name": "old", "goal": "minimize", "results": results}, "a-file-that-nobody-read.json"]);
    let own = [result("new", &baseline(), "baseline", cost([0.5; 4], 0.0))];
    let answer = suggest(&ask(1, &warm, &own)).unwrap();
    assert_eq!(answer.origin, autoopt_optimizer::Origin::Model, "the old results are a design");
    let best = recommend(&ask(1, &warm, &own)).unwrap();
    assert_eq!(at(&best), [0.5; 4], "only what was measured here is recommended");
}

#[test]
fn the_order_of_results_and_of_clusters_is_of_no_matter() {
    let mut results: Vec<Value> = Vec::new();
    for (cluster, factor) in [("a", 1.0), ("b", 2.5)] {
        results.push(result(cluster, &baseline(), "baseline", factor));
        for i in 0..6u32 {
            let x = autoopt_optimizer::design::sobol(i, 4, 5);
            let p = json!({"a": x[0], "b": x[1], "c": x[2], "d": x[3]});
            results.push(result(cluster, &p, "proposed", factor * cost([x[0], x[1], x[2], x[3]], 0.0)));
        }
    }
    let warm = json!([{"name": "old", "goal": "minimize", "results": results}]);
    let answer = suggest(&ask(1, &warm, &results)).unwrap();
    let mut turned = results.clone();
    turned.reverse();
    let warm = json!([{"name": "old", "goal": "minimize", "results": turned}]);
    assert_eq!(answer, suggest(&ask(1, &warm, &turned)).unwrap());
}
