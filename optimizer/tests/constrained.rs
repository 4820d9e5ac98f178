//! Searches with outcome constraints, of which the metrics are told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::json;
use support::{Talk, numbers, unit};

/// More throughput costs latency: the best that keeps `latency <= 50` is at the limit. How many of 25 trials broke it, and the best that kept it.
fn search(seed: u64, numbers_told: bool) -> (u32, f64) {
    let mut hello = json!({"space": unit(3), "goal": "maximize", "seed": seed, "budget": 25});
    if numbers_told {
        hello["outcome_constraints"] = json!(["latency <= 50"]);
    }
    let mut talk = Talk::new(&hello);
    let (mut broken, mut best) = (0, 0.0f64);
    for _ in 0..25 {
        talk.trial(|p| {
            let x = numbers(p);
            let throughput = 100.0 * x[0] + 40.0 * x[1] - 30.0 * (x[2] - 0.6).powi(2);
            let latency = 20.0 * (2.0 * x[0] * x[0] + 1.5 * x[1]).exp();
            let keeps = latency <= 50.0;
            broken += u32::from(!keeps);
            best = if keeps { best.max(throughput) } else { best };
            match (numbers_told, keeps) {
                (true, _) => json!({"value": throughput, "metrics": {"latency": latency}}),
                (false, true) => json!({"value": throughput}),
                (false, false) => json!({"value": null}),
            }
        });
    }
    (broken, best)
}

#[test]
fn a_limit_is_found_from_how_far_results_are_from_it() {
    // 100 x0 + 40 x1 with 2 x0² + 1.5 x1 = ln 2.5: x1 = 0, x0 = √(ln 2.5 / 2)
    let optimum = 100.0 * (2.5f64.ln() / 2.0).sqrt();
    let (mut told, mut labels) = ((0, 0.0), (0, 0.0));
    for seed in 0..4 {
        for (sum, numbers_told) in [(&mut told, true), (&mut labels, false)] {
            let (broken, best) = search(seed, numbers_told);
            sum.0 += broken;
            sum.1 += best / optimum / 4.0;
        }
    }
    assert!(told.1 > 0.97, "{} of the optimum, with labels alone {}", told.1, labels.1);
    assert!(told.1 > labels.1, "{} of the optimum, with labels alone {}", told.1, labels.1);
}
