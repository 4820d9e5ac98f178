//! Points chosen without a model: a scrambled Sobol sequence, a Latin hypercube, a grid, and plain random numbers.

mod grid;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::known::Known;
use crate::space::{Codec, Column, Point};

pub use grid::{Grid, NoneLeft};

/// Draws before a space is called empty or exhausted; a draw that breaks a constraint is also repaired.
const ATTEMPTS: u32 = 400;

/// Mixes `words` into one: splitmix64 (Steele, Lea, Flood 2014), so that the result is the same on every machine.
pub fn seed(words: &[u64]) -> u64 {
    words.iter().fold(0x9e37_79b9_7f4a_7c15, |state, word| {
        let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// A generator for `seed`.
pub fn generator(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// Point `index` of the scrambled Sobol sequence of `seed` in `dimensions` dimensions, within `[0, 1)`.
///
/// Owen scrambling after Burley (2020). Dimensions beyond the sequence's 256, and points beyond its 65,536, continue
/// under another scramble, which keeps them uniform.
pub fn sobol(index: u32, dimensions: usize, seed: u64) -> Vec<f64> {
    let block = index >> 16;
    (0..dimensions)
        .map(|dimension| {
            let scramble = self::seed(&[seed, u64::from(block), (dimension / 256) as u64]);
            f64::from(sobol_burley::sample(index & 0xffff, (dimension % 256) as u32, scramble as u32))
        })
        .collect()
}

/// Where `index` is in an order of the numbers below `count` that `key` chooses: a Feistel network of four rounds, walked
/// until it falls below `count` (Black, Rogaway 2002, "Ciphers with arbitrary finite domains").
fn permuted(index: u64, count: u64, key: u64) -> u64 {
    let half = (u64::BITS - count.saturating_sub(1).leading_zeros()).div_ceil(2).max(1);
    let mask = (1u64 << half) - 1;
    let mut x = index;
    loop {
        let (mut left, mut right) = (x >> half, x & mask);
        for round in 0..4 {
            (left, right) = (right, left ^ (seed(&[key, round, right]) & mask));
        }
        x = left << half | right;
        if x < count {
            return x;
        }
    }
}

/// Point `index` of a Latin hypercube of `count` points in `dimensions` dimensions, within `[0, 1)`: in every dimension each of
/// `count` equal cells holds one of them (McKay, Beckman, Conover 1979). Points beyond `count` begin another one.
pub fn latin(index: u32, count: u32, dimensions: usize, seed: u64) -> Vec<f64> {
    let count = count.max(1);
    let (block, row) = (u64::from(index / count), u64::from(index % count));
    (0..dimensions as u64)
        .map(|dimension| {
            let key = self::seed(&[seed, block, dimension]);
            let cell = permuted(row, u64::from(count), key);
            let within = (self::seed(&[key, cell, 1]) >> 11) as f64 / (1u64 << 53) as f64;
            ((cell as f64 + within) / f64::from(count)).min(1.0 - f64::EPSILON)
        })
        .collect()
}

/// Point `index` of those round `centre`: each number is off by at most `radius` of its range, outside the space counts as at
/// its border.
pub fn around(codec: &Codec, centre: &[f64], radius: f64, index: u32) -> Point {
    let columns = codec.columns();
    let offsets = sobol(index, columns.len(), 0);
    let moved: Point = columns
        .iter()
        .enumerate()
        .map(|(j, column)| match column {
            Column::Number { .. } => (centre[j] + radius * (2.0 * offsets[j] - 1.0)).clamp(0.0, 1.0),
            Column::Nominal { .. } => centre[j],
        })
        .collect();
    codec.canonical(&moved)
}

/// How far `count` points that are to stand for a whole space of so many numbers are spread about its middle, as a part of how far uniform
/// ones are: `√(1 − n^(−2/D))`.
///
/// Where each has to stand for a large part of the space, the points that are nearest to it on average leave its rim alone: one of them is best
/// in the middle, and in many dimensions nearly all of a box is rim. With `n` code words for `D` independent normal numbers of
/// variance `σ²` the least mean distance is `σ² n^(−2/D)` for each, and theirs have the variance `σ² (1 − n^(−2/D))` (Shannon 1959, "Coding
/// theorems for a discrete source with a fidelity criterion").
pub fn spread(count: u32, numbers: usize) -> f64 {
    (1.0 - f64::from(count.max(1)).powf(-2.0 / numbers.max(1) as f64)).sqrt()
}

/// Uniform random numbers.
pub fn uniform(dimensions: usize, rng: &mut Xoshiro256PlusPlus) -> Vec<f64> {
    (0..dimensions).map(|_| rng.random::<f64>()).collect()
}

/// A standard normal deviate (Box, Muller 1958).
pub fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// The standard normal number below which a share `p` of them lie.
pub fn normal_quantile(p: f64) -> f64 {
    -std::f64::consts::SQRT_2 * puruspe::inverfc(2.0 * p)
}

/// Why there is no point to propose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// No point keeps all constraints.
    Contradiction,
    /// Every point there is, is being evaluated.
    Exhausted,
}

/// The first of the points `draw(0)`, `draw(1)`, … that keeps the constraints and was not evaluated; failing that, the
/// first that does once moved. In a space with few points, any that is left; when all were evaluated, one of them again,
/// but never one that is pending.
pub fn first(
    codec: &Codec,
    known: &Known,
    rng: &mut Xoshiro256PlusPlus,
    mut draw: impl FnMut(u32, &mut Xoshiro256PlusPlus) -> Vec<f64>,
) -> Result<Point, Shortage> {
    let (mut moved, mut again, mut exists) = (None, None, false);
    for attempt in 0..ATTEMPTS {
        let uniform = draw(attempt, rng);
        let point = codec.sample(&uniform);
        let kept = codec.satisfied(&point);
        let allowed = if kept { Some(point) } else { codec.repair(&point, rng) };
        let Some(point) = allowed else { continue };
        exists = true;
        if known.is_taken(&point) {
            if again.is_none() && !known.is_pending(&point) {
                again = Some(point);
            }
        } else if kept {
            return Ok(point);
        } else if moved.is_none() {
            moved = Some(point);
        }
        // a few more draws for one that needs no moving, which would crowd the border
        if moved.is_some() && attempt >= 20 {
            break;
        }
    }
    if let Some(point) =
        moved.or_else(|| codec.enumerate().into_iter().flatten().find(|p| !known.is_taken(p)))
    {
        return Ok(point);
    }
    if let Some(point) =
        again.or_else(|| codec.enumerate().into_iter().flatten().find(|p| !known.is_pending(p)))
    {
        return Ok(point);
    }
    Err(if exists { Shortage::Exhausted } else { Shortage::Contradiction })
}
