//! The bus over RabbitMQ.
//!
//! What the client library leaves open is settled here: recovery never gives up; a publish has a deadline; an
//! unroutable message, which the broker confirms, is an error; a consumer that the broker cancels is set up again;
//! acknowledgements are gathered, and one for a delivery of an earlier connection is recognised. When the connection
//! stays down, [`Transport::lost`] resolves and the service exits instead of hanging.

mod acks;
mod address;
mod claim;
pub mod dead_letters;
mod declare;
mod incoming;
mod ledger;
pub mod log;
pub mod probe;
mod properties;
mod publisher;

use std::sync::Arc;
use std::time::Duration;

use lapin::{Connection, ConnectionBuilder, ConnectionProperties};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::topology::Subscription;
use super::{Bus, BusError, Claimed, Confirm, DeadLetter, Incoming, Outgoing, Transport};
use crate::id::MessageId;
use address::Address;
use claim::Claims;
use log::Log;
use publisher::Publisher;

/// Seconds, unless the address says otherwise.
const HEARTBEAT: u16 = 10;
/// Bytes of a frame on a connection beside the first one. The client library keeps 64 of them in memory for each connection, 8 MiB with what the
/// broker proposes; newer brokers refuse less than this. A message may have several; only its headers have to fit one.
const SMALL_FRAME: u32 = 8192;
/// Between two looks whether a connection is there.
const NAP: Duration = Duration::from_millis(200);

/// How to reach the broker, and how long to put up with its absence.
#[derive(Clone)]
pub struct AmqpSettings {
    /// `amqp://user:password@host:port/vhost`, or `amqps://`, which may name files: `cacertfile`, `certfile`, `keyfile`.
    pub url: String,
    /// Shown in the broker's list of connections.
    pub connection_name: String,
    /// From publish to confirmation, including a reconnection in between.
    pub confirm_timeout: Duration,
    /// Without a connection for this long, the bus counts as lost.
    pub lost_after: Duration,
}

impl AmqpSettings {
    /// The defaults: 30 s for a confirmation, lost after 60 s.
    pub fn new(url: impl Into<String>, connection_name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connection_name: connection_name.into(),
            confirm_timeout: Duration::from_secs(30),
            lost_after: Duration::from_secs(60),
        }
    }
}

impl std::fmt::Debug for AmqpSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // the URL holds a password
        let place = address::uri(&self.url).map_or_else(|_| "not a URL".into(), |uri| address::place(&uri));
        f.debug_struct("AmqpSettings").field("broker", &place).field("name", &self.connection_name).finish()
    }
}

/// What the parts of one bus share.
struct Link {
    connection: Connection,
    address: Address,
    name: String,
    claims: Claims,
    /// Fires when the owner closes the bus.
    closed: CancellationToken,
    /// The tasks that still have acknowledgements to send.
    tasks: TaskTracker,
}

impl Link {
    /// Whether what is published can go out.
    fn is_up(&self) -> bool {
        self.connection.status().connected()
    }

    /// A connection for a queue of one's own, which goes with it. It is not recovered by the client library: that would declare the queue
    /// again before the broker has noticed that the connection before is gone, be refused, and begin with the whole connection anew.
    async fn own(&self) -> Result<Connection, BusError> {
        open_once(self.address.clone().with_small_frames(), &format!("{} (own queue)", self.name)).await
    }
}

struct AmqpBus {
    link: Arc<Link>,
    publisher: Publisher,
    log: Log,
    lost_after: Duration,
}

/// Connects, and declares what all services need. A broker that is not there yet is waited for; one that refuses the
/// credentials or the vhost is an error.
pub async fn connect(settings: AmqpSettings) -> Result<Bus, BusError> {
    let address = Address::of(&settings.url)?;
    let place = address.place();
    let opening = open(address.clone(), &settings.connection_name);
    let connection = {
        let mut opening = std::pin::pin!(opening);
        loop {
            tokio::select! {
                result = &mut opening => break result?,
                () = tokio::time::sleep(Duration::from_secs(3)) => tracing::warn!("waiting for the broker at {place}"),
            }
        }
    };
    tracing::info!("connected to the broker at {place}");
    let (name, closed) = (settings.connection_name, CancellationToken::new());
    let claims = Claims::new(address.clone(), &name, closed.clone());
    let log = Log::new(address.clone(), &name, closed.clone());
    let link = Arc::new(Link { connection, address, name, claims, closed, tasks: TaskTracker::new() });
    let publisher = Publisher::open(link.clone(), settings.confirm_timeout).await?;
    Ok(Arc::new(AmqpBus { link, publisher, log, lost_after: settings.lost_after }))
}

/// One connection, with recovery that never gives up; waits for the broker.
async fn open(address: Address, name: &str) -> Result<Connection, BusError> {
    let recovering = ConnectionProperties::default().enable_auto_recover().configure_backoff(|backoff| {
        backoff
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(3))
            .with_jitter()
            .without_max_times()
    });
    open_with(address, name, recovering).await
}

/// One connection, which is over when it breaks; waits for the broker.
async fn open_once(address: Address, name: &str) -> Result<Connection, BusError> {
    open_with(address, name, ConnectionProperties::default()).await
}

async fn open_with(
    mut address: Address,
    name: &str,
    properties: ConnectionProperties,
) -> Result<Connection, BusError> {
    // another provider in the dependency tree would make the choice ambiguous; an earlier choice stands
    let _ = rustls::crypto::ring::default_provider().install_default();
    address.uri.query.heartbeat.get_or_insert(HEARTBEAT);
    let place = address.place();
    // an IPv6 address stands in brackets
    let authority = &address.uri.authority;
    let (host, port) = (authority.host.trim_matches(['[', ']']).to_owned(), authority.port);
    let builder = ConnectionBuilder::new()
        .map_err(|error| setup("starting the AMQP client", &error))?
        .with_uri(address.uri)
        .with_tls_config(address.tls)
        .with_properties(properties.with_connection_name(name.into()));
    let mut said = String::new();
    loop {
        // a connection that the client library has begun cannot be given up without noise; so it begins one only
        // when somebody listens
        let listens = tokio::net::TcpStream::connect((host.as_str(), port)).await;
        if let Err(error) = listens {
            tracing::debug!(%error, "nobody listens at {place} yet");
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        }
        match builder.connect().await {
            Ok(connection) => return Ok(connection),
            // a broker that starts or stops closes the connection half-way
            Err(error) if error.is_io_error() => {
                // nor does one whose certificate is not trusted; that is worth a look
                let reason = error.to_string();
                if reason != said {
                    tracing::warn!(reason, "no connection yet to the broker at {place}");
                    said = reason;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(setup(&format!("connecting to the broker at {place}"), &error)),
        }
    }
}

fn setup(action: &str, error: &lapin::Error) -> BusError {
    BusError::Setup { action: action.into(), reason: error.to_string() }
}

#[async_trait::async_trait]
impl Transport for AmqpBus {
    async fn publish(&self, message: Outgoing) -> Result<Confirm, BusError> {
        self.publisher.publish(super::topology::EXCHANGE, message).await
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Box<dyn Incoming>, BusError> {
        if self.link.closed.is_cancelled() {
            return Err(BusError::Closed);
        }
        let consumer =
            incoming::Consumer::start(self.link.clone(), self.publisher.clone(), subscription).await?;
        Ok(Box::new(consumer))
    }

    async fn claim(&self, name: &str) -> Result<Claimed, BusError> {
        self.link.claims.claim(&self.link.connection, name).await
    }

    async fn claim_lost(&self) {
        self.link.claims.lost().await;
    }

    async fn log(&self, records: &mut Vec<Outgoing>) -> Result<(), BusError> {
        self.log.append(records).await
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BusError> {
        dead_letters::look(&self.link.connection, limit).await
    }

    async fn requeue_dead_letters(&self, key: Option<MessageId>) -> Result<Vec<DeadLetter>, BusError> {
        dead_letters::send_again(&self.link.connection, &self.publisher, key).await
    }

    fn is_connected(&self) -> bool {
        self.link.is_up() && self.link.claims.is_up()
    }

    async fn lost(&self) {
        let mut last_up = tokio::time::Instant::now();
        loop {
            if self.link.closed.is_cancelled() {
                std::future::pending::<()>().await;
            }
            if self.is_connected() {
                last_up = tokio::time::Instant::now();
            } else if last_up.elapsed() >= self.lost_after {
                return;
            }
            tokio::time::sleep(
                (self.lost_after / 20).clamp(Duration::from_millis(20), Duration::from_secs(1)),
            )
            .await;
        }
    }

    async fn close(&self) {
        self.link.closed.cancel();
        self.link.tasks.close();
        let patience = Duration::from_secs(5);
        self.log.close().await;
        // acknowledgements already given go out first
        let _ = tokio::time::timeout(patience, self.link.tasks.wait()).await;
        let _ = tokio::time::timeout(patience, self.link.claims.close()).await;
        // while it reconnects there is nobody to say goodbye to
        let _ = tokio::time::timeout(patience, self.link.connection.close(200, "done".into())).await;
    }
}
