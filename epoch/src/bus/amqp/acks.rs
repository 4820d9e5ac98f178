//! Gathers acknowledgements: those of contiguous deliveries travel as one.
//!
//! Delivery tags start at 1 again after every reconnection, so deliveries are told apart by a generation too, and
//! what is sent for an earlier one is dropped by the client library.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::{Acker, Connection};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Link;

#[derive(Default)]
pub(super) struct Acks {
    window: Mutex<Window>,
    wake: Notify,
}

/// The deliveries of the present connection that the broker still counts as ours.
#[derive(Default)]
struct Window {
    generation: u64,
    last_tag: u64,
    open: BTreeMap<u64, Entry>,
    closed: bool,
}

struct Entry {
    acker: Acker,
    done: bool,
}

/// What identifies a delivery.
#[derive(Clone, Copy)]
pub(super) struct Ticket {
    generation: u64,
    tag: u64,
}

impl Acks {
    /// Starts the task that sends them; it ends, with everything sent, when `ended` or the bus is closed, and closes the channel
    /// and the connection that is its `own`.
    pub(super) fn start(
        link: &Arc<Link>,
        ended: CancellationToken,
        channel: lapin::Channel,
        own: Option<Connection>,
    ) -> Arc<Self> {
        let acks = Arc::new(Self::default());
        let (sender, closed) = (acks.clone(), link.closed.clone());
        link.tasks.spawn(async move {
            loop {
                let last = tokio::select! {
                    () = sender.wake.notified() => false,
                    () = ended.cancelled() => true,
                    () = closed.cancelled() => true,
                };
                if last {
                    sender.window().closed = true;
                }
                sender.flush().await;
                if last {
                    break;
                }
            }
            // gives unsettled deliveries back to the queue
            let _ = channel.close(200, "done".into()).await;
            if let Some(own) = own {
                let _ = own.close(200, "done".into()).await;
            }
        });
        acks
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn arrived(&self, tag: u64, acker: Acker) -> Ticket {
        let mut window = self.window();
        let stale = window.open.values().next_back().is_some_and(|entry| entry.acker.poisoned());
        if stale || tag <= window.last_tag {
            window.generation += 1;
            window.open.clear();
        }
        window.last_tag = tag;
        window.open.insert(tag, Entry { acker, done: false });
        Ticket { generation: window.generation, tag }
    }

    /// Marks a delivery as done; `false` if it is no longer ours.
    pub(super) fn ack(&self, ticket: Ticket) -> bool {
        let mut window = self.window();
        if window.closed || window.generation != ticket.generation {
            return false;
        }
        let Some(entry) = window.open.get_mut(&ticket.tag) else { return false };
        if entry.done || !entry.acker.usable() {
            return false;
        }
        entry.done = true;
        drop(window);
        self.wake.notify_one();
        true
    }

    /// Gives a delivery back; `false` if it is no longer ours.
    pub(super) async fn requeue(&self, ticket: Ticket) -> bool {
        let acker = {
            let window = self.window();
            if window.closed || window.generation != ticket.generation {
                return false;
            }
            let Some(entry) = window.open.get(&ticket.tag).filter(|entry| !entry.done) else { return false };
            entry.acker.clone()
        };
        let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        let sent = acker.nack(options).await.unwrap_or(false);
        // removed only now: until it is sent, a cumulative acknowledgement must not pass it
        let mut window = self.window();
        if window.generation == ticket.generation {
            window.open.remove(&ticket.tag);
        }
        drop(window);
        self.wake.notify_one();
        sent
    }

    async fn flush(&self) {
        loop {
            let (up_to, others) = self.take();
            if up_to.is_none() && others.is_empty() {
                return;
            }
            if let Some(acker) = up_to {
                // an error means that the connection went away: the deliveries come again
                let _ = acker.ack(BasicAckOptions { multiple: true }).await;
            }
            for acker in others {
                let _ = acker.ack(BasicAckOptions::default()).await;
            }
        }
    }

    /// Takes out what is done: the last of the contiguous ones, and those beyond a delivery that is still open.
    fn take(&self) -> (Option<Acker>, Vec<Acker>) {
        let mut window = self.window();
        let mut up_to = None;
        while let Some(first) = window.open.first_entry().filter(|first| first.get().done) {
            up_to = Some(first.remove().acker);
        }
        let others =
            window.open.extract_if(.., |_, entry| entry.done).map(|(_, entry)| entry.acker).collect();
        (up_to, others)
    }
}
