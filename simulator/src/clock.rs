//! Virtual time from real time, or from requests.

use std::time::Duration;

use jiff::Timestamp;

use crate::cloud::Millis;
use crate::config::ClockConfig;

/// Says what virtual time it is.
#[derive(Debug)]
pub struct Clock {
    mode: ClockConfig,
    /// Virtual time at `since`.
    at: f64,
    since: Timestamp,
}

impl Clock {
    /// A clock at 0.
    pub fn new(mode: ClockConfig, wall: Timestamp) -> Self {
        Self { mode, at: 0.0, since: wall }
    }

    /// The virtual time at `wall`, in milliseconds.
    pub fn now(&self, wall: Timestamp) -> Millis {
        let seconds = match self.mode {
            ClockConfig::Scaled { speed } => {
                self.at + speed * wall.duration_since(self.since).as_secs_f64().max(0.0)
            }
            ClockConfig::Step { .. } => self.at,
        };
        (seconds * 1000.0) as Millis
    }

    /// An API request has come.
    pub fn request(&mut self) {
        if let ClockConfig::Step { step } = self.mode {
            self.at += step;
        }
    }

    /// Jumps ahead.
    pub fn advance(&mut self, by: Duration) {
        self.at += by.as_secs_f64();
    }

    /// Another mode from now on.
    pub fn set_mode(&mut self, mode: ClockConfig, wall: Timestamp) {
        self.at = self.now(wall) as f64 / 1000.0;
        self.since = wall;
        self.mode = mode;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_by_the_wall_or_by_requests() {
        let start = Timestamp::UNIX_EPOCH;
        let later = start + Duration::from_millis(1500);
        let mut clock = Clock::new(ClockConfig::Scaled { speed: 1000.0 }, start);
        assert_eq!(clock.now(later), 1_500_000);
        clock.set_mode(ClockConfig::Step { step: 2.0 }, later);
        clock.request();
        clock.advance(Duration::from_secs(60));
        assert_eq!(clock.now(later + Duration::from_secs(9)), 1_562_000);
    }
}
