//! How fast the machine is: `cargo test --release -p autoopt-coordinator --test machine_rules inputs -- --ignored --nocapture`.

use std::collections::VecDeque;
use std::time::Instant;

use autoopt_coordinator::machine::{Effect, Input, World};
use autoopt_epoch::id::MessageId;
use autoopt_epoch::message;
use autoopt_epoch::space::Value;
use serde_json::json;
use uuid::Uuid;

use crate::support::{START, done, experiment_id, report, spec};

#[test]
#[ignore = "a measurement, not a check"]
fn inputs_for_each_second_with_256_clusters_and_5000_trials() {
    let names: Vec<String> = (0..256).map(|n| format!("c{n}")).collect();
    let clusters: Vec<&str> = names.iter().map(String::as_str).collect();
    let spec = spec("e", &clusters, json!({"budget": {"trials": 5000}}));
    let mut world = World::default();
    let mut inputs = VecDeque::from([Input::Submit { id: experiment_id(1), spec }]);
    for n in 0..5000_u32 {
        let trial = message::Trial {
            experiment: "e".into(),
            parameters: [("x".to_owned(), Value::Int(i64::from(n % 100)))].into(),
            trial: None,
            ask: None,
            cluster: None,
            note: None,
        };
        inputs.push_back(Input::Trial { message: MessageId(Uuid::from_u128(n.into())), trial });
    }
    let (mut count, mut effects) = (0_u32, 0);
    let begin = Instant::now();
    while let Some(input) = inputs.pop_front() {
        count += 1;
        let followed = world.step(START, input);
        world.next_deadline();
        effects += followed.len();
        for effect in followed {
            if let Effect::Hand(order) = effect {
                let state = done(&order, START);
                inputs.push_back(Input::Report(report(&order, START, "w/1", state)));
            }
        }
    }
    let took = begin.elapsed();
    assert!(world.experiments.is_empty());
    let rate = f64::from(count) / took.as_secs_f64();
    println!("{count} inputs, {effects} effects in {took:.2?}: {rate:.0} inputs/s");
}
