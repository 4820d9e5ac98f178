//! Clusters that differ: what counts is the gain over each one's own baseline.

use autoopt_epoch::message::{self, ReportState};
use autoopt_epoch::space::Value;
use serde_json::json;

use crate::support::{Lab, done, experiment_id, spec};

/// Works as `Lab::work` does; cluster `slow` measures a tenth.
fn work(lab: &mut Lab) {
    while !lab.orders.is_empty() {
        let order = lab.orders.remove(0);
        let mut state = done(&order, lab.now);
        if let ReportState::Done(done) = &mut state
            && let Some(measurement) = &mut done.measurement
            && order.cluster == "slow"
        {
            measurement.objective /= 10.0;
        }
        lab.report(&order, state);
    }
}

fn on(cluster: &str, x: i64) -> message::Trial {
    message::Trial {
        experiment: experiment_id(1).to_string(),
        parameters: [("x".to_owned(), Value::Int(x))].into(),
        trial: None,
        ask: None,
        cluster: Some(cluster.into()),
        note: None,
        outlook: None,
    }
}

#[test]
fn the_best_is_that_with_the_greatest_gain_over_its_own_baseline() {
    for first in ["fast", "slow"] {
        let more = json!({"algorithm": {"name": "gp"}, "budget": {"trials": 4}});
        let mut lab = Lab::with(&spec("e", &["fast", "slow"], more));
        work(&mut lab);
        let (second, values) = if first == "fast" { ("slow", [10, 20]) } else { ("fast", [20, 10]) };
        lab.send(on(first, values[0]));
        work(&mut lab);
        lab.send(on(second, values[1]));
        work(&mut lab);
        let best = lab.experiment().best.clone().unwrap();
        // 2 on the slow cluster is more than 10 on the fast one: 20 and 10 times what was found
        assert_eq!((best.cluster.as_str(), best.objective), ("slow", 2.0), "{first} measures first");
        let best = lab.log.iter().filter(|e| e.message.contains("the best so far")).count();
        assert_eq!(best, if first == "fast" { 2 } else { 1 });
    }
}
