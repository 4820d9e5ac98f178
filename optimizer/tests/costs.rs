//! What the costs of changes do to a search.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::json;
use support::{Talk, numbers, unit};

/// Thirty trials of a bowl whose `x0` takes `cost` to change, beside a minute for every trial: how often it was changed, and what is
/// left to the best of all.
fn search(seed: u64, cost: Option<&str>) -> (u32, f64) {
    let mut space = unit(4);
    if let Some(cost) = cost {
        space[0]["change_cost"] = cost.into();
    }
    let mut talk = Talk::new(&json!({"space": space, "goal": "minimize", "seed": seed, "budget": 30}));
    let (mut changes, mut best) = (0, f64::INFINITY);
    let mut before = f64::NAN;
    for _ in 0..30 {
        let p = talk.trial(|p| {
            let x = numbers(p);
            let value: f64 = x.iter().zip([0.3, 0.6, 0.45, 0.8]).map(|(x, o)| (x - o).powi(2)).sum();
            best = best.min(value);
            json!({"value": value, "seconds": 60})
        });
        let x0 = numbers(&p)[0];
        changes += u32::from((x0 - before).abs() > 1e-9);
        before = x0;
    }
    (changes, best)
}

#[test]
fn what_is_dear_to_change_is_changed_less_often_and_the_optimum_found_nevertheless() {
    let (mut dear, mut free) = ((0, 0.0), (0, 0.0));
    for seed in 0..4 {
        for (sum, cost) in [(&mut dear, Some("10m")), (&mut free, None)] {
            let (changes, best) = search(seed, cost);
            sum.0 += changes;
            sum.1 += best / 4.0;
        }
    }
    assert!(
        f64::from(dear.0) < 0.75 * f64::from(free.0),
        "changes: {} and {} where they are free",
        dear.0,
        free.0
    );
    assert!(dear.1 < 0.01, "left on average: {} and {} where changes are free", dear.1, free.1);
}

#[test]
fn without_costs_nothing_changes() {
    assert_eq!(search(9, None), search(9, Some("0s")));
}
