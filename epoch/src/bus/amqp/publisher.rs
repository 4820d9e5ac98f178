//! Publishing with confirmation, across reconnections.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::ledger::{Carried, Confirmed, Ledger, Verdict};
use super::{Link, declare, properties, setup};
use crate::bus::{BusError, Confirm, Outgoing};

/// The longest routing key that AMQP can carry.
const LONGEST_KEY: usize = 255;

/// Between two looks whether the connection is back.
const NAP: Duration = Duration::from_millis(50);

/// How long the broker may take to open a channel on a connection that is up.
const OPENING: Duration = Duration::from_secs(10);

/// Once one confirmation has failed the others of its channel fail at the same time; no longer than this is waited for them.
const REST: Duration = Duration::from_secs(1);

/// Everything is published by one task on one channel; this is its owner's end, cheap to clone.
#[derive(Clone)]
pub(super) struct Publisher {
    link: Arc<Link>,
    jobs: mpsc::UnboundedSender<Job>,
    timeout: Duration,
}

/// A message to publish, until there is a verdict.
struct Job {
    exchange: &'static str,
    message: Arc<Outgoing>,
    /// Told once it is on its way to the broker.
    handed_over: Arc<Notify>,
    verdict: oneshot::Sender<Verdict>,
}

impl Publisher {
    /// Opens the channel and declares the exchanges.
    pub(super) async fn open(link: Arc<Link>, timeout: Duration) -> Result<Self, BusError> {
        let channel = confirming_channel(&link).await?;
        let (jobs, coming) = mpsc::unbounded_channel();
        let task = Task { link: link.clone(), coming, again: Vec::new(), numbers: 0 };
        tokio::spawn(task.run(channel));
        Ok(Self { link, jobs, timeout })
    }

    /// Sends `message`. If the connection breaks before its confirmation it is sent again, for as long as the returned
    /// [`Confirm`] is there.
    pub(super) async fn publish(
        &self,
        exchange: &'static str,
        message: Outgoing,
    ) -> Result<Confirm, BusError> {
        if message.routing_key.len() > LONGEST_KEY {
            return Err(BusError::Setup {
                action: "publishing".into(),
                reason: format!(
                    "the routing key `{}` has more than {LONGEST_KEY} bytes",
                    message.routing_key
                ),
            });
        }
        let deadline = Instant::now() + self.timeout;
        let (verdict, outcome) = oneshot::channel();
        let (message, handed_over) = (Arc::new(message), Arc::new(Notify::new()));
        let job = Job { exchange, message: message.clone(), handed_over: handed_over.clone(), verdict };
        if self.link.closed.is_cancelled() || self.jobs.send(job).is_err() {
            return Err(BusError::Closed);
        }
        tokio::select! {
            handed_over = timeout_at(deadline, handed_over.notified()) => {
                handed_over.map_err(|elapsed| BusError::Down(Box::new(elapsed)))?;
            }
            () = self.link.closed.cancelled() => return Err(BusError::Closed),
        }
        let seconds = self.timeout.as_secs();
        Ok(Box::pin(async move {
            let routing_key = || message.routing_key.clone();
            match timeout_at(deadline, outcome).await {
                Ok(Ok(Verdict::Delivered)) => Ok(()),
                Ok(Ok(Verdict::Returned)) => Err(BusError::Unroutable { routing_key: routing_key() }),
                Ok(Ok(Verdict::Refused)) => Err(BusError::Refused { routing_key: routing_key() }),
                Ok(Err(_)) => Err(BusError::Closed),
                Err(_) => Err(BusError::Unconfirmed { routing_key: routing_key(), seconds }),
            }
        }))
    }
}

/// What is awaited on one channel. What is woken is put at the end of one queue, and looked at in its order: that is what makes a
/// round of the ledger.
type UnderWay = FuturesUnordered<BoxFuture<'static, Landed>>;

enum Landed {
    /// The publication with this number was confirmed, or its channel failed.
    Publication(u64, Box<lapin::Result<Confirmation>>),
    /// Whatever was woken before this was put into the queue has been looked at.
    Round,
}

/// The task that publishes. It alone has the channel, so that publications are counted by the client library in the order in
/// which they are sent, which it leaves to chance when two tasks share a channel.
struct Task {
    link: Arc<Link>,
    coming: mpsc::UnboundedReceiver<Job>,
    /// What was on a channel that failed.
    again: Vec<Job>,
    /// Publications so far; each has a number of its own, which tells what came back.
    numbers: u64,
}

impl Task {
    async fn run(mut self, mut channel: Channel) {
        while self.publish_on(&channel).await == Ended::Failed {
            let Some(another) = self.another_channel().await else { return };
            tokio::spawn(retire(std::mem::replace(&mut channel, another)));
        }
    }

    async fn publish_on(&mut self, channel: &Channel) -> Ended {
        let (mut ledger, mut under_way) = (Ledger::new(), UnderWay::new());
        for job in std::mem::take(&mut self.again) {
            self.send(channel, job, &mut ledger, &under_way);
        }
        let (mut open, mut in_round) = (true, false);
        while open || !under_way.is_empty() {
            if ledger.wants_round() && !in_round {
                under_way.push(Box::pin(std::future::ready(Landed::Round)));
                in_round = true;
            }
            tokio::select! {
                Some(landed) = under_way.next() => match landed {
                    Landed::Publication(number, result) => match *result {
                        Ok(confirmation) => settle(&mut ledger, number, confirmation),
                        Err(error) => {
                            tracing::debug!(%error, "publishing again");
                            self.again = left_over(ledger, under_way).await;
                            return Ended::Failed;
                        }
                    },
                    Landed::Round => {
                        in_round = false;
                        tell(ledger.round_ended());
                    }
                },
                job = self.coming.recv(), if open => match job {
                    Some(job) => self.send(channel, job, &mut ledger, &under_way),
                    None => open = false,
                },
                () = self.link.closed.cancelled(), if !self.coming.is_closed() => self.coming.close(),
            }
        }
        Ended::Done
    }

    fn send(&mut self, channel: &Channel, job: Job, ledger: &mut Ledger<Job>, under_way: &UnderWay) {
        if job.verdict.is_closed() {
            return; // nobody waits for it any more
        }
        self.numbers += 1;
        let number = self.numbers;
        let (channel, exchange, message) = (channel.clone(), job.exchange, job.message.clone());
        let handed_over = job.handed_over.clone();
        ledger.published(number, message.mandatory, job);
        under_way.push(Box::pin(async move {
            let sent = channel
                .basic_publish(
                    exchange.into(),
                    message.routing_key.as_str().into(),
                    BasicPublishOptions { mandatory: message.mandatory, ..BasicPublishOptions::default() },
                    &message.body,
                    properties::outgoing(&message).with_correlation_id(number.to_string().into()),
                )
                .await;
            let result = match sent {
                Ok(confirmation) => {
                    handed_over.notify_one();
                    confirmation.await
                }
                Err(error) => Err(error),
            };
            Landed::Publication(number, Box::new(result))
        }));
    }

    /// A channel to go on with after one that failed, be it alone (say, after an exchange was deleted) or with its connection;
    /// nothing if there is nobody to publish for any more.
    async fn another_channel(&mut self) -> Option<Channel> {
        loop {
            // short naps instead of the library's notification, which never comes for a channel that is gone for good
            tokio::select! {
                () = tokio::time::sleep(NAP) => {}
                () = self.link.closed.cancelled() => return None,
            }
            self.again.retain(|job| !job.verdict.is_closed());
            if self.again.is_empty() && self.coming.is_closed() && self.coming.is_empty() {
                return None;
            }
            if !self.link.is_up() {
                continue;
            }
            match tokio::time::timeout(OPENING, confirming_channel(&self.link)).await {
                Ok(Ok(channel)) => return Some(channel),
                Ok(Err(error)) => tracing::debug!(%error, "no channel to publish on yet"),
                Err(_) => {}
            }
        }
    }
}

/// How the publishing on a channel ended.
#[derive(PartialEq, Eq)]
enum Ended {
    /// Nobody publishes any more.
    Done,
    Failed,
}

fn settle(ledger: &mut Ledger<Job>, number: u64, confirmation: Confirmation) {
    let positive = !confirmation.is_nack();
    let carried = match confirmation.take_message() {
        None => Carried::Nothing,
        Some(message) => {
            let number = message.properties.correlation_id().as_ref().and_then(|id| id.as_str().parse().ok());
            number.map_or(Carried::Unknown, Carried::Publication)
        }
    };
    tell(ledger.confirmed(number, &Confirmed { positive, carried }));
}

fn tell(verdicts: Vec<(Job, Verdict)>) {
    for (job, verdict) in verdicts {
        // whoever has stopped waiting needs no verdict
        let _ = job.verdict.send(verdict);
    }
}

/// What has to be published again after a channel failed; what was confirmed before it did is settled.
async fn left_over(mut ledger: Ledger<Job>, mut under_way: UnderWay) -> Vec<Job> {
    let rest = Instant::now() + REST;
    while let Ok(Some(landed)) = timeout_at(rest, under_way.next()).await {
        if let Landed::Publication(number, result) = landed
            && let Ok(confirmation) = *result
        {
            settle(&mut ledger, number, confirmation);
        }
    }
    ledger.without_verdict()
}

/// Closes a channel that failed with its connection once the client library has opened it again, which it does by itself.
async fn retire(channel: Channel) {
    while channel.status().reconnecting() {
        tokio::time::sleep(NAP).await;
    }
    if channel.status().connected() {
        let _ = channel.close(200, "done".into()).await;
    }
}

async fn confirming_channel(link: &Link) -> Result<Channel, BusError> {
    declare::common(&link.connection).await?;
    let channel =
        link.connection.create_channel().await.map_err(|error| setup("opening a channel", &error))?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .map_err(|error| setup("asking for confirmations", &error))?;
    Ok(channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the ledger's rounds rest on.
    #[tokio::test]
    async fn what_was_completed_before_a_round_began_comes_out_before_it_ends() {
        const MANY: usize = 100;
        let (sent, mut in_order) = mpsc::unbounded_channel();
        let (mut completions, mut under_way) = (Vec::new(), FuturesUnordered::new());
        for n in 0..MANY {
            // not one of tokio's, which now and then make a task wait for its turn though they are ready, as the client library's do not
            let (completion, completed) = futures::channel::oneshot::channel::<()>();
            completions.push(Some(completion));
            let sent = sent.clone();
            under_way.push(Box::pin(async move {
                let _ = sent.send(n);
                let _ = completed.await;
                n
            }) as BoxFuture<'static, usize>);
        }
        assert!(futures::poll!(under_way.next()).is_pending());
        for n in 0..MANY {
            assert_eq!(in_order.recv().await, Some(n), "messages are sent in the order given");
        }
        let mut complete = |n: usize| completions[n * 37 % MANY].take().expect("each once").send(());
        for n in 0..MANY / 2 {
            let _ = complete(n);
        }
        under_way.push(Box::pin(std::future::ready(MANY)));
        for n in MANY / 2..MANY {
            let _ = complete(n);
        }
        let came_out: Vec<usize> = under_way.collect().await;
        let round = came_out.iter().position(|n| *n == MANY).expect("the round ends");
        for n in 0..MANY / 2 {
            assert!(came_out[..round].contains(&(n * 37 % MANY)), "{n}");
        }
    }
}
