//! Time on a cloud: it passes by itself on a real one; a simulated one is told to let it pass, and does so at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use autoopt_epoch::command::Cluster;
use serde_json::json;
use tokio::time::Instant;

use crate::Cloud;

/// Between the first looks at one thing: each is a call of some 50 ms on a small control plane.
pub(crate) const FIRST: Duration = Duration::from_millis(100);

/// Looks at something that has an end, more and more seldom: what took long is noticed a little later than what did not.
///
/// On a simulated cloud, whose time costs nothing but calls, the looks are `most` apart.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    began: Instant,
    least: Duration,
    most: Duration,
}

/// A fiftieth of what has been waited: half of that is lost on average.
fn pause(waited: Duration, least: Duration, most: Duration) -> Duration {
    (waited / 50).max(least).min(most)
}

/// The clock of a simulated cloud.
#[derive(Debug)]
pub(crate) struct Clock {
    http: reqwest::Client,
    url: String,
    /// In milliseconds: by how much its time went on while ours did not.
    ahead: AtomicU64,
}

impl Clock {
    /// Of the cluster, if it is simulated.
    pub(crate) fn of(cluster: &Cluster) -> Option<Self> {
        let url = cluster.simulator.as_ref()?;
        let url = format!("{}/control/clock", url.trim_end_matches('/'));
        Some(Self { http: reqwest::Client::new(), url, ahead: AtomicU64::new(0) })
    }

    async fn advance(&self, period: Duration) -> Result<(), reqwest::Error> {
        let body = json!({"advance": period.as_secs_f64()});
        self.http.post(&self.url).json(&body).send().await?.error_for_status()?;
        self.ahead.fetch_add(u64::try_from(period.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(())
    }
}

impl Cloud {
    /// Returns when `period` has passed on the cloud.
    pub async fn wait(&self, period: Duration) {
        if let Some(clock) = self.clock() {
            match clock.advance(period).await {
                Ok(()) => return,
                // the next call will tell what is wrong
                Err(error) => tracing::warn!(%error, "the simulated cloud's clock cannot be moved"),
            }
        }
        tokio::time::sleep(period).await;
    }

    /// For something that begins now: the looks are `least` apart at first, and `most` after long.
    pub fn pace(&self, least: Duration, most: Duration) -> Pace {
        Pace { began: self.now(), least, most }
    }

    /// Waits until it is time for another look.
    pub async fn look_again(&self, pace: &Pace) {
        let pause = match self.clock() {
            Some(_) => pace.most,
            None => pause(self.now() - pace.began, pace.least, pace.most),
        };
        self.wait(pause).await;
    }

    /// An instant of the time that [`wait`](Self::wait) lets pass, for deadlines.
    pub fn now(&self) -> Instant {
        let ahead = self.clock().map_or(0, |clock| clock.ahead.load(Ordering::Relaxed));
        Instant::now() + Duration::from_millis(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_at_any_time_is_noticed_soon() {
        let (least, most) = (Duration::from_millis(100), Duration::from_secs(2));
        for end in (0..600_000).step_by(77).map(Duration::from_millis) {
            let mut now = Duration::ZERO;
            while now < end {
                now += pause(now, least, most);
            }
            assert!(now - end <= (end / 50).max(least).min(most), "{end:?} was noticed at {now:?}");
        }
    }
}
