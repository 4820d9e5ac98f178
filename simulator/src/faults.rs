//! Faults on demand: each kind strikes for a share of its occasions, or for the next so many.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// An API request is answered 503.
    Unavailable,
    /// An API request is answered 429 with `Retry-After: 1`.
    TooManyRequests,
    /// A request's token is taken for expired (401), and forgotten.
    ExpiredToken,
    /// A request that only an administrator may make is answered 403.
    NotAdmin,
    /// A build fails on its host; nova tries the alternates.
    FailedBuild,
    /// A build takes ten times as long.
    SlowBuild,
    /// A build never ends.
    HungBuild,
    /// A deletion fails and leaves the server in ERROR.
    FailedDelete,
    /// A deleted server's ports stay.
    LeakedPort,
    /// A deleted server's allocation stays in Placement.
    LeakedAllocation,
    /// A server's console is empty.
    EmptyConsole,
    /// A server's console ends in the middle of the result.
    TruncatedConsole,
    /// A kernel message stands within the result.
    CorruptConsole,
    /// A change of an aggregate's metadata does not reach the scheduler.
    IgnoredMetadata,
    /// A restart of the scheduler does not read its configuration.
    IgnoredConf,
    /// After a restart the scheduler does not come back.
    SchedulerDown,
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trigger {
    /// Of the occasions, 0..1, by chance.
    pub share: f64,
    /// The next so many occasions for certain.
    pub next: u32,
}

/// The faults that are armed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Faults(BTreeMap<Fault, Trigger>);

impl Faults {
    /// Sets `fault`'s trigger; one that never strikes disarms it.
    pub fn set(&mut self, fault: Fault, trigger: Trigger) {
        if trigger == Trigger::default() {
            self.0.remove(&fault);
        } else {
            self.0.insert(fault, trigger);
        }
    }

    /// Whether `fault` strikes on this occasion. `rng` is drawn from only where a share is set.
    pub fn strikes(&mut self, fault: Fault, rng: &mut Xoshiro256PlusPlus) -> bool {
        let Some(trigger) = self.0.get_mut(&fault) else { return false };
        if trigger.next > 0 {
            trigger.next -= 1;
            return true;
        }
        trigger.share > 0.0 && rng.random::<f64>() < trigger.share
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn next_counts_down_and_share_strikes_about_as_often_as_it_says() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut faults: Faults =
            serde_json::from_str(r#"{"unavailable": {"next": 2}, "slow-build": {"share": 0.25}}"#).unwrap();
        let struck: Vec<bool> = (0..4).map(|_| faults.strikes(Fault::Unavailable, &mut rng)).collect();
        assert_eq!(struck, [true, true, false, false]);
        let slow = (0..4000).filter(|_| faults.strikes(Fault::SlowBuild, &mut rng)).count();
        assert!((900..1100).contains(&slow), "{slow}");
        faults.set(Fault::SlowBuild, Trigger::default());
        assert!(!(0..100).any(|_| faults.strikes(Fault::SlowBuild, &mut rng)));
    }
}
