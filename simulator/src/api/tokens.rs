//! Keystone's tokens; they live in real time, since clients compare their end with their own clocks.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::cloud::named_id;

/// More than so many are never kept.
const MOST: usize = 10_000;

/// The tokens that are valid, with their ends.
#[derive(Debug)]
pub(crate) struct Tokens {
    seed: u64,
    lifetime: std::time::Duration,
    issued: u64,
    /// The one to be forgotten first is the one that ends first.
    valid: BTreeMap<Uuid, Timestamp>,
}

impl Tokens {
    pub(super) fn new(seed: u64, lifetime: f64) -> Self {
        let lifetime = std::time::Duration::from_secs_f64(lifetime);
        Self { seed, lifetime, issued: 0, valid: BTreeMap::new() }
    }

    /// A new token and its end.
    pub(super) fn issue(&mut self, now: Timestamp) -> (Uuid, Timestamp) {
        self.valid.retain(|_, end| *end > now);
        if self.valid.len() >= MOST
            && let Some(oldest) = self.valid.iter().min_by_key(|(_, end)| **end).map(|(id, _)| *id)
        {
            self.valid.remove(&oldest);
        }
        self.issued += 1;
        let id = named_id(self.seed, "token", &self.issued.to_string());
        let end = now.checked_add(self.lifetime).unwrap_or(Timestamp::MAX);
        self.valid.insert(id, end);
        (id, end)
    }

    pub(super) fn is_valid(&self, token: &str, now: Timestamp) -> bool {
        token.parse::<Uuid>().is_ok_and(|id| self.valid.get(&id).is_some_and(|end| *end > now))
    }

    pub(super) fn revoke(&mut self, token: &str) {
        if let Ok(id) = token.parse::<Uuid>() {
            self.valid.remove(&id);
        }
    }

    /// Makes all of them invalid.
    pub(super) fn revoke_all(&mut self) {
        self.valid.clear();
    }
}
