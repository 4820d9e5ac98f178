//! What results with the same placement do to a search.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;

use serde_json::json;
use support::{Talk, numbers, unit};

/// Three servers go one after another to one of four hosts, by the largest weighted sum of three features; a placement as a text, and
/// its value.
fn placed(w: &[f64]) -> (String, f64) {
    let mut hosts = [[0.9, 0.1, 0.3], [0.2, 0.8, 0.4], [0.5, 0.5, 0.9], [0.7, 0.6, 0.1]];
    let speed = [[3.0, 1.0, 2.0, 5.0], [1.0, 4.0, 2.5, 2.0], [2.0, 3.0, 1.0, 4.0]];
    let (mut text, mut value) = (String::new(), 1.0);
    for (server, times) in speed.iter().enumerate() {
        let sum = |h: &[f64; 3]| h.iter().zip(w).map(|(f, w)| f * (w - 0.5)).sum::<f64>();
        let host = (0..4).max_by(|a, b| sum(&hosts[*a]).total_cmp(&sum(&hosts[*b]))).unwrap();
        text.push_str(&host.to_string());
        value *= times[host];
        hosts[host].iter_mut().enumerate().for_each(|(j, f)| *f -= 0.25 + 0.1 * ((server + j) % 3) as f64);
    }
    (text, value)
}

/// How many placements 25 trials see, and the best value among them.
fn search(seed: u64, told: bool) -> (usize, f64) {
    let mut talk = Talk::new(&json!({"space": unit(3), "goal": "minimize", "seed": seed, "budget": 25}));
    let mut classes = BTreeSet::new();
    let mut best = f64::INFINITY;
    for _ in 0..25 {
        talk.trial(|p| {
            let (class, value) = placed(&numbers(p));
            classes.insert(class.clone());
            best = best.min(value);
            if told { json!({"value": value, "placement": class}) } else { json!({"value": value}) }
        });
    }
    (classes.len(), best)
}

#[test]
fn fewer_trials_are_bought_for_placements_that_are_known() {
    let (mut told, mut untold) = ((0, 0.0), (0, 0.0));
    for seed in 0..12 {
        for (sum, known) in [(&mut told, true), (&mut untold, false)] {
            let (classes, best) = search(seed, known);
            sum.0 += classes;
            sum.1 += best.ln();
        }
    }
    assert!(told.0 as f64 > 1.15 * untold.0 as f64, "placements seen: {} and {} untold", told.0, untold.0);
    assert!(told.1 <= untold.1 + 0.3, "ln of the best, summed: {} and {} untold", told.1, untold.1);
}

#[test]
fn the_luckiest_of_one_placement_is_not_recommended_before_a_better_placement() {
    let hello = json!({"space": unit(2), "goal": "minimize", "algorithm": {"name": "sobol"}});
    let mut talk = Talk::new(&hello);
    // one measurement of `a` was lucky; on average `b` is better; `c` shows that placements decide most of what is measured
    for (x, class, value) in [
        (0.1, "a", 5.0),
        (0.2, "a", 1.0),
        (0.3, "a", 5.2),
        (0.45, "c", 19.0),
        (0.5, "c", 20.0),
        (0.55, "c", 21.0),
        (0.7, "b", 2.0),
        (0.8, "b", 2.2),
        (0.9, "b", 1.9),
    ] {
        talk.send(&json!({"op": "tell", "params": {"x0": x, "x1": 0.5}, "value": value, "placement": class}));
    }
    let best = talk.send(&json!({"op": "best"}));
    assert!(best["params"]["x0"].as_f64().unwrap() > 0.5, "{best}");
}

#[test]
fn where_everything_is_placed_alike_nothing_changes() {
    let mut answers = Vec::new();
    for told in [false, true] {
        let hello = json!({"space": unit(2), "goal": "minimize", "seed": 3, "budget": 20});
        let mut talk = Talk::new(&hello);
        let mut best = f64::INFINITY;
        for _ in 0..20 {
            talk.trial(|p| {
                let x = numbers(p);
                let value = (x[0] - 0.3).powi(2) + (x[1] - 0.7).powi(2);
                best = best.min(value);
                if told { json!({"value": value, "placement": "a"}) } else { json!({"value": value}) }
            });
        }
        answers.push(best);
    }
    assert!(answers[1] < 1e-3, "with one placement for all, {answers:?} is left");
}
