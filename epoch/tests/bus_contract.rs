//! What every bus has to do, on RabbitMQ and in one process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use autoopt_epoch::bus::amqp::{self, AmqpSettings, dead_letters};
use autoopt_epoch::bus::memory::MemoryBus;
use autoopt_epoch::bus::topology::Subscription;
use autoopt_epoch::bus::{Bus, BusError, Delivery, Incoming, Outgoing};
use autoopt_epoch::id::MessageId;
use support::{Vhost, rabbitmqctl};

async fn rabbit() -> (Bus, Vhost) {
    let vhost = Vhost::new();
    (amqp::connect(AmqpSettings::new(vhost.url(), "bus contract")).await.expect("the broker runs"), vhost)
}

fn queue(name: &str, binding: &str, prefetch: u16) -> Subscription {
    Subscription { queue: Some(name.into()), bindings: vec![binding.into()], prefetch }
}

fn message(key: &str, body: impl Into<Vec<u8>>) -> Outgoing {
    Outgoing {
        routing_key: key.into(),
        id: MessageId::fresh(),
        kind: "autoopt.test.v1".into(),
        body: body.into(),
        mandatory: true,
        headers: [("colour".to_owned(), "green".to_owned())].into(),
    }
}

async fn send(bus: &Bus, message: Outgoing) {
    bus.publish(message).await.expect("taken").await.expect("confirmed");
}

async fn next(incoming: &mut Box<dyn Incoming>) -> Delivery {
    tokio::time::timeout(Duration::from_secs(20), incoming.next()).await.expect("in time").expect("open")
}

/// Nothing comes within a time in which it would have come.
async fn silent(incoming: &mut Box<dyn Incoming>) -> bool {
    tokio::time::timeout(Duration::from_millis(400), incoming.next()).await.is_err()
}

async fn messages_arrive_whole_where_their_key_points(bus: &Bus) {
    let mut one = bus.subscribe(queue("one", "epoch.*.apply", 10)).await.unwrap();
    let own = Subscription { queue: None, bindings: vec!["epoch.#".into()], prefetch: 10 };
    let mut all = bus.subscribe(own).await.unwrap();
    let sent = message("epoch.c1.apply", "body");
    send(bus, sent.clone()).await;
    send(bus, message("epoch.c1.bench", "other")).await;
    let got = next(&mut one).await;
    assert_eq!((got.id, got.kind.as_deref()), (Some(sent.id), Some("autoopt.test.v1")));
    assert_eq!((got.body.as_slice(), got.routing_key.as_str()), (b"body".as_slice(), "epoch.c1.apply"));
    assert_eq!(got.headers.get("colour").map(String::as_str), Some("green"));
    assert!(!got.redelivered);
    assert!(got.verdict.ack().await);
    assert!(!got.verdict.ack().await, "a verdict counts once");
    assert_eq!(next(&mut all).await.body, b"body");
    assert_eq!(next(&mut all).await.body, b"other");
    assert!(silent(&mut one).await);
}

async fn a_message_nobody_takes_is_an_error_only_if_mandatory(bus: &Bus) {
    let outcome = bus.publish(message("nobody", "x")).await.unwrap().await;
    assert!(matches!(outcome, Err(BusError::Unroutable { routing_key }) if routing_key == "nobody"));
    send(bus, message("nobody", "x").optional()).await;
}

async fn what_a_consumer_left_open_comes_to_the_next_one(bus: &Bus) {
    let mut first = bus.subscribe(queue("late", "late", 10)).await.unwrap();
    for body in ["a", "b", "c"] {
        send(bus, message("late", body)).await;
    }
    assert!(next(&mut first).await.verdict.ack().await);
    let open = next(&mut first).await;
    drop(first);
    let mut second = bus.subscribe(queue("late", "late", 10)).await.unwrap();
    let mut again = [next(&mut second).await, next(&mut second).await];
    again.sort_by(|a, b| a.body.cmp(&b.body));
    assert_eq!((again[0].body.as_slice(), again[0].redelivered), (b"b".as_slice(), true));
    assert_eq!(again[1].body, b"c");
    assert!(!open.verdict.ack().await, "it belongs to another now");
}

async fn a_requeued_message_comes_again(bus: &Bus) {
    let mut incoming = bus.subscribe(queue("again", "again", 1)).await.unwrap();
    send(bus, message("again", "x")).await;
    assert!(next(&mut incoming).await.verdict.requeue().await);
    let again = next(&mut incoming).await;
    assert!(again.redelivered && again.verdict.ack().await);
    assert!(silent(&mut incoming).await);
}

async fn the_prefetch_holds_and_verdicts_in_any_order_make_room(bus: &Bus) {
    let mut incoming = bus.subscribe(queue("few", "few", 3)).await.unwrap();
    for n in 0..6u8 {
        send(bus, message("few", [n])).await;
    }
    let held = [next(&mut incoming).await, next(&mut incoming).await, next(&mut incoming).await];
    assert!(silent(&mut incoming).await);
    assert!(held[1].verdict.ack().await);
    let fourth = next(&mut incoming).await;
    assert_eq!(fourth.body, [3]);
    assert!(silent(&mut incoming).await);
    for delivery in [&held[0], &held[2], &fourth] {
        assert!(delivery.verdict.ack().await);
    }
    assert_eq!(next(&mut incoming).await.body, [4]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(incoming.ready().expect("there already").body, [5]);
    assert!(incoming.ready().is_none());
}

async fn consumers_of_one_queue_share_the_work(bus: &Bus) {
    let mut left = bus.subscribe(queue("shared", "shared", 1)).await.unwrap();
    let mut right = bus.subscribe(queue("shared", "shared", 1)).await.unwrap();
    send(bus, message("shared", "1")).await;
    send(bus, message("shared", "2")).await;
    let mut bodies = [next(&mut left).await.body, next(&mut right).await.body];
    bodies.sort();
    assert_eq!(bodies, [b"1", b"2"]);
}

async fn a_large_body_without_id_and_type_arrives(bus: &Bus) {
    let mut incoming = bus.subscribe(queue("large", "large", 1)).await.unwrap();
    let body: Vec<u8> = (0..1_048_576u32).map(|n| (n % 251) as u8).collect();
    let bare =
        Outgoing { id: MessageId(Default::default()), kind: String::new(), ..message("large", body.clone()) };
    send(bus, bare).await;
    let got = next(&mut incoming).await;
    assert!(got.body == body);
    assert_eq!((got.id, got.kind), (None, None));
}

async fn a_closed_bus_ends_its_consumers(bus: &Bus) {
    let mut incoming = bus.subscribe(queue("end", "end", 1)).await.unwrap();
    let waiting = tokio::spawn(async move { incoming.next().await.is_none() });
    tokio::time::sleep(Duration::from_millis(50)).await;
    bus.close().await;
    assert!(tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap());
    assert!(matches!(bus.publish(message("end", "x")).await, Err(BusError::Closed)));
    assert!(!bus.is_connected());
}

/// Runs each of the above on both buses.
macro_rules! contract {
    ($($name:ident)*) => {
        mod on_rabbitmq {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let (bus, _vhost) = super::rabbit().await;
                super::$name(&bus).await;
                bus.close().await;
            })*
        }
        mod in_memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&super::MemoryBus::new().bus()).await;
            })*
        }
    };
}

contract! {
    messages_arrive_whole_where_their_key_points
    a_message_nobody_takes_is_an_error_only_if_mandatory
    what_a_consumer_left_open_comes_to_the_next_one
    a_requeued_message_comes_again
    the_prefetch_holds_and_verdicts_in_any_order_make_room
    consumers_of_one_queue_share_the_work
    a_large_body_without_id_and_type_arrives
    a_closed_bus_ends_its_consumers
}

#[tokio::test]
async fn memory_keeps_dead_letters_with_their_reason() {
    let memory = MemoryBus::new();
    let bus = memory.bus();
    let mut incoming = bus.subscribe(queue("q", "trial", 1)).await.unwrap();
    send(&bus, message("trial", "{")).await;
    next(&mut incoming).await.verdict.dead_letter("not JSON").await.unwrap();
    let dead = memory.dead_letters();
    assert_eq!((dead.len(), dead[0].reason.as_str(), dead[0].routing_key.as_str()), (1, "not JSON", "trial"));
    assert!(silent(&mut incoming).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_listed_with_its_reason_and_can_be_requeued() {
    let (bus, vhost) = rabbit().await;
    let url = vhost.url();
    let mut incoming = bus.subscribe(queue("q", "trial", 1)).await.unwrap();
    let sent = message("trial", "{");
    send(&bus, sent.clone()).await;
    next(&mut incoming).await.verdict.dead_letter("not JSON").await.unwrap();
    assert!(silent(&mut incoming).await);
    for _ in 0..2 {
        let dead = dead_letters::list(&url, 10).await.unwrap();
        assert_eq!(dead.len(), 1, "listing takes nothing");
        assert_eq!((dead[0].reason.as_str(), dead[0].routing_key.as_str()), ("not JSON", "trial"));
        assert_eq!((dead[0].id, dead[0].kind.as_deref()), (Some(sent.id), Some("autoopt.test.v1")));
        assert!(dead[0].at.is_some());
    }
    assert_eq!(dead_letters::requeue(&url, Some(MessageId::fresh())).await.unwrap(), 0);
    assert_eq!(dead_letters::requeue(&url, Some(sent.id)).await.unwrap(), 1);
    let again = next(&mut incoming).await;
    assert_eq!(again.body, b"{");
    assert_ne!(again.id, Some(sent.id), "the inbox knows the old id");
    assert!(dead_letters::list(&url, 10).await.unwrap().is_empty());
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_connections_are_closed_by_force() {
    const MESSAGES: usize = 3000;
    let (bus, vhost) = rabbit().await;
    let name = vhost.0.clone();
    let mut incoming = bus.subscribe(queue("q", "key", 50)).await.unwrap();
    let publisher = bus.clone();
    let publishing = tokio::spawn(async move {
        for n in 0..MESSAGES {
            send(&publisher, message("key", n.to_string())).await;
        }
    });
    let breaking = tokio::task::spawn_blocking(move || {
        for _ in 0..2 {
            rabbitmqctl(&["close_all_connections", "-p", &name, "test"]);
        }
    });
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < MESSAGES {
        let delivery = next(&mut incoming).await;
        seen.insert(delivery.body.clone());
        delivery.verdict.ack().await;
    }
    publishing.await.unwrap();
    breaking.await.unwrap();
    // also once all is calm
    send(&bus, message("key", "last")).await;
    while next(&mut incoming).await.body != b"last" {}
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_whose_queue_is_deleted_declares_it_again() {
    let (bus, vhost) = rabbit().await;
    let mut incoming = bus.subscribe(queue("q", "key", 5)).await.unwrap();
    rabbitmqctl(&["delete_queue", "-p", &vhost.0, "q"]);
    let publisher = bus.clone();
    tokio::spawn(async move {
        while publisher.publish(message("key", "x")).await.unwrap().await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert_eq!(next(&mut incoming).await.body, b"x");
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absent_broker_is_waited_for_and_a_wrong_password_is_not() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let absent = AmqpSettings::new(format!("amqp://guest:guest@127.0.0.1:{port}/x"), "test");
    assert!(tokio::time::timeout(Duration::from_secs(2), amqp::connect(absent)).await.is_err());
    let wrong = AmqpSettings::new("amqp://guest:not-it@127.0.0.1:5672/%2f", "test");
    assert!(!format!("{wrong:?}").contains("not-it"));
    let refused = tokio::time::timeout(Duration::from_secs(15), amqp::connect(wrong)).await.expect("at once");
    assert!(matches!(refused, Err(BusError::Setup { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_stays_away_makes_the_bus_lost() {
    let vhost = Vhost::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let proxy = tokio::spawn(async move {
        let mut links = tokio::task::JoinSet::new();
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            links.spawn(async move {
                let mut far = tokio::net::TcpStream::connect("127.0.0.1:5672").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    let settings = AmqpSettings {
        lost_after: Duration::from_millis(500),
        confirm_timeout: Duration::from_millis(300),
        ..AmqpSettings::new(format!("amqp://guest:guest@127.0.0.1:{port}/{}", vhost.0), "test")
    };
    let bus = amqp::connect(settings).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(800), bus.lost()).await.is_err(), "it is there");
    proxy.abort();
    tokio::time::timeout(Duration::from_secs(5), bus.lost()).await.expect("lost");
    let publish = bus.publish(message("key", "x")).await;
    assert!(matches!(publish, Err(BusError::Down(_))));
}

/// The bound is far below the figure printed, for a busy machine and an unoptimised build.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_messages_a_second_pass() {
    const MESSAGES: usize = 20_000;
    let (bus, _vhost) = rabbit().await;
    let mut incoming = bus.subscribe(queue("q", "key", 1000)).await.unwrap();
    let begun = std::time::Instant::now();
    let publisher = bus.clone();
    let publishing = tokio::spawn(async move {
        let mut confirms = std::collections::VecDeque::new();
        for _ in 0..MESSAGES {
            confirms.push_back(publisher.publish(message("key", vec![b'x'; 500])).await.unwrap());
            if confirms.len() > 500 {
                confirms.pop_front().unwrap().await.unwrap();
            }
        }
        for confirm in confirms {
            confirm.await.unwrap();
        }
    });
    for _ in 0..MESSAGES {
        next(&mut incoming).await.verdict.ack().await;
    }
    publishing.await.unwrap();
    let rate = MESSAGES as f64 / begun.elapsed().as_secs_f64();
    println!("{rate:.0} messages/s");
    bus.close().await;
    assert!(rate > 500.0, "{rate:.0} messages/s");
}

/// Several tasks publish at the same time what a queue takes and what none does; each message has a task of its own that waits
/// for its verdict, as the client library completes the confirmations of returned messages with each other's contents.
async fn every_verdict_is_the_messages_own(bus: &Bus, tasks: usize, each: usize) -> usize {
    let publishing = (0..tasks).map(|task| {
        let bus = bus.clone();
        tokio::spawn(async move {
            let mut verdicts = Vec::new();
            for n in 0..each {
                let routable = (n * 7 + task) % 3 == 0;
                let sent = message(if routable { "there" } else { "nobody" }, format!("{task}.{n}"));
                let confirm = bus.publish(sent).await.unwrap();
                verdicts.push(tokio::spawn(async move { (routable, confirm.await) }));
            }
            verdicts
        })
    });
    let mut wrong = 0;
    for verdicts in futures::future::join_all(publishing).await {
        for verdict in verdicts.unwrap() {
            match verdict.await.unwrap() {
                (true, Ok(())) | (false, Err(BusError::Unroutable { .. })) => {}
                (_, Ok(()) | Err(BusError::Unroutable { .. })) => wrong += 1,
                (_, Err(other)) => panic!("{other}"),
            }
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_of_many_messages_under_way_hears_whether_it_came_back_itself() {
    let (bus, _vhost) = rabbit().await;
    let mut incoming = bus.subscribe(queue("there", "there", 1000)).await.unwrap();
    let consuming = tokio::spawn(async move {
        while let Some(delivery) = incoming.next().await {
            delivery.verdict.ack().await;
        }
    });
    assert_eq!(every_verdict_is_the_messages_own(&bus, 8, 1500).await, 0);
    bus.close().await;
    consuming.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_came_back_before_the_connection_broke_confuses_no_message_after_it() {
    let (bus, vhost) = rabbit().await;
    bus.subscribe(queue("there", "there", 1000)).await.unwrap();
    let name = vhost.0.clone();
    let breaking = tokio::spawn(async move {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let name = name.clone();
            let close = move || rabbitmqctl(&["close_all_connections", "-p", &name, "test"]);
            tokio::task::spawn_blocking(close).await.unwrap();
        }
    });
    let mut wrong = 0;
    while !breaking.is_finished() {
        wrong += every_verdict_is_the_messages_own(&bus, 4, 500).await;
    }
    breaking.await.unwrap();
    wrong += every_verdict_is_the_messages_own(&bus, 4, 500).await;
    assert_eq!(wrong, 0);
    bus.close().await;
}
