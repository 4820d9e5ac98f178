//! Where proposals are sought in spaces of many dimensions: a trust region round the best point.

use crate::known::Known;
use crate::space::{Column, Point};
use crate::surrogate::Gp;

/// From so many columns on there is one: most of a box is rim then, of which a model knows little and expects much.
const DIMENSIONS: usize = 15;
/// Its length at first and at most, as a part of the range, and that below which it begins anew (Eriksson, Pearce, Gardner, Turner, Poloczek 2019, "Scalable
/// Global Optimization via Local Bayesian Optimization"; so are the numbers below).
const FIRST: f64 = 0.8;
const LONGEST: f64 = 1.6;
const SHORTEST: f64 = 1.0 / 128.0;
/// Improvements in a row after which it is twice as long; half as long it is after as many failures as there are columns.
const SUCCESSES: usize = 3;
/// Standard deviations of the results by which one improves on the best so far.
const IMPROVES: f64 = 1e-3;

/// A box within the unit cube, in the coordinates that the model sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// By column the ends of its side, none for one that is not a number.
    sides: Vec<Option<[f64; 2]>>,
}

impl Region {
    /// Round the point that `objective` expects to be best, with sides in proportion to its length scales; as long as follows from how many trials, one after
    /// another, improved on those before them. `None` in few dimensions, and while nothing was measured.
    pub fn new(objective: &Gp, columns: &[Column], known: &Known) -> Option<Self> {
        if columns.len() < DIMENSIONS {
            return None;
        }
        let mut told: Vec<(u32, f64, &Point)> = known
            .measured()
            .filter(|s| s.allowed)
            .map(|s| (s.number, objective.mean_at(&s.point), &s.point))
            .collect();
        let (_, _, centre) = told.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
        let hyper = objective.hyper();
        let centre = hyper.bends.at(centre).into_owned();
        told.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let length = length(told.iter().map(|(_, mean, _)| *mean), columns.len());
        let middle = hyper.log_lengths.iter().sum::<f64>() / columns.len() as f64;
        let side = |((column, c), log): ((&Column, &f64), &f64)| match column {
            Column::Number { .. } => {
                let half = 0.5 * length * (log - middle).exp();
                Some([(c - half).max(0.0), (c + half).min(1.0)])
            }
            Column::Nominal { .. } => None,
        };
        Some(Self { sides: columns.iter().zip(&centre).zip(&hyper.log_lengths).map(side).collect() })
    }

    /// A point of the unit cube, shrunk into the region with it.
    pub fn shrunk(&self, mut cube: Point) -> Point {
        self.each(&mut cube, |x, [low, high]| low + (high - low) * x);
        cube
    }

    /// The nearest point of the region.
    pub fn nearest(&self, mut point: Point) -> Point {
        self.each(&mut point, |x, [low, high]| x.clamp(low, high));
        point
    }

    fn each(&self, point: &mut [f64], moved: impl Fn(f64, [f64; 2]) -> f64) {
        for (x, side) in point.iter_mut().zip(&self.sides) {
            if let Some(side) = side {
                *x = moved(*x, *side);
            }
        }
    }
}

/// The length after trials with these means.
fn length(means: impl Iterator<Item = f64>, columns: usize) -> f64 {
    let (mut best, mut length, mut successes, mut failures) = (f64::INFINITY, FIRST, 0, 0);
    for mean in means {
        if mean < best - IMPROVES {
            (best, successes, failures) = (mean, successes + 1, 0);
        } else {
            (successes, failures) = (0, failures + 1);
        }
        if successes == SUCCESSES {
            (length, successes) = ((2.0 * length).min(LONGEST), 0);
        } else if failures == columns {
            (length, failures) = (length / 2.0, 0);
        }
        if length < SHORTEST {
            length = FIRST;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_with_improvements_and_shrinks_with_failures_and_begins_anew() {
        let after = |improved: &[bool]| {
            let mut best = 0.0;
            length(
                improved.iter().map(|better| {
                    best -= f64::from(u8::from(*better));
                    if *better { best } else { best + 1.0 }
                }),
                20,
            )
        };
        assert_eq!(after(&[]), 0.8);
        assert_eq!(after(&[true; 3]), 1.6);
        assert_eq!(after(&[true; 9]), 1.6, "no longer than that");
        assert_eq!(after(&[&[true; 2][..], &[false; 20]].concat()), 0.4);
        assert_eq!(after(&[&[true][..], &[false; 19], &[true], &[false; 19]].concat()), 0.8, "not in a row");
        assert_eq!(after(&[&[true][..], &[false; 140]].concat()), 0.8, "it was too short");
    }

    #[test]
    fn points_are_brought_into_its_sides() {
        let region = Region { sides: vec![Some([0.2, 0.6]), None] };
        assert_eq!(region.shrunk(vec![0.5, 2.0]), [0.4, 2.0]);
        assert_eq!(region.nearest(vec![0.9, 1.0]), [0.6, 1.0]);
        assert_eq!(region.nearest(vec![0.3, 0.0]), [0.3, 0.0]);
    }
}
