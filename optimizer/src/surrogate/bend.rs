//! Inputs as the model sees them: a number may tell more at one end of its range than at the other.
//!
//! A buffer from 1 to 100,000 pages that was not declared `log` does all that it does in the first hundredth of its range. Snoek, Swersky,
//! Zemel and Adams (2014, "Input Warping for Bayesian Optimization of Non-Stationary Functions") warp inputs by the distribution function of a
//! Beta distribution; here it is by logarithms, the shape that such parameters have.

use std::borrow::Cow;
use std::cell::LazyCell;

use super::fit::{Screening, search};
use super::gp::{Data, Hyper};
use super::pairs::Pairs;
use crate::space::{Column, Point};

/// `ln(1 + c)` from mild to strong.
const STRENGTHS: [f64; 3] = [2.0, 4.0, 8.0];
/// That no further number is bent is held for so many times as probable beforehand as that one is, all bends together, so that chance among many does
/// not decide.
const DOUBT: f64 = 10.0;

/// The end of a range at which a number tells more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Low,
    High,
}

/// An increasing map of the unit interval onto itself, `ln(1 + c t) / ln(1 + c)` of the distance `t` from one end; a straight line beyond it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bend {
    pub end: End,
    /// `ln(1 + c)`
    pub strength: f64,
}

impl Bend {
    /// Where `u` lies.
    pub fn at(self, u: f64) -> f64 {
        self.with_distance(u, |t| (self.factor() * t).ln_1p() / self.strength, self.factor() / self.strength)
    }

    /// What lies at `w`.
    pub fn undo(self, w: f64) -> f64 {
        self.with_distance(w, |t| (self.strength * t).exp_m1() / self.factor(), self.strength / self.factor())
    }

    /// The derivative of [`Self::at`].
    pub fn slope(self, u: f64) -> f64 {
        let t = match self.end {
            End::Low => u,
            End::High => 1.0 - u,
        };
        self.factor() / (self.strength * (1.0 + self.factor() * t.max(0.0)))
    }

    /// `c`
    fn factor(self) -> f64 {
        self.strength.exp_m1()
    }

    /// `curve` of the distance from the end, `beyond` times it where that is negative.
    fn with_distance(self, x: f64, curve: impl Fn(f64) -> f64, beyond: f64) -> f64 {
        let by_distance = |t: f64| if t < 0.0 { t * beyond } else { curve(t) };
        match self.end {
            End::Low => by_distance(x),
            End::High => 1.0 - by_distance(1.0 - x),
        }
    }
}

/// By column; none of them for no bend at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bends(Vec<Option<Bend>>);

impl Bends {
    /// The same, column `j` of `columns` bent as well.
    pub fn with(&self, j: usize, columns: usize, bend: Bend) -> Self {
        let mut all = self.0.clone();
        all.resize(columns, None);
        all[j] = Some(bend);
        Self(all)
    }

    /// That of column `j`.
    pub fn of(&self, j: usize) -> Option<Bend> {
        self.0.get(j).copied().flatten()
    }

    /// Where `point` lies.
    pub fn at<'a>(&self, point: &'a [f64]) -> Cow<'a, [f64]> {
        self.map(point, Bend::at)
    }

    /// The point that lies at `placed`.
    pub fn undo<'a>(&self, placed: &'a [f64]) -> Cow<'a, [f64]> {
        self.map(placed, Bend::undo)
    }

    /// Every one of `points` where it lies.
    pub fn all<'a>(&self, points: &'a [Point]) -> Cow<'a, [Point]> {
        match self.0.is_empty() {
            true => Cow::Borrowed(points),
            false => points.iter().map(|p| self.at(p).into_owned()).collect(),
        }
    }

    /// Turns a gradient by where `point` lies into one by the point itself.
    pub fn by_point(&self, point: &[f64], gradient: &mut [f64]) {
        for ((g, bend), u) in gradient.iter_mut().zip(&self.0).zip(point) {
            *g *= bend.map_or(1.0, |bend| bend.slope(*u));
        }
    }

    /// The reverse of [`Self::by_point`].
    pub fn by_place(&self, point: &[f64], gradient: &mut [f64]) {
        for ((g, bend), u) in gradient.iter_mut().zip(&self.0).zip(point) {
            *g /= bend.map_or(1.0, |bend| bend.slope(*u));
        }
    }

    fn map<'a>(&self, point: &'a [f64], map: impl Fn(Bend, f64) -> f64) -> Cow<'a, [f64]> {
        if self.0.is_empty() {
            return Cow::Borrowed(point);
        }
        let moved = self.0.iter().zip(point).map(|(bend, x)| bend.map_or(*x, |bend| map(bend, *x)));
        Cow::Owned(moved.collect())
    }
}

/// The fit `(hyper, density)` of `data` with the numbers bent, one by one, that this makes the results more probable of; hyperparameters follow each with
/// `iterations` steps.
pub fn fit(
    columns: &[Column],
    mut pairs: Pairs,
    data: &Data,
    (mut hyper, mut density): (Hyper, f64),
    iterations: u64,
) -> (Hyper, Pairs) {
    let numbers: Vec<usize> =
        (0..columns.len()).filter(|j| matches!(columns[*j], Column::Number { .. })).collect();
    let doubt = (DOUBT * (2 * STRENGTHS.len() * numbers.len()) as f64).ln();
    while let Some(Likely { column, bend, idle }) = likeliest(columns, &numbers, &pairs, data, &hyper) {
        let bent = pairs.bent(column, bend);
        let start = Hyper { bends: hyper.bends.with(column, columns.len(), bend), ..hyper.clone() };
        let (found, reached) = search(columns, &bent, data, &[start], iterations);
        if reached <= density + idle + doubt {
            break;
        }
        (hyper, pairs, density) = (found, bent, reached);
    }
    (hyper, pairs)
}

/// A bend that is worth a fit.
struct Likely {
    column: usize,
    bend: Bend,
    /// By how much the results' log likelihood would rise if the column had no effect: a strong bend draws most of a range together, which is
    /// nearly the same.
    idle: f64,
}

/// The bend of one of `numbers` by which, all else being as it is, the likelihood of the results rises most beyond what it would if the number had no
/// effect. The stronger is looked at only where the milder was better.
fn likeliest(
    columns: &[Column],
    numbers: &[usize],
    pairs: &Pairs,
    data: &Data,
    hyper: &Hyper,
) -> Option<Likely> {
    let screening = Screening::new(columns, pairs, data, hyper);
    let straight = screening.as_it_is();
    let mut best: Option<(f64, Likely)> = None;
    for column in numbers.iter().copied().filter(|j| hyper.bends.of(*j).is_none()) {
        let without = screening.without(column);
        let idle = LazyCell::new(|| (screening.with(&without, &pairs.alike()) - straight).max(0.0));
        for end in [End::Low, End::High] {
            let mut least = straight;
            for bend in STRENGTHS.map(|strength| Bend { end, strength }) {
                let reached = screening.with(&without, &pairs.bent_numbers(column, bend));
                if reached <= least || reached <= straight + *idle {
                    break;
                }
                least = reached;
                let gain = reached - straight - *idle;
                if best.as_ref().is_none_or(|(most, _)| gain > *most) {
                    best = Some((gain, Likely { column, bend, idle: *idle }));
                }
            }
        }
    }
    best.map(|(_, likely)| likely)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design;
    use crate::surrogate::Shape;
    use crate::surrogate::fit::default_start;

    /// The bends of 30 results of two numbers, of which the first is seen through `bend`.
    fn fitted(bend: Option<Bend>, seed: u64) -> Bends {
        let columns = [Column::Number { levels: None }, Column::Number { levels: None }];
        let points: Vec<Point> = (0..30).map(|i| design::sobol(i, 2, seed)).collect();
        let value = |p: &Point| {
            let x = bend.map_or(p[0], |bend| bend.at(p[0]));
            4.0 * (x - 0.4).powi(2) + (p[1] - 0.6).powi(2) + x * p[1] - 1.0
        };
        let values = points.iter().map(value).collect();
        let data = Data { points, values, repeats: vec![1.0; 30], ..Data::default() };
        let pairs = Pairs::new(&columns, &data.points);
        let straight = search(&columns, &pairs, &data, &[default_start(Shape::Rough, &columns, &[])], 30);
        fit(&columns, pairs, &data, straight, 8).0.bends
    }

    #[test]
    fn a_number_that_tells_most_at_one_end_is_bent_there_and_others_hardly_ever() {
        let mut others = 0;
        for seed in 0..10 {
            assert_eq!(fitted(None, seed), Bends::default(), "seed {seed}");
            for end in [End::Low, End::High] {
                let bends = fitted(Some(Bend { end, strength: 5.0 }), seed);
                assert_eq!(bends.of(0).map(|bend| bend.end), Some(end), "seed {seed}");
                others += u32::from(bends.of(1).is_some());
            }
        }
        assert!(others <= 2, "{others} of 20");
    }

    #[test]
    fn bends_map_the_interval_onto_itself_and_back_and_their_slopes_are_those_of_differences() {
        for end in [End::Low, End::High] {
            for strength in STRENGTHS {
                let bend = Bend { end, strength };
                assert!(bend.at(0.0).abs() < 1e-15 && (bend.at(1.0) - 1.0).abs() < 1e-15);
                for u in [-0.7, 0.01, 0.3, 0.5, 0.97, 1.6] {
                    assert!((bend.undo(bend.at(u)) - u).abs() < 1e-9, "{bend:?} {u}");
                    let numeric = (bend.at(u + 1e-7) - bend.at(u - 1e-7)) / 2e-7;
                    assert!((bend.slope(u) / numeric - 1.0).abs() < 1e-4, "{bend:?} {u}");
                }
                let lower = bend.at(0.1);
                assert_eq!(lower > 0.1, end == End::Low);
            }
        }
    }
}
