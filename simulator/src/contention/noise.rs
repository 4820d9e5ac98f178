//! What varies without anybody's doing: measurement noise, drift, the day.
//!
//! Every number is a function of the seed, of what it is for, and of the virtual time, so that it does not depend on who asked first.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::config::Noise;

/// A generator for one purpose.
pub fn generator(seed: u64, purpose: &str, index: u64) -> Xoshiro256PlusPlus {
    // FNV-1a (Fowler, Noll, Vo), 64 bits; seed_from_u64 then mixes it
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let bytes = seed.to_le_bytes().into_iter().chain(index.to_le_bytes()).chain(purpose.bytes());
    for byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    Xoshiro256PlusPlus::seed_from_u64(hash)
}

/// A standard normal number (Box and Muller, 1958).
pub fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// A factor whose logarithm is normal with deviation `sigma`, and whose mean is 1.
pub fn log_normal(sigma: f64, rng: &mut Xoshiro256PlusPlus) -> f64 {
    (sigma * normal(rng) - sigma * sigma / 2.0).exp()
}

/// The factor on a host's speed at `time` seconds: normal numbers every `drift_period`, linear between them.
pub fn drift(noise: &Noise, seed: u64, host: &str, time: f64) -> f64 {
    if noise.drift == 0.0 {
        return 1.0;
    }
    let position = time / noise.drift_period;
    let knot = position.floor();
    let at = |knot: f64| normal(&mut generator(seed, host, knot as u64));
    let between = position - knot;
    (noise.drift * (at(knot) * (1.0 - between) + at(knot + 1.0) * between)).exp()
}

/// What other tenants use of a host's CPUs at `time` seconds: most in the afternoon, the clock starting at midnight.
pub fn background(noise: &Noise, mean: f64, time: f64) -> f64 {
    const DAY: f64 = 86_400.0;
    const PEAK: f64 = 15.0 / 24.0;
    (mean + noise.diurnal * (std::f64::consts::TAU * (time / DAY - PEAK)).cos()).clamp(0.0, 0.9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_normal_factors_have_mean_one_and_the_deviation_asked_for() {
        let mut rng = generator(1, "test", 0);
        let factors: Vec<f64> = (0..40_000).map(|_| log_normal(0.1, &mut rng)).collect();
        let mean = factors.iter().sum::<f64>() / 40_000.0;
        let deviation = (factors.iter().map(|f| (f.ln() + 0.005).powi(2)).sum::<f64>() / 40_000.0).sqrt();
        assert!((mean - 1.0).abs() < 0.003, "{mean}");
        assert!((deviation - 0.1).abs() < 0.003, "{deviation}");
    }

    #[test]
    fn drift_is_slow_and_the_day_swings_once() {
        let noise = Noise { measurement: 0.0, drift: 0.05, drift_period: 3600.0, diurnal: 0.2 };
        let (now, soon, later) =
            (drift(&noise, 7, "a", 10.0), drift(&noise, 7, "a", 11.0), drift(&noise, 7, "a", 36_000.0));
        assert!((now - soon).abs() < 1e-3 && (now - later).abs() > 1e-3, "{now} {soon} {later}");
        assert_ne!(now, drift(&noise, 7, "b", 10.0));
        assert!((background(&noise, 0.3, 15.0 * 3600.0) - 0.5).abs() < 1e-12);
        assert!((background(&noise, 0.3, 3.0 * 3600.0) - 0.1).abs() < 1e-12);
    }
}
