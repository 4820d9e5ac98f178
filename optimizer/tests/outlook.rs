//! What the optimizer says of the results beside its proposal.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use autoopt_epoch::message::{Ask, Goal, Outlook};
use autoopt_optimizer::{design, suggest};
use serde_json::{Value, json};

const ID: &str = "0192a3b4-c5d6-7e8f-9012-000000000001";

/// An ask over `x` and `y` from 0 to 1 that knows `f` at `points`.
fn ask(points: &[[f64; 2]], f: impl Fn(usize, [f64; 2]) -> f64) -> Ask {
    let results: Vec<Value> = points
        .iter()
        .enumerate()
        .map(|(i, p)| {
            json!({
                "trial": ID, "number": i + 1, "kind": "proposed", "cluster": "c", "parameters": {"x": p[0], "y": p[1]},
                "repeats": 1, "outcome": "measured", "objective": f(i, *p),
            })
        })
        .collect();
    let axis = |name: &str| json!({"name": name, "type": "float", "low": 0.0, "high": 1.0, "default": 0.5});
    serde_json::from_value(json!({
        "ask": ID, "experiment": "e", "experiment_id": ID, "number": results.len() + 1, "algorithm": {"name": "gp"},
        "seed": 3, "goal": "minimize", "parameters": [axis("x"), axis("y")], "budget": 100, "parallel": 1, "results": results,
    }))
    .unwrap()
}

fn spread(n: u32, seed: u64) -> Vec<[f64; 2]> {
    (0..n).map(|i| design::sobol(i, 2, seed)).map(|p| [p[0], p[1]]).collect()
}

fn outlook(ask: &Ask) -> Outlook {
    suggest(ask).unwrap().outlook.unwrap()
}

fn bowl([x, y]: [f64; 2]) -> f64 {
    2.0 + (x - 0.4).powi(2) + (y - 0.7).powi(2)
}

/// Noise of unit variance, by index.
fn noise(i: usize, seed: u64) -> f64 {
    design::normal(&mut design::generator(design::seed(&[i as u64, seed])))
}

#[test]
fn less_is_left_to_gain_the_more_is_known() {
    let left = |n| outlook(&ask(&spread(n, 1), |_, p| bowl(p))).gain_left.unwrap();
    let (few, many) = (left(8), left(60));
    assert!(many < 0.5 * few && many < 0.003, "{few} {many}");
    // the best of the sixty is at least as far from the best there is
    let best = spread(60, 1).into_iter().map(bowl).fold(f64::MAX, f64::min);
    assert!(many > 0.1 * (best - 2.0) / best, "{many} {best}");
}

#[test]
fn the_middle_of_a_plateau_is_recommended() {
    // a staircase in x whose lowest step is from 0.4 to 0.6
    let steps = |[x, _]: [f64; 2]| 1.0 + ((x - 0.5).abs() / 0.1).floor();
    let points: Vec<[f64; 2]> =
        (0..44).map(|i| [(f64::from(i % 22) + 0.5) / 22.0, f64::from(i / 22)]).collect();
    let o = outlook(&ask(&points, |_, p| steps(p)));
    let x = o.recommended.parameters["x"].as_f64().unwrap();
    assert!((x - 0.5).abs() < 0.05, "{o:?}");
}

#[test]
fn maximising_is_the_same_with_the_other_sign() {
    let points = spread(25, 4);
    let least = ask(&points, |i, p| bowl(p) + 0.01 * noise(i, 1));
    let mut most = least.clone();
    most.goal = Goal::Maximize;
    most.results.iter_mut().for_each(|r| r.objective = r.objective.map(|y| -y));
    let (a, b) = (outlook(&least), outlook(&most));
    assert_eq!(a.recommended.parameters, b.recommended.parameters);
    assert_eq!((a.recommended.low, a.recommended.high), (-b.recommended.high, -b.recommended.low));
    assert_eq!(a.gain_left, b.gain_left);
    assert!(b.recommended.low < b.recommended.objective && b.recommended.objective < b.recommended.high);
}

/// Whether the next trial is the recommended one again.
fn again(ask: &Ask) -> bool {
    let suggestion = suggest(ask).unwrap();
    let repeats = suggestion.note.starts_with("the recommended point again");
    assert_eq!(repeats, suggestion.parameters == suggestion.outlook.unwrap().recommended.parameters);
    repeats
}

#[test]
fn what_may_be_noise_or_not_is_measured_again_seldom_and_until_that_is_known() {
    // far from each other, so that nothing tells noise from what is real
    let lattice: Vec<[f64; 2]> =
        (0..64).map(|i| [(f64::from(i % 8) + 0.5) / 8.0, (f64::from(i / 8) + 0.5) / 8.0]).collect();
    let noisy =
        |n: usize| ask(&lattice[..n], |i, [x, y]| (9.0 * x).sin() + (7.0 * y).cos() + 0.3 * noise(i, 3));
    assert!(!again(&noisy(59)), "a second measurement is one trial in sixty");
    let mut ask = noisy(60);
    assert!(again(&ask));
    let best = suggest(&ask).unwrap().outlook.unwrap().recommended;
    let seen = ask.results.iter().find(|r| r.parameters == best.parameters).unwrap().clone();
    ask.results.push(seen.clone());
    assert!(!again(&ask), "the same value again: there is no noise");
    ask.results.last_mut().unwrap().objective = seen.objective.map(|y| y + 0.1);
    assert!(!again(&ask), "the next one comes with 120 results");
}

#[test]
fn a_placement_is_bought_again_only_at_the_end_and_if_it_was_seen_once() {
    let mut ask = ask(&spread(60, 6), |i, p| bowl(p) + 0.1 * noise(i, 2));
    for (i, result) in ask.results.iter_mut().enumerate() {
        result.placement = Some(format!("{i}"));
    }
    assert!(!again(&ask), "40 of 100 trials are left");
    ask.budget = 66;
    assert!(again(&ask));
    let best = suggest(&ask).unwrap().outlook.unwrap().recommended;
    let seen = ask.results.iter().find(|r| r.parameters == best.parameters).unwrap().clone();
    let elsewhere = ask.results.iter_mut().find(|r| r.parameters != best.parameters).unwrap();
    elsewhere.cluster = "d".into();
    assert!(!again(&ask), "it might be on the other cluster");
    let elsewhere = ask.results.iter_mut().find(|r| r.cluster == "d").unwrap();
    elsewhere.cluster = "c".into();
    elsewhere.placement.clone_from(&seen.placement);
    assert!(!again(&ask), "another point has it too");
}

#[test]
fn of_points_that_lie_close_noise_does_not_recommend_the_luckiest() {
    // the eight best are within a hundredth of each other, and eight others further off
    let points: Vec<[f64; 2]> = spread(16, 3)
        .into_iter()
        .enumerate()
        .map(|(i, [x, y])| if i % 2 == 0 { [0.4 + 0.01 * x, 0.7 + 0.01 * y] } else { [x, y] })
        .collect();
    let mut lucky = 0;
    for seed in 0..20 {
        let ask = ask(&points, |i, p| bowl(p) + 0.03 * noise(i, seed));
        let o = outlook(&ask);
        let least = ask.results.iter().min_by(|a, b| a.objective.unwrap().total_cmp(&b.objective.unwrap()));
        lucky += u32::from(least.unwrap().parameters == o.recommended.parameters);
    }
    assert!(lucky <= 8, "{lucky} of 20");
}

#[test]
fn of_values_that_span_powers_of_ten_none_far_from_the_best_is_recommended() {
    // slow-downs that multiply, on a staircase; most results are near the best, as a search leaves them
    let points: Vec<[f64; 2]> = spread(90, 5)
        .into_iter()
        .enumerate()
        .map(|(i, [x, y])| match i % 3 {
            0 => [x, y],
            _ => [0.35 + 0.1 * x, 0.65 + 0.1 * y],
        })
        .collect();
    let slow = |[x, y]: [f64; 2]| {
        let steps = (9.0 * (x - 0.4).abs()).floor()
            + (9.0 * (y - 0.7).abs()).floor()
            + (12.0 * (x + y)).floor() % 3.0;
        5.0 * 10f64.powf(0.4 * steps)
    };
    for n in [60, 75, 90] {
        let recommended = outlook(&ask(&points[..n], |_, p| slow(p))).recommended.number;
        let value = slow(points[recommended as usize - 1]);
        let best = points[..n].iter().map(|p| slow(*p)).fold(f64::MAX, f64::min);
        assert!(value <= 3.0 * best, "of {n}: {value} {best}");
    }
}
