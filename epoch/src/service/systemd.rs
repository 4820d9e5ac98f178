//! What systemd is told; without systemd nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::bus::Bus;

/// The service is up.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The service is about to end.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// One line for `systemctl status`.
pub fn status(text: &str) {
    tell(&[NotifyState::Status(text)]);
}

/// Pings the watchdog, if the unit has one, but only while the bus is connected; never returns.
pub async fn watch(bus: &Bus) {
    let Some(period) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let mut ticks = tokio::time::interval((period / 2).max(Duration::from_millis(100)));
    loop {
        ticks.tick().await;
        if bus.is_connected() {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}
