//! Which of the messages published on one channel were delivered, and which came back.
//!
//! An unroutable message that is mandatory comes back before it is acknowledged. The client library keeps what came back in a
//! queue, and gives the first of it to whichever confirmation it completes next: not to the message's own. So a confirmation
//! tells nothing about its own message. It tells this:
//!
//! - It carries a message: that one came back.
//! - It carries none: the queue was empty. What was acknowledged until then and had come back would have been in the queue
//!   before, so an earlier confirmation has carried it. Once all earlier ones are noted here, whoever was not carried was
//!   delivered.
//! - It is the last one that was open: each message that came back has had a confirmation of its own since, each of which took
//!   one out of the queue. All are noted, so whoever was not carried was delivered.
//!
//! Confirmations are not noted in the order in which they were completed. What is known of the order is known by **rounds**:
//! what was completed before a round began is noted before it ends. So what is noted in a round was completed after the round
//! before it had begun.
//!
//! The rules hold if no confirmation is left out and nothing was in the queue to begin with. So a channel is done with at its
//! first failure: what came back before a reconnection would be in the way after it.

use std::collections::BTreeMap;

/// What became of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Delivered,
    /// No queue took it.
    Returned,
    /// The broker did not take responsibility.
    Refused,
}

/// What a confirmation said.
pub(super) struct Confirmed {
    pub positive: bool,
    pub carried: Carried,
}

/// The message that a confirmation brought along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    Nothing,
    /// The publication with this number came back.
    Publication(u64),
    /// Not one of ours.
    Unknown,
}

/// The publications on one channel, each with what its owner wants to know it by.
pub(super) struct Ledger<T> {
    round: u64,
    /// Without a confirmation. What has come back is settled, and waits only for its confirmation to be counted.
    open: BTreeMap<u64, Option<Published<T>>>,
    /// Acknowledged; what came back may still be on its way to another confirmation.
    acknowledged: BTreeMap<u64, Acknowledged<T>>,
}

struct Published<T> {
    mandatory: bool,
    owner: T,
}

struct Acknowledged<T> {
    owner: T,
    /// The round in which it was noted.
    noted: u64,
    /// The round in which a confirmation without a message was noted that was completed no earlier than this one.
    emptied: Option<u64>,
}

impl<T> Acknowledged<T> {
    /// Whether all that is noted in `round` was completed after this one.
    fn before(&self, round: u64) -> bool {
        self.noted + 2 <= round
    }
}

impl<T> Ledger<T> {
    pub(super) fn new() -> Self {
        Self { round: 0, open: BTreeMap::new(), acknowledged: BTreeMap::new() }
    }

    /// Notes a publication, before it is sent.
    pub(super) fn published(&mut self, number: u64, mandatory: bool, owner: T) {
        self.open.insert(number, Some(Published { mandatory, owner }));
    }

    /// Notes the confirmation of a publication; returns who has a verdict now.
    pub(super) fn confirmed(&mut self, number: u64, confirmed: &Confirmed) -> Vec<(T, Verdict)> {
        let mut verdicts = Vec::new();
        if let Carried::Publication(returned) = confirmed.carried {
            verdicts.extend(self.came_back(returned).map(|owner| (owner, Verdict::Returned)));
        }
        let emptied = (confirmed.carried == Carried::Nothing).then_some(self.round);
        if emptied.is_some() {
            let round = self.round;
            for other in self.acknowledged.values_mut().filter(|other| other.before(round)) {
                other.emptied = other.emptied.or(emptied);
            }
        }
        match self.open.remove(&number).flatten() {
            Some(published) if !confirmed.positive => verdicts.push((published.owner, Verdict::Refused)),
            Some(published) if !published.mandatory => verdicts.push((published.owner, Verdict::Delivered)),
            Some(published) => {
                let acknowledged = Acknowledged { owner: published.owner, noted: self.round, emptied };
                self.acknowledged.insert(number, acknowledged);
            }
            None => {}
        }
        if self.open.is_empty() {
            let delivered = std::mem::take(&mut self.acknowledged);
            verdicts.extend(delivered.into_values().map(|a| (a.owner, Verdict::Delivered)));
        }
        verdicts
    }

    fn came_back(&mut self, number: u64) -> Option<T> {
        let open = self.open.get_mut(&number).and_then(Option::take).map(|published| published.owner);
        open.or_else(|| self.acknowledged.remove(&number).map(|a| a.owner))
    }

    /// Whether the end of a round would bring somebody nearer to a verdict.
    pub(super) fn wants_round(&self) -> bool {
        self.acknowledged.values().any(|a| a.emptied.is_some() || !a.before(self.round))
    }

    /// A round has ended, and the next one begins; returns who has a verdict now.
    pub(super) fn round_ended(&mut self) -> Vec<(T, Verdict)> {
        let round = self.round;
        self.round += 1;
        // all that was completed before the empty queue was seen is noted
        let certain = |a: &Acknowledged<T>| a.emptied.is_some_and(|emptied| emptied < round);
        let delivered = self.acknowledged.extract_if(.., |_, a| certain(a));
        delivered.map(|(_, a)| (a.owner, Verdict::Delivered)).collect()
    }

    /// Whoever has no verdict and gets none from this channel any more, in the order of publication.
    pub(super) fn without_verdict(self) -> Vec<T> {
        let open = self.open.into_iter().filter_map(|(number, published)| Some((number, published?.owner)));
        let acknowledged = self.acknowledged.into_iter().map(|(number, a)| (number, a.owner));
        open.chain(acknowledged).collect::<BTreeMap<u64, T>>().into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// The client library and the broker: what came back is queued, and goes to whichever confirmation is completed next.
    struct Channel {
        ledger: Ledger<u64>,
        came_back: VecDeque<u64>,
        verdicts: BTreeMap<u64, Verdict>,
    }

    impl Channel {
        fn new(published: impl IntoIterator<Item = (u64, bool)>) -> Self {
            let mut ledger = Ledger::new();
            for (number, mandatory) in published {
                ledger.published(number, mandatory, number);
            }
            Self { ledger, came_back: VecDeque::new(), verdicts: BTreeMap::new() }
        }

        fn complete(&mut self) -> Carried {
            self.came_back.pop_front().map_or(Carried::Nothing, Carried::Publication)
        }

        fn note(&mut self, number: u64, positive: bool, carried: Carried) {
            let verdicts = self.ledger.confirmed(number, &Confirmed { positive, carried });
            self.settle(verdicts);
        }

        fn confirm(&mut self, number: u64, positive: bool) {
            let carried = self.complete();
            self.note(number, positive, carried);
        }

        fn end_round(&mut self) {
            let verdicts = self.ledger.round_ended();
            self.settle(verdicts);
        }

        fn settle(&mut self, verdicts: Vec<(u64, Verdict)>) {
            for (owner, verdict) in verdicts {
                assert_eq!(self.verdicts.insert(owner, verdict), None, "{owner} has one verdict already");
            }
        }
    }

    #[test]
    fn what_another_confirmation_carries_came_back_all_the_same() {
        let mut channel = Channel::new([(1, true), (2, true), (3, true), (4, true)]);
        channel.came_back.extend([2, 3]);
        channel.confirm(3, true);
        assert_eq!(channel.verdicts, [(2, Verdict::Returned)].into(), "what became of 3 is not known");
        channel.confirm(1, true);
        assert_eq!(channel.verdicts.get(&3), Some(&Verdict::Returned));
        channel.confirm(2, true);
        assert_eq!(channel.verdicts.get(&1), None, "2 may have been completed before 1");
        channel.confirm(4, true);
        assert_eq!(channel.verdicts.get(&1), Some(&Verdict::Delivered));
    }

    #[test]
    fn who_is_delivered_does_not_wait_for_a_slow_queue() {
        let mut channel = Channel::new([(1, true), (2, true), (3, true), (4, false)]);
        channel.came_back.push_back(4);
        channel.confirm(2, true);
        channel.confirm(3, true);
        channel.end_round();
        assert_eq!(channel.verdicts.get(&3), None, "what was completed before may be noted still");
        channel.end_round();
        assert_eq!(channel.verdicts.get(&3), Some(&Verdict::Delivered));
        assert!(!channel.ledger.wants_round(), "2 needs another confirmation");
        channel.confirm(4, true);
        assert!(channel.ledger.wants_round());
        channel.end_round();
        assert_eq!(channel.verdicts.get(&2), None);
        channel.end_round();
        assert_eq!(channel.verdicts.get(&2), Some(&Verdict::Delivered));
        assert_eq!(channel.ledger.without_verdict(), [1]);
    }

    #[test]
    fn a_refusal_carries_what_came_back_as_well() {
        let mut channel = Channel::new([(1, true), (2, true)]);
        channel.came_back.push_back(2);
        channel.confirm(1, false);
        channel.confirm(2, true);
        assert_eq!(channel.verdicts, [(1, Verdict::Refused), (2, Verdict::Returned)].into());
    }

    #[test]
    fn what_has_no_verdict_is_given_back_in_the_order_of_publication() {
        let mut channel = Channel::new([(1, true), (2, true), (3, true), (4, true)]);
        channel.came_back.extend([4, 3]);
        channel.confirm(2, true);
        assert_eq!(channel.ledger.without_verdict(), [1, 2, 3]);
    }

    proptest! {
        /// Whatever came back, in whichever order it was confirmed, and in whichever order that is noted within rounds: each
        /// has one verdict at the end, and the right one.
        #[test]
        fn every_verdict_is_right_in_whatever_order(
            // (what becomes of it, when it is processed, when it is confirmed after that)
            fates in proptest::collection::vec((0..4u8, 0..60u32, 0..60u32), 1..40),
            // (how many are completed before a round begins, how many while it lasts, how these are mixed)
            rounds in proptest::collection::vec((0..4usize, 0..4usize, any::<u64>()), 1..60),
        ) {
            let fate = |number: u64| fates[usize::try_from(number).unwrap()].0;
            let numbers = 0..fates.len() as u64;
            // 0: delivered, 1: returned, 2: refused, 3: nobody has to want it and nobody does
            let mut channel = Channel::new(numbers.clone().map(|n| (n, fate(n) != 3)));
            let mut happens: Vec<(u32, bool, u64)> = Vec::new();
            for (n, (kind, processed, later)) in numbers.clone().zip(&fates) {
                if *kind == 1 {
                    happens.push((*processed, false, n));
                }
                happens.push((processed + later, true, n));
            }
            // what comes back does so before its confirmation
            happens.sort_unstable();
            let mut completed = Vec::new();
            for (_, confirmed, n) in happens {
                match confirmed {
                    true => completed.push((n, channel.complete())),
                    false => channel.came_back.push_back(n),
                }
            }
            let mut completed = VecDeque::from(completed);
            let mut late: Vec<(u64, Carried)> = Vec::new();
            for (before, during, mix) in rounds {
                late.extend(completed.drain(..before.min(completed.len())));
                let mut now = std::mem::take(&mut late);
                // of what is completed while the round lasts some is noted in it
                for (i, one) in completed.drain(..during.min(completed.len())).enumerate() {
                    if mix >> i & 1 == 1 { now.push(one) } else { late.push(one) }
                }
                now.sort_by_key(|(n, _)| (n + 1).wrapping_mul(mix | 1));
                for (n, carried) in now {
                    channel.note(n, fate(n) != 2, carried);
                }
                channel.end_round();
            }
            for (n, carried) in late.into_iter().chain(completed) {
                channel.note(n, fate(n) != 2, carried);
            }
            for n in numbers {
                let right = match fate(n) {
                    1 => Verdict::Returned,
                    2 => Verdict::Refused,
                    _ => Verdict::Delivered,
                };
                prop_assert_eq!(channel.verdicts.get(&n), Some(&right), "publication {}", n);
            }
        }
    }
}
