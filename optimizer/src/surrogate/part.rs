//! A part of many results that stands for all of them.

use super::gp::Data;

impl Data {
    /// Those of the results with these indices, in that order.
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            points: indices.iter().map(|i| self.points[*i].clone()).collect(),
            values: indices.iter().map(|i| self.values[*i]).collect(),
            repeats: indices.iter().map(|i| self.repeats[*i]).collect(),
            of: indices.iter().filter_map(|i| self.of.get(*i).copied()).collect(),
            relations: self.relations.clone(),
        }
    }
}

/// At most `most` indices of `values`: all, or the better half of `most` by value and of the rest every k-th.
pub fn thinned(values: &[f64], most: usize) -> Vec<usize> {
    let n = values.len();
    if n <= most {
        return (0..n).collect();
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]).then(a.cmp(b)));
    let half = most / 2;
    let rest = n - half;
    let mut chosen: Vec<usize> = order[..half].to_vec();
    chosen.extend((0..half).map(|i| order[half + i * rest / half]));
    chosen
}
