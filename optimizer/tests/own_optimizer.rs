//! `examples/own-optimizer.py` as its own process beside a real broker: it answers as the optimizer here does.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use autoopt_epoch::bus::amqp::{self, AmqpSettings};
use autoopt_epoch::bus::topology::{COORDINATOR_QUEUE, DEAD_LETTERS, Subscription, TRIAL_KEY, ask_key};
use autoopt_epoch::bus::{Bus, Delivery, Incoming, Outgoing};
use autoopt_epoch::id::{AskId, MessageId, TrialId};
use autoopt_epoch::message::{Ask, Trial, decode};
use autoopt_optimizer::space::Codec;
use autoopt_tests::python::python;
use autoopt_tests::vhost::Vhost;
use uuid::Uuid;

/// For an answer, and for the program to be ready.
const DEADLINE: Duration = Duration::from_secs(60);

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(url: &str) -> Program {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/own-optimizer.py");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pika");
    let child = Command::new(python(&["pika"], &folder).unwrap())
        .arg(script)
        .args([url, "climber"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut program = Program(child);
    let mut line = String::new();
    BufReader::new(program.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n", "the program did not start");
    program
}

async fn send(bus: &Bus, ask: &Ask) {
    let message = Outgoing::new(ask_key("climber"), MessageId::fresh(), ask);
    bus.publish(message).await.unwrap().await.unwrap();
}

async fn next(incoming: &mut dyn Incoming) -> Delivery {
    tokio::time::timeout(DEADLINE, incoming.next()).await.expect("an answer within the deadline").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_in_python_answers_asks() {
    let vhost = Vhost::create().unwrap();
    let url = vhost.url();
    let bus = amqp::connect(AmqpSettings::new(url.clone(), "own optimizer")).await.unwrap();
    let mut trials = bus
        .subscribe(Subscription {
            queue: Some(COORDINATOR_QUEUE.into()),
            bindings: vec![TRIAL_KEY.into()],
            prefetch: 1,
        })
        .await
        .unwrap();
    let _program = start(&url);

    let mut ask: Ask = serde_json::from_str(include_str!("../../epoch/examples/ask.v1.json")).unwrap();
    ask.algorithm.name = "climber".into();
    ask.constraints.clear();
    let codec = Codec::new(&ask.parameters, &[]).unwrap();
    for number in 1..=20 {
        ask.number = number;
        ask.ask = AskId(Uuid::now_v7());
        send(&bus, &ask).await;
        let delivery = next(&mut *trials).await;
        let trial: Trial = decode(delivery.kind.as_deref(), &delivery.body).unwrap();
        assert!(delivery.verdict.ack().await);
        assert_eq!((trial.ask, trial.trial), (Some(ask.ask), Some(TrialId::derived(ask.ask.0, "trial"))));
        assert_eq!(trial.experiment, ask.experiment_id.to_string());
        assert!(codec.allows(&trial.parameters), "{:?}", trial.parameters);
        if number == 1 {
            send(&bus, &ask).await;
            let again = next(&mut *trials).await;
            assert_eq!(
                (&again.body, again.id),
                (&delivery.body, delivery.id),
                "the same ask, the same answer"
            );
            assert!(again.verdict.ack().await);
        }
    }

    // what it cannot answer goes to the dead letters, and it goes on
    ask.constraints = vec!["workers <= 20".into()];
    send(&bus, &ask).await;
    ask.constraints.clear();
    send(&bus, &ask).await;
    assert!(next(&mut *trials).await.verdict.ack().await);
    let dead = amqp::dead_letters::list(&url, 10).await.unwrap();
    assert_eq!(dead.len(), 1, "in {DEAD_LETTERS}");
    bus.close().await;
}
