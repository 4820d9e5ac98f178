//! Known placement classes: where the response is constant, and known.
//!
//! A scheduler that sends each server to the host with the largest weighted sum places alike wherever a set of linear inequalities
//! in the weights holds: a class of weights with one placement is a convex cell. Cells made by hyperplanes at random (a Poisson
//! hyperplane tessellation; Miles 1972, Santaló 1976) have a simple law: the number of planes between two points is Poisson with a
//! mean proportional to their distance, so that both are in one cell with the probability `exp(−λ d)`. From a point to a cell of
//! which several points are known, `d` is the distance to their convex hull: the cell is convex, so the hull is inside it, and that
//! no plane crosses the hull makes planes near it rarer, never more frequent. Inside the hull the point is surely of that class.
//!
//! The rate `λ` is estimated from pairs of near results with known placements, the distance is in the length scales of the
//! objective's model, and how much of a result its class decides is estimated from results of one class beside all others: where
//! the parameters do more than place servers, or noise is strong, a known class excludes little.

use std::collections::BTreeMap;

use crate::known::Known;
use crate::space::{Column, Point};
use crate::surrogate::Gp;
use crate::surrogate::warp::Warp;
use crate::term::Term;

/// Each result is paired with so many of its nearest ones to estimate the rate.
const NEAREST: usize = 8;
/// Steps towards the nearest point of a hull. Any of them is a point of the hull, so fewer only exclude less.
const STEPS: usize = 12;
/// Steps of bisection, over 30 powers of two.
const BISECTIONS: usize = 40;
/// The probability of a new class is no less.
const LEAST_NEW: f64 = 1e-6;
/// Before results of one class were seen their class is thought to decide half of them: this many degrees of freedom are of that
/// opinion.
const OPINION: f64 = 1.0;

/// The classes that were seen: what is expected of a point counts only as far as its class is not known.
#[derive(Clone, Debug)]
pub struct Classes {
    embedding: Embedding,
    /// Planes per unit of distance.
    rate: f64,
    /// The share of a result that its class decides, times the probability that equal values have equal placements.
    decides: f64,
    /// By cluster.
    places: Vec<Vec<Class>>,
}

/// The points of one class, embedded.
#[derive(Clone, Debug)]
struct Class {
    points: Vec<Point>,
    centre: Point,
    radius: f64,
}

/// A result with a known placement.
struct Placed<'a> {
    place: usize,
    placement: &'a str,
    value: f64,
    at: Point,
}

impl Classes {
    /// The classes of `known`, whose values are those that were measured; `None` while no result tells its placement.
    pub fn new(known: &Known, objective: &Gp, warp: &Warp, columns: &[Column]) -> Option<Self> {
        let embedding = Embedding::new(columns, &objective.hyper().log_lengths);
        let placed: Vec<Placed<'_>> = known
            .measured()
            .filter_map(|s| {
                let value = warp.apply(s.value?);
                Some(Placed {
                    place: s.place,
                    placement: s.placement.as_deref()?,
                    value,
                    at: embedding.of(&s.point),
                })
            })
            .collect();
        if placed.is_empty() {
            return None;
        }
        let mut by_class: BTreeMap<(usize, &str), Vec<&Placed<'_>>> = BTreeMap::new();
        placed.iter().for_each(|p| by_class.entry((p.place, p.placement)).or_default().push(p));
        let mut by_place: BTreeMap<usize, Vec<Class>> = BTreeMap::new();
        for ((place, _), of) in &by_class {
            by_place.entry(*place).or_default().push(Class::new(of.iter().map(|p| p.at.clone()).collect()));
        }
        let values: Vec<Vec<f64>> =
            by_class.values().map(|of| of.iter().map(|p| p.value).collect()).collect();
        let decides = share(&values) * repeatable(&placed);
        let rate = rate(&placed, embedding.diameter());
        Some(Self { embedding, rate, decides, places: by_place.into_values().collect() })
    }

    /// The probability that the class of a point is known and its value with it; the distance behind it, and the nearest known
    /// point's offset. A trial may run on any cluster, so it is that of the one where least is known.
    fn known_at(&self, x: &Point) -> Near {
        let near = self.places.iter().map(|classes| {
            let mut best = Near { probability: 0.0, distance: f64::INFINITY, offset: Vec::new() };
            for class in classes {
                let least = distance(x, &class.centre) - class.radius;
                if least >= best.distance {
                    continue;
                }
                let offset = class.offset(x);
                let distance = norm(&offset);
                if distance < best.distance {
                    best = Near { probability: 0.0, distance, offset };
                }
            }
            best
        });
        let mut farthest = near
            .max_by(|a, b| a.distance.total_cmp(&b.distance))
            .expect("there is at least one place with a class");
        farthest.probability = self.decides * (-self.rate * farthest.distance).exp();
        farthest
    }
}

/// How a point stands to the nearest known class.
struct Near {
    probability: f64,
    distance: f64,
    /// From the nearest point of the class's hull.
    offset: Point,
}

impl Term for Classes {
    fn logs(&self, points: &[Point]) -> Vec<f64> {
        let new = |p: &Point| 1.0 - self.known_at(&self.embedding.of(p)).probability;
        points.iter().map(|p| new(p).max(LEAST_NEW).ln()).collect()
    }

    fn log_with_gradient(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let near = self.known_at(&self.embedding.of(x));
        let new = 1.0 - near.probability;
        if new <= LEAST_NEW || near.distance <= 0.0 {
            return (new.max(LEAST_NEW).ln(), vec![0.0; x.len()]);
        }
        let slope = self.rate * near.probability / new / near.distance;
        (new.ln(), self.embedding.gradient(x.len(), &near.offset, slope))
    }

    fn promising(&self, points: Vec<Point>) -> Vec<Point> {
        points.into_iter().filter(|p| self.known_at(&self.embedding.of(p)).probability < 0.5).collect()
    }
}

impl Class {
    fn new(points: Vec<Point>) -> Self {
        let n = points.len() as f64;
        let centre: Point =
            (0..points[0].len()).map(|j| points.iter().map(|p| p[j]).sum::<f64>() / n).collect();
        let radius = points.iter().map(|p| distance(p, &centre)).fold(0.0, f64::max);
        Self { points, centre, radius }
    }

    /// From the nearest point of the hull to `x`: Frank and Wolfe's method with exact steps, from the nearest known point.
    fn offset(&self, x: &Point) -> Point {
        let mut offset = self
            .points
            .iter()
            .map(|p| minus(x, p))
            .min_by(|a, b| norm(a).total_cmp(&norm(b)))
            .expect("a class has a point");
        if self.points.len() == 1 {
            return offset;
        }
        for _ in 0..STEPS {
            // the vertex furthest along the offset
            let towards = self
                .points
                .iter()
                .map(|p| minus(x, p))
                .min_by(|a, b| dot(a, &offset).total_cmp(&dot(b, &offset)))
                .expect("a class has a point");
            let step = minus(&offset, &towards);
            let length = dot(&step, &step);
            let gain = dot(&offset, &step);
            if gain <= 1e-12 || length <= 0.0 {
                break;
            }
            let t = (gain / length).min(1.0);
            offset.iter_mut().zip(&step).for_each(|(o, s)| *o -= t * s);
        }
        offset
    }
}

/// The space in which the model's length scales are 1; a nominal column is its one-hot code over √2, as in the kernel.
#[derive(Clone, Debug)]
struct Embedding {
    columns: Vec<Column>,
    lengths: Vec<f64>,
}

impl Embedding {
    fn new(columns: &[Column], log_lengths: &[f64]) -> Self {
        Self { columns: columns.to_vec(), lengths: log_lengths.iter().map(|l| l.exp()).collect() }
    }

    fn of(&self, x: &[f64]) -> Point {
        let mut at = Vec::with_capacity(x.len());
        for ((x, column), length) in x.iter().zip(&self.columns).zip(&self.lengths) {
            match column {
                Column::Number { .. } => at.push(x / length),
                Column::Nominal { count } => {
                    let on = std::f64::consts::FRAC_1_SQRT_2 / length;
                    at.extend((0..*count).map(|i| if *x == i as f64 { on } else { 0.0 }));
                }
            }
        }
        at
    }

    /// `slope` times `offset`, by column of the space.
    fn gradient(&self, columns: usize, offset: &[f64], slope: f64) -> Vec<f64> {
        let mut gradient = vec![0.0; columns];
        let mut next = 0;
        for (j, column) in self.columns.iter().enumerate() {
            match column {
                Column::Number { .. } => {
                    gradient[j] = slope * offset[next] / self.lengths[j];
                    next += 1;
                }
                Column::Nominal { count } => next += count,
            }
        }
        gradient
    }

    /// The largest distance there can be.
    fn diameter(&self) -> f64 {
        self.lengths.iter().map(|l| l.powi(-2)).sum::<f64>().sqrt()
    }
}

/// The rate of a hyperplane tessellation by composite likelihood (Varin, Reid, Firth 2011) over near pairs:
/// `Σ_same −λd + Σ_other ln(1 − exp(−λd))`, which is concave, so that the zero of its derivative is found by bisection. A pair of
/// different classes that is as far apart as can be is counted in, so that the rate is above 0.
fn rate(placed: &[Placed<'_>], diameter: f64) -> f64 {
    let mut same = 0.0;
    let mut other = vec![diameter];
    for (i, one) in placed.iter().enumerate() {
        let mut near: Vec<(f64, bool)> = placed
            .iter()
            .enumerate()
            .filter(|(j, two)| i != *j && one.place == two.place)
            .map(|(_, two)| (distance(&one.at, &two.at), one.placement == two.placement))
            .filter(|(d, _)| *d > 0.0)
            .collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (d, alike) in near.into_iter().take(NEAREST) {
            if alike {
                same += d;
            } else {
                other.push(d);
            }
        }
    }
    let slope = |rate: f64| other.iter().map(|d| d / (rate * d).exp_m1()).sum::<f64>() - same;
    let (mut low, mut high) = ((1e-3f64 / diameter).log2(), (1e6f64 / diameter).log2());
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (low + high);
        if slope(middle.exp2()) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    (0.5 * (low + high)).exp2()
}

/// How often the same values had the same placement, thought of as once at least.
fn repeatable(placed: &[Placed<'_>]) -> f64 {
    let (mut same, mut all) = (1.0, 1.0);
    for (i, one) in placed.iter().enumerate() {
        for two in placed[..i].iter().filter(|two| one.place == two.place && one.at == two.at) {
            all += 1.0;
            same += if one.placement == two.placement { 1.0 } else { 0.0 };
        }
    }
    same / all
}

/// The share of a result's variance that its class decides: 1 − the variance within classes over that of all. By class, the values of
/// its results.
pub(crate) fn share(classes: &[Vec<f64>]) -> f64 {
    let squares = |mut values: Vec<f64>| {
        // summed in order of value, so that the order of arrival changes nothing
        values.sort_by(f64::total_cmp);
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
    };
    let all: Vec<f64> = classes.iter().flatten().copied().collect();
    let freedom = all.len() as f64 - classes.len() as f64;
    let total = squares(all.clone()) / (all.len() as f64 - 1.0).max(1.0);
    let within: f64 = classes.iter().map(|of| squares(of.clone())).sum();
    // all equal: nothing speaks against the class
    let apart = if total > 0.0 { within / total } else { 0.0 };
    (1.0 - (apart + 0.5 * OPINION) / (freedom + OPINION)).max(0.0)
}

fn minus(a: &[f64], b: &[f64]) -> Point {
    a.iter().zip(b).map(|(x, y)| x - y).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design;
    use crate::term::tests::gradient_matches;

    fn placed(at: &[f64], placement: &'static str) -> Placed<'static> {
        Placed { place: 0, placement, value: 0.0, at: at.to_vec() }
    }

    #[test]
    fn distance_to_a_hull_is_that_of_geometry() {
        let square = Class::new(vec![vec![0.0, 0.0], vec![1.0, 0.0], vec![1.0, 1.0], vec![0.0, 1.0]]);
        for (x, d) in [([0.4, 0.7], 0.0), ([1.5, 0.3], 0.5), ([2.0, 2.0], 2f64.sqrt()), ([-0.3, 0.5], 0.3)] {
            let found = norm(&square.offset(&x.to_vec()));
            assert!((found - d).abs() < 0.02 && found > d - 1e-9, "{x:?}: {found} for {d}");
        }
    }

    #[test]
    fn the_rate_of_planes_on_a_line_is_found() {
        // cuts of rate 12 on the unit interval, as a Poisson process has them
        let mut rng = design::generator(5);
        let mut cuts = Vec::new();
        let mut at = 0.0;
        while at < 1.0 {
            at -= design::uniform(1, &mut rng)[0].ln() / 12.0;
            cuts.push(at);
        }
        let names: Vec<&'static str> = (0..cuts.len()).map(|i| &*format!("{i}").leak()).collect();
        let points: Vec<Placed<'_>> = (0..200)
            .map(|i| {
                let x = design::sobol(i, 1, 3)[0];
                placed(&[x], names[cuts.iter().take_while(|c| **c < x).count()])
            })
            .collect();
        let expected = (cuts.len() - 1) as f64;
        let found = rate(&points, 1.0);
        assert!((found / expected - 1.0).abs() < 0.35, "{found} for {expected}");
    }

    #[test]
    fn gradient_matches_finite_differences() {
        let columns = [Column::Number { levels: None }, Column::Number { levels: None }];
        let embedding = Embedding::new(&columns, &[-1.0, -0.5]);
        let of = |points: &[[f64; 2]]| Class::new(points.iter().map(|p| embedding.of(p)).collect());
        let places = vec![vec![of(&[[0.2, 0.2], [0.3, 0.25], [0.22, 0.4]]), of(&[[0.8, 0.7]])]];
        let classes = Classes { embedding, rate: 1.3, decides: 0.9, places };
        for x in [[0.45, 0.3], [0.7, 0.9]] {
            gradient_matches(&classes, &x, 1e-3);
        }
        let inside = classes.logs(&[vec![0.24, 0.28]])[0];
        // as sure as the steps towards the hull's nearest point are exact
        assert!((inside - 0.1f64.ln()).abs() < 0.01, "inside the hull the class is sure: {inside}");
    }
}
