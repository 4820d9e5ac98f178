//! How guests behave, and how uneven their hosts are.

use serde::{Deserialize, Serialize};

/// Times of a guest's life, in virtual seconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuestConfig {
    /// From ACTIVE to the runner's first step.
    pub boot: f64,
    /// A benchmark starts once no benchmark guest of its project has booted for so long, so that an application's parts run together.
    pub settle: f64,
    /// How long a benchmark runs.
    pub duration: f64,
}

impl Default for GuestConfig {
    fn default() -> Self {
        Self { boot: 15.0, settle: 60.0, duration: 60.0 }
    }
}

/// What varies without anybody's doing; see docs/simulator.md.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Noise {
    /// σ of the logarithm of every printed rate and latency.
    pub measurement: f64,
    /// σ of the logarithm of a host's slowly changing speed.
    pub drift: f64,
    /// In which time a host's speed changes, in virtual seconds.
    pub drift_period: f64,
    /// Amplitude of the daily swing of other tenants' CPU use, as a share of a host's CPUs.
    pub diurnal: f64,
}

impl Default for Noise {
    fn default() -> Self {
        Self { measurement: 0.02, drift: 0.01, drift_period: 7200.0, diurnal: 0.03 }
    }
}
