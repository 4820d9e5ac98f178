//! A claim is one connection's, and comes back to it, on RabbitMQ and in one process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use autoopt_epoch::bus::amqp::{self, AmqpSettings};
use autoopt_epoch::bus::memory::MemoryBus;
use autoopt_epoch::bus::topology::Subscription;
use autoopt_epoch::bus::{Bus, Claimed, Incoming, Outgoing};
use autoopt_epoch::id::MessageId;
use support::{Vhost, rabbitmqctl};
use tokio::net::{TcpListener, TcpStream};

/// As often as somebody who waits for it looks.
const LOOK: Duration = Duration::from_secs(1);
/// Longer than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

async fn connect(url: String) -> Bus {
    amqp::connect(AmqpSettings::new(url, "bus claim")).await.expect("the broker runs")
}

/// One look, once the broker answers.
async fn claim(bus: &Bus) -> Claimed {
    let looking = async {
        loop {
            match bus.claim("claim").await {
                Ok(claimed) => return claimed,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("the broker answers")
}

/// Until it is ours.
async fn get(bus: &Bus) {
    let getting = async {
        while claim(bus).await != Claimed::Ours {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, getting).await.expect("it gets the claim");
}

async fn subscribe(bus: &Bus) -> Box<dyn Incoming> {
    let subscription = Subscription { queue: Some("q".into()), bindings: vec!["key".into()], prefetch: 5 };
    bus.subscribe(subscription).await.unwrap()
}

/// Publishes over `bus` until it works, and hears it.
async fn hears(incoming: &mut Box<dyn Incoming>, bus: &Bus, body: &str) {
    let message = Outgoing {
        routing_key: "key".into(),
        id: MessageId::fresh(),
        kind: "autoopt.test.v1".into(),
        body: body.into(),
        mandatory: true,
        headers: Default::default(),
    };
    bus.publish(message).await.unwrap().await.unwrap();
    let heard = async {
        loop {
            let delivery = incoming.next().await.unwrap();
            delivery.verdict.ack().await;
            if delivery.body == body.as_bytes() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.expect("it is heard");
}

#[tokio::test]
async fn within_a_process_a_claim_is_one_connections_until_that_is_dropped() {
    let memory = MemoryBus::new();
    let (first, second) = (memory.bus(), memory.bus());
    assert_eq!(claim(&first).await, Claimed::Ours);
    assert_eq!(claim(&first).await, Claimed::Ours);
    assert_eq!(claim(&second).await, Claimed::Theirs);
    assert_eq!(second.claim("another").await.unwrap(), Claimed::Ours);
    drop(first);
    assert_eq!(claim(&second).await, Claimed::Ours);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_one_connections_until_that_is_closed() {
    let vhost = Vhost::new();
    let (first, second) = (connect(vhost.url()).await, connect(vhost.url()).await);
    assert_eq!(claim(&first).await, Claimed::Ours);
    assert_eq!(claim(&first).await, Claimed::Ours);
    assert_eq!(claim(&second).await, Claimed::Theirs);
    let mut incoming = subscribe(&first).await;
    hears(&mut incoming, &second, "one").await;
    first.close().await;
    // the first look could be in between two connections of the first one
    assert_eq!(claim(&second).await, Claimed::Theirs);
    assert_eq!(claim(&second).await, Claimed::Ours);
    hears(&mut subscribe(&second).await, &second, "two").await;
    // who has never seen it taken need not wait
    second.close().await;
    let third = connect(vhost.url()).await;
    assert_eq!(claim(&third).await, Claimed::Ours);
    third.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_it_gets_it_back_when_its_connections_are_killed() {
    let vhost = Vhost::new();
    let (first, second) = (connect(vhost.url()).await, connect(vhost.url()).await);
    get(&first).await;
    let mut incoming = subscribe(&first).await;
    for n in 0..3 {
        assert_eq!(claim(&second).await, Claimed::Theirs);
        let name = vhost.0.clone();
        let kill = move || rabbitmqctl(&["close_all_connections", "-p", &name, "test"]);
        tokio::task::spawn_blocking(kill).await.unwrap();
        hears(&mut incoming, &first, &n.to_string()).await;
    }
    assert!(first.is_connected());
    let lost = tokio::time::timeout(Duration::ZERO, first.claim_lost()).await;
    assert!(lost.is_err(), "it was not lost");
    assert_eq!(claim(&second).await, Claimed::Theirs);
    first.close().await;
    second.close().await;
}

/// A way to the broker that can be cut.
struct Wire {
    port: u16,
    forward: Option<tokio::task::JoinHandle<()>>,
    /// The broker's ends of what was cut, if it does not hear of the cut.
    silent: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut wire = Self { port, forward: None, silent: Arc::default() };
        wire.forward = Some(tokio::spawn(forward(listener, wire.silent.clone())));
        wire
    }

    fn url(&self, vhost: &Vhost) -> String {
        // so that the broker notices within seconds what it does not hear of
        format!("amqp://guest:guest@127.0.0.1:{}/{}?heartbeat=2", self.port, vhost.0)
    }

    /// Our ends are closed; the broker does not hear of it.
    async fn cut(&mut self) {
        let forward = self.forward.take().unwrap();
        forward.abort();
        let _ = forward.await;
    }

    /// The broker hears of it now.
    fn tell(&self) {
        self.silent.lock().unwrap().clear();
    }

    async fn mend(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.forward = Some(tokio::spawn(forward(listener, self.silent.clone())));
    }
}

async fn forward(listener: TcpListener, silent: Arc<Mutex<Vec<TcpStream>>>) {
    let mut links = tokio::task::JoinSet::new();
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        let silent = silent.clone();
        links.spawn(async move {
            let far = TcpStream::connect("127.0.0.1:5672").await.unwrap();
            let mut far = Kept { stream: Some(far), silent };
            let _ = tokio::io::copy_bidirectional(&mut near, far.stream.as_mut().unwrap()).await;
            far.stream = None;
        });
    }
}

/// Goes on after its task was aborted.
struct Kept {
    stream: Option<TcpStream>,
    silent: Arc<Mutex<Vec<TcpStream>>>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.silent.lock().unwrap().extend(self.stream.take());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_it_waits_for_the_broker_to_notice_that_its_connection_broke() {
    let vhost = Vhost::new();
    let mut wire = Wire::new().await;
    let bus = connect(wire.url(&vhost)).await;
    get(&bus).await;
    let mut incoming = subscribe(&bus).await;
    hears(&mut incoming, &bus, "before").await;
    wire.cut().await;
    wire.mend().await;
    // the broker still gives the claim to the connection that was cut
    let other = connect(vhost.url()).await;
    assert_eq!(claim(&other).await, Claimed::Theirs);
    hears(&mut incoming, &other, "after").await;
    assert!(bus.is_connected());
    bus.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_away_for_too_long_hears_nothing_and_is_told() {
    let vhost = Vhost::new();
    let mut wire = Wire::new().await;
    let away = connect(wire.url(&vhost)).await;
    get(&away).await;
    let mut nothing = subscribe(&away).await;
    let other = connect(vhost.url()).await;
    assert_eq!(claim(&other).await, Claimed::Theirs);
    wire.cut().await;
    wire.tell();
    get(&other).await;
    let mut incoming = subscribe(&other).await;
    wire.mend().await;
    hears(&mut incoming, &other, "one").await;
    let (lost, heard) = (away.claim_lost(), nothing.next());
    tokio::select! {
        lost = tokio::time::timeout(PATIENCE, lost) => lost.expect("it is told"),
        heard = heard => panic!("it heard {:?}", heard.map(|delivery| delivery.body)),
    }
    assert!(!away.is_connected());
    hears(&mut incoming, &other, "two").await;
    assert_eq!(claim(&other).await, Claimed::Ours);
    away.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_of_ones_own_comes_back_before_the_broker_has_noticed_that_the_connection_broke() {
    let vhost = Vhost::new();
    let mut wire = Wire::new().await;
    let bus = connect(wire.url(&vhost)).await;
    let own = Subscription { queue: None, bindings: vec!["key".into()], prefetch: 5 };
    let mut incoming = bus.subscribe(own).await.unwrap();
    hears(&mut incoming, &bus, "before").await;
    wire.cut().await;
    wire.mend().await;
    let other = connect(vhost.url()).await;
    // the queue may not be there yet, or bring what comes to the connection that was cut
    let mut n = 0;
    let sending = async {
        loop {
            n += 1;
            let message = Outgoing {
                routing_key: "key".into(),
                id: MessageId::fresh(),
                kind: "autoopt.test.v1".into(),
                body: format!("after {n}").into(),
                mandatory: false,
                headers: Default::default(),
            };
            other.publish(message).await.unwrap().await.unwrap();
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = sending => {}
        heard = tokio::time::timeout(PATIENCE, incoming.next()) => {
            assert!(heard.expect("it is heard").unwrap().body.starts_with(b"after"));
        }
    }
    assert!(bus.is_connected());
    bus.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_larger_than_a_frame_reaches_a_queue_of_ones_own() {
    let vhost = Vhost::new();
    let bus = connect(vhost.url()).await;
    let own = Subscription { queue: None, bindings: vec!["key".into()], prefetch: 5 };
    let mut incoming = bus.subscribe(own).await.unwrap();
    hears(&mut incoming, &bus, &"large ".repeat(50_000)).await;
    bus.close().await;
}
