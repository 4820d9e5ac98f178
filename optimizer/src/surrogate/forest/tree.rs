//! One regression tree: a partition of the space by cuts of single columns, constant in each part.

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::space::{Column, Point};

/// A leaf has at least so many different results; one of them alone would be believed whatever its noise.
const LEAST: usize = 2;
/// A column is looked at in a split with this probability, so that trees differ (Hutter, Hoos, Leyton-Brown 2011, "Sequential
/// Model-Based Optimization for General Algorithm Configuration").
const LOOKED_AT: f64 = 5.0 / 6.0;
/// A split is better than another one if it explains more by this part; equal ones would be told apart by rounding.
const MORE: f64 = 1e-9;

/// Results by row, and by column the rows in the order of their numbers: what is the same for all trees of a forest.
#[derive(Clone, Debug)]
pub(super) struct Sorted<'a> {
    columns: &'a [Column],
    points: &'a [Point],
    values: &'a [f64],
    orders: Vec<Vec<usize>>,
}

impl<'a> Sorted<'a> {
    pub(super) fn new(columns: &'a [Column], points: &'a [Point], values: &'a [f64]) -> Self {
        let order = |j: usize| {
            let mut rows: Vec<usize> = (0..points.len()).collect();
            rows.sort_by(|a, b| points[*a][j].total_cmp(&points[*b][j]).then(a.cmp(b)));
            rows
        };
        Self { columns, points, values, orders: (0..columns.len()).map(order).collect() }
    }
}

/// Where a column is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// Numbers below this one, and the others.
    Below(f64),
    /// One value, and the others.
    Is(f64),
}

impl Cut {
    fn first(self, x: f64) -> bool {
        match self {
            Self::Below(limit) => x < limit,
            Self::Is(value) => x == value,
        }
    }
}

/// The results of one part of the space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leaf {
    /// Its place in its tree.
    pub place: usize,
    pub mean: f64,
    /// Of its results round their mean.
    pub variance: f64,
    /// How many measurements they are.
    pub weight: f64,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    /// The first part is the next node, the second that with this index.
    Split {
        column: usize,
        cut: Cut,
        second: usize,
    },
    Leaf(Leaf),
}

/// The tree; a node comes before those that it is split into.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// Grown on the results that have a weight, by the splits that leave the least sum of squares (Breiman, Friedman, Olshen, Stone 1984). A
    /// number is cut anywhere between two results, as may be.
    pub(super) fn new(sorted: &Sorted<'_>, weights: &[f64], rng: &mut Xoshiro256PlusPlus) -> Self {
        let taken = |order: &Vec<usize>| order.iter().copied().filter(|i| weights[*i] > 0.0).collect();
        let mut growth = Growth {
            sorted,
            weights,
            orders: sorted.orders.iter().map(taken).collect(),
            first: vec![false; weights.len()],
            moved: Vec::with_capacity(weights.len()),
            nodes: Vec::new(),
        };
        let rows = growth.orders.first().map_or(0, Vec::len);
        growth.grow(0, rows, rng);
        Self { nodes: growth.nodes }
    }

    /// The leaf that `x` is in.
    pub(super) fn leaf(&self, x: &[f64]) -> Leaf {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Split { column, cut, second } => {
                    at = if cut.first(x[column]) { at + 1 } else { second }
                }
                Node::Leaf(leaf) => return leaf,
            }
        }
    }
}

/// A tree that grows.
struct Growth<'a> {
    sorted: &'a Sorted<'a>,
    weights: &'a [f64],
    /// As of all results; those of one node are next to each other in every column's order.
    orders: Vec<Vec<usize>>,
    /// By row, whether it is in the first part of the split at hand.
    first: Vec<bool>,
    /// Rows of the second part, while an order is split.
    moved: Vec<usize>,
    nodes: Vec<Node>,
}

/// Sum of weights and of weighted values.
#[derive(Clone, Copy, Default)]
struct Sum {
    weight: f64,
    value: f64,
    rows: usize,
}

impl Sum {
    fn add(&mut self, weight: f64, value: f64) {
        self.weight += weight;
        self.value += weight * value;
        self.rows += 1;
    }

    fn less(self, part: Self) -> Self {
        Self {
            weight: self.weight - part.weight,
            value: self.value - part.value,
            rows: self.rows - part.rows,
        }
    }

    /// What a mean of its own explains of the sum of squares.
    fn explained(self) -> f64 {
        self.value * self.value / self.weight
    }
}

impl Growth<'_> {
    /// The node of the rows `from..to` of every order, and all below it.
    fn grow(&mut self, from: usize, to: usize, rng: &mut Xoshiro256PlusPlus) {
        let mut all = Sum::default();
        for i in &self.orders[0][from..to] {
            all.add(self.weights[*i], self.sorted.values[*i]);
        }
        let Some((column, cut)) = self.split(from, to, all, rng) else {
            let leaf = self.leaf(from, to, all);
            self.nodes.push(Node::Leaf(leaf));
            return;
        };
        let middle = self.part(from, to, column, cut);
        let at = self.nodes.len();
        self.nodes.push(Node::Split { column, cut, second: 0 });
        self.grow(from, middle, rng);
        let next = self.nodes.len();
        if let Node::Split { second, .. } = &mut self.nodes[at] {
            *second = next;
        }
        self.grow(middle, to, rng);
    }

    fn leaf(&self, from: usize, to: usize, all: Sum) -> Leaf {
        let mean = all.value / all.weight;
        let squares = self.orders[0][from..to].iter();
        let squares: f64 = squares.map(|i| self.weights[*i] * (self.sorted.values[*i] - mean).powi(2)).sum();
        Leaf { place: self.nodes.len(), mean, variance: squares / all.weight, weight: all.weight }
    }

    /// The split that explains most, if any explains something.
    fn split(&self, from: usize, to: usize, all: Sum, rng: &mut Xoshiro256PlusPlus) -> Option<(usize, Cut)> {
        if to - from < 2 * LEAST {
            return None;
        }
        let mut most = all.explained() + MORE * all.weight;
        let mut best = None;
        for (j, column) in self.sorted.columns.iter().enumerate() {
            if rng.random::<f64>() >= LOOKED_AT {
                continue;
            }
            let mut consider = |part: Sum, cut: Cut| {
                let other = all.less(part);
                if part.rows < LEAST || other.rows < LEAST {
                    return;
                }
                let explained = part.explained() + other.explained();
                if explained > most {
                    most = explained + MORE * all.weight;
                    best = Some((j, cut));
                }
            };
            let rows = &self.orders[j][from..to];
            let number = |i: usize| self.sorted.points[i][j];
            let mut part = Sum::default();
            for (k, i) in rows.iter().enumerate() {
                part.add(self.weights[*i], self.sorted.values[*i]);
                let Some(next) = rows.get(k + 1).map(|i| number(*i)) else {
                    if matches!(column, Column::Nominal { .. }) {
                        consider(part, Cut::Is(number(*i)));
                    }
                    break;
                };
                if number(*i) < next {
                    match column {
                        Column::Number { .. } => {
                            consider(part, Cut::Below(0.5 * (number(*i) + next)));
                        }
                        Column::Nominal { .. } => {
                            consider(part, Cut::Is(number(*i)));
                            part = Sum::default();
                        }
                    }
                }
            }
        }
        let (j, cut) = best?;
        let Cut::Below(middle) = cut else { return best };
        // anywhere between the two results is as good to the data, and where it is says how little is known there
        let numbers = self.orders[j][from..to].iter().map(|i| self.sorted.points[*i][j]);
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
        for x in numbers {
            if x < middle {
                low = low.max(x);
            } else {
                high = high.min(x);
            }
        }
        Some((j, Cut::Below((high - (high - low) * rng.random::<f64>()).max(low.next_up()))))
    }

    /// Sorts the rows of a node into its two parts, in every order; where the second one begins.
    fn part(&mut self, from: usize, to: usize, column: usize, cut: Cut) -> usize {
        for i in &self.orders[column][from..to] {
            self.first[*i] = cut.first(self.sorted.points[*i][column]);
        }
        let mut middle = from;
        for order in &mut self.orders {
            self.moved.clear();
            middle = from;
            for k in from..to {
                let row = order[k];
                if self.first[row] {
                    order[middle] = row;
                    middle += 1;
                } else {
                    self.moved.push(row);
                }
            }
            order[middle..to].copy_from_slice(&self.moved);
        }
        middle
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::design;

    proptest! {
        #[test]
        fn a_leaf_is_what_the_results_in_it_say(
            rows in proptest::collection::vec((0.0..1.0f64, 0u8..4, -3.0..3.0f64, 0u8..3), 4..40), seed in 0u64..1000,
        ) {
            let columns = [Column::Number { levels: None }, Column::Nominal { count: 4 }];
            let points: Vec<Point> = rows.iter().map(|r| vec![r.0, f64::from(r.1)]).collect();
            let values: Vec<f64> = rows.iter().map(|r| r.2).collect();
            let weights: Vec<f64> = rows.iter().map(|r| f64::from(r.3)).collect();
            prop_assume!(weights.iter().any(|w| *w > 0.0));
            let tree = Tree::new(&Sorted::new(&columns, &points, &values), &weights, &mut design::generator(seed));
            for x in &points {
                let leaf = tree.leaf(x);
                let within: Vec<usize> = (0..points.len())
                    .filter(|i| weights[*i] > 0.0 && tree.leaf(&points[*i]).place == leaf.place)
                    .collect();
                let weight: f64 = within.iter().map(|i| weights[*i]).sum();
                let mean = within.iter().map(|i| weights[*i] * values[*i]).sum::<f64>() / weight;
                let squares: f64 = within.iter().map(|i| weights[*i] * (values[*i] - mean).powi(2)).sum();
                prop_assert!((leaf.weight - weight).abs() < 1e-9 && (leaf.mean - mean).abs() < 1e-9);
                prop_assert!((leaf.variance - squares / weight).abs() < 1e-9);
                let all = weights.iter().filter(|w| **w > 0.0).count();
                prop_assert!(within.len() >= LEAST.min(all), "{} of {all}", within.len());
            }
        }
    }
}
