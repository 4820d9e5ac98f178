//! What the optimizer makes of the results, and what follows from it.

use autoopt_coordinator::machine::Phase;
use autoopt_epoch::message::{Ask, Outlook, Recommended, Trial};
use autoopt_epoch::space::{Parameters, Value};
use serde_json::json;

use crate::support::{Lab, spec};

fn at(x: i64) -> Parameters {
    [("x".to_owned(), Value::Int(x))].into()
}

/// The answer to `ask`, with an outlook that recommends its own trial and expects a gain of `left`.
fn answer(ask: &Ask, x: i64, left: f64) -> Trial {
    let recommended = Recommended {
        trial: autoopt_epoch::id::TrialId::derived(ask.ask.0, "answer"),
        number: ask.number,
        parameters: at(x),
        objective: 2.0,
        low: 1.0,
        high: 3.0,
        probability_best: 0.5,
    };
    Trial {
        experiment: ask.experiment_id.to_string(),
        parameters: at(x.min(100)),
        trial: None,
        ask: Some(ask.ask),
        cluster: None,
        note: None,
        outlook: Some(Outlook { results: 1, recommended, gain_left: Some(left) }),
        compromise: None,
    }
}

#[test]
fn a_search_with_little_left_to_gain_ends_and_recommends() {
    let spec =
        spec("e", &["c"], json!({"algorithm": {"name": "gp"}, "budget": {"trials": 50, "stop_below": 0.01}}));
    let mut lab = Lab::with(&spec);
    // one that expects much is in between: it takes three in a row
    let answers = [0.3, 0.002, 0.001, 0.02, 0.009, 0.008, 0.007, 0.006];
    for (x, left) in (20..).zip(answers) {
        lab.work();
        let Some(ask) = lab.asks.pop() else { break };
        lab.send(answer(&ask, x, left));
    }
    let experiment = lab.experiment();
    assert_eq!(experiment.accepted, 6, "the seventh answer is the third in a row");
    assert_eq!(experiment.phase, Phase::Ended);
    let reason = experiment.reason.clone().unwrap();
    assert!(reason.starts_with("expected gain left: 0.70 %"), "{reason}");
    assert_eq!(experiment.recommended().unwrap().1["x"], Value::Int(26));
}

#[test]
fn a_recommendation_outside_the_space_is_refused() {
    let mut lab = Lab::with(&spec("e", &["c"], json!({"algorithm": {"name": "gp"}})));
    lab.work();
    let ask = lab.asks.pop().unwrap();
    let refused = lab.send(answer(&ask, 101, 0.1));
    assert!(refused.unwrap().contains("outlook"));
    assert_eq!(lab.experiment().outlook, None);
}
