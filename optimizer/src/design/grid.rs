//! A grid: every combination of some levels of each parameter.

use super::permuted;
use crate::known::Known;
use crate::space::{Codec, Point};

/// Points of a grid that are looked at for one that is left.
const LOOKS: u64 = 200_000;
/// Levels of a number at most.
const MOST: usize = 1000;

/// The levels of every parameter.
#[derive(Clone, Debug)]
pub struct Grid {
    levels: Vec<Vec<Vec<(usize, f64)>>>,
}

/// Why a grid has no point to propose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoneLeft {
    /// None of its points keeps all constraints.
    Contradiction,
    /// All that do are being evaluated.
    Exhausted,
}

impl Grid {
    /// `levels` of each number, its smallest and its largest value among them, its special values beside them, and every value
    /// of other parameters.
    pub fn new(codec: &Codec, levels: usize) -> Self {
        let of = |parameter| codec.levels_to_the_ends(parameter, levels);
        Self { levels: (0..codec.parameters()).map(of).collect() }
    }

    /// The largest with at most `points` points, but with two levels of each number at least.
    pub fn filling(codec: &Codec, points: u32) -> Self {
        let (mut enough, mut beyond) = (2, (points as usize).clamp(2, MOST) + 1);
        while beyond - enough > 1 {
            let middle = usize::midpoint(enough, beyond);
            if Self::new(codec, middle).size() <= u64::from(points) {
                enough = middle;
            } else {
                beyond = middle;
            }
        }
        Self::new(codec, enough)
    }

    /// How many combinations there are; those that mean the same or break a constraint among them.
    pub fn size(&self) -> u64 {
        // an order of more than this many is not needed by any budget
        self.levels.iter().fold(1u64, |size, levels| size.saturating_mul(levels.len() as u64)).min(1 << 60)
    }

    fn point(&self, codec: &Codec, mut rank: u64) -> Point {
        let mut point = vec![0.5; codec.columns().len()];
        for levels in &self.levels {
            let count = levels.len() as u64;
            levels[(rank % count) as usize].iter().for_each(|(column, x)| point[*column] = *x);
            rank /= count;
        }
        codec.snap(&point)
    }

    /// The first point, in an order chosen by `seed`, that keeps the constraints and was not evaluated. When all were, those that
    /// are not pending again, in turn by `number`.
    pub fn next(&self, codec: &Codec, known: &Known, number: u32, seed: u64) -> Result<Point, NoneLeft> {
        let size = self.size();
        let mut again = Vec::new();
        let mut exists = false;
        for index in 0..size.min(LOOKS) {
            let point = self.point(codec, permuted(index, size, seed));
            if !codec.satisfied(&point) {
                continue;
            }
            exists = true;
            if !known.is_taken(&point) {
                return Ok(point);
            }
            if !known.is_pending(&point) {
                again.push(point);
            }
        }
        match again.len() {
            0 if exists => Err(NoneLeft::Exhausted),
            0 => Err(NoneLeft::Contradiction),
            count => Ok(again.swap_remove(number as usize % count)),
        }
    }
}
