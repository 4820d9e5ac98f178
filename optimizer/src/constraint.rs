//! Outcome constraints as models of their own: how probably each holds, from by how much it held or was broken.
//!
//! `latency_p95 <= 50` says more of a trial than whether it was kept: 49.9 is nearly broken. So the margin of each constraint (its left
//! side less its right side; positive: broken) is modelled by a Gaussian process of its own, and the acquisition is multiplied by
//! the probability that the margin is no more than 0 (Gardner, Kusner, Xu, Weinberger, Cunningham 2014; Letham, Karrer, Ottoni,
//! Bakshy 2019). Margins are drawn together by `sgn(m) ln(1 + |m|/s)`, which keeps the sign and takes the weight from those far from
//! 0 (Eriksson, Poloczek 2021); `s` is the median size.

use std::collections::BTreeMap;

use autoopt_epoch::failure::Outcome;
use autoopt_epoch::formula::Comparison;
use autoopt_epoch::message::{Ask, Observation, TrialKind};

use crate::align::by_cluster;
use crate::limit::AtMost;
use crate::space::{Codec, Column, Point};
use crate::surrogate::fit::{default_start, search};
use crate::surrogate::{Data, Gp, GpError, Hyper, Pairs, Shape};

/// Hyperparameters are searched on so many results, and a model is conditioned on no more than these.
const SUBSET: usize = 70;
const MOST: usize = 500;
/// Steps of a search.
const STEPS: u64 = 20;
/// A margin is modelled from so many results on.
const FEWEST: usize = 3;

/// The margins of every constraint of `ask` by result, where all of them can be computed from what the result tells; by index of the
/// result.
pub fn margins(ask: &Ask) -> BTreeMap<usize, Vec<f64>> {
    let parsed: Option<Vec<Comparison>> =
        ask.outcome_constraints.iter().map(|text| Comparison::parse(text).ok()).collect();
    let Some(constraints) = parsed.filter(|c| !c.is_empty()) else { return BTreeMap::new() };
    let baselines: BTreeMap<&str, BTreeMap<&str, f64>> = by_cluster(&ask.results)
        .into_iter()
        .map(|(cluster, results)| (cluster, baseline(&results)))
        .collect();
    let margin = |result: &Observation, constraint: &Comparison| {
        let lookup = |name: &str| match name.strip_prefix(autoopt_epoch::measure::BASELINE) {
            Some(name) => baselines.get(result.cluster.as_str())?.get(name).copied(),
            None => result.metrics.get(name).copied(),
        };
        constraint.margin(&lookup).ok().filter(|m| m.is_finite())
    };
    let told = ask.results.iter().enumerate().filter(|(_, r)| r.outcome != Outcome::Infeasible);
    told.filter_map(|(i, r)| {
        Some((i, constraints.iter().map(|c| margin(r, c)).collect::<Option<Vec<f64>>>()?))
    })
    .collect()
}

/// The mean of each metric over a cluster's baselines.
fn baseline<'a>(results: &[&'a Observation]) -> BTreeMap<&'a str, f64> {
    let mut all: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for result in results.iter().filter(|r| r.kind == TrialKind::Baseline) {
        result.metrics.iter().for_each(|(name, value)| all.entry(name).or_default().push(*value));
    }
    all.into_iter()
        .map(|(name, mut values)| {
            // summed in order of value, so that the order of arrival changes nothing
            values.sort_by(f64::total_cmp);
            (name, values.iter().sum::<f64>() / values.len() as f64)
        })
        .collect()
}

/// A model of each constraint; none where too little is known. Results of all clusters are taken as those of one function.
pub fn models(ask: &Ask, codec: &Codec) -> Result<Vec<AtMost>, GpError> {
    let mut told: Vec<(Point, Vec<f64>, f64)> = margins(ask)
        .into_iter()
        .filter_map(|(i, margins)| {
            let result = &ask.results[i];
            Some((codec.encode(&result.parameters)?, margins, f64::from(result.repeats.max(1))))
        })
        .collect();
    if told.len() < FEWEST || codec.columns().is_empty() {
        return Ok(Vec::new());
    }
    told.sort_by(|a, b| compare(&a.0, &b.0).then(compare(&a.1, &b.1)).then(a.2.total_cmp(&b.2)));
    (0..ask.outcome_constraints.len()).map(|k| model(&told, k, codec.columns())).collect()
}

/// The model of margin `k`, transformed, about zero mean and unit variance.
fn model(told: &[(Point, Vec<f64>, f64)], k: usize, columns: &[Column]) -> Result<AtMost, GpError> {
    // those near the limit decide where it is
    let mut order: Vec<usize> = (0..told.len()).collect();
    order.sort_by(|a, b| told[*a].1[k].abs().total_cmp(&told[*b].1[k].abs()).then(a.cmp(b)));
    let mut kept: Vec<usize> = order.iter().copied().take(MOST).collect();
    kept.sort_unstable();
    let sizes = told[order[order.len() / 2]].1[k].abs();
    let largest = told[order[order.len() - 1]].1[k].abs();
    let scale = [sizes, largest].into_iter().find(|s| *s > 0.0).unwrap_or(1.0);
    let drawn: Vec<f64> = kept
        .iter()
        .map(|i| {
            let m = told[*i].1[k] / scale;
            m.signum() * m.abs().ln_1p()
        })
        .collect();
    let n = drawn.len() as f64;
    let mean = drawn.iter().sum::<f64>() / n;
    let variance = drawn.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    let deviation = if variance.sqrt() > 1e-12 { variance.sqrt() } else { 1.0 };
    let data = Data {
        points: kept.iter().map(|i| told[*i].0.clone()).collect(),
        values: drawn.iter().map(|v| (v - mean) / deviation).collect(),
        repeats: kept.iter().map(|i| told[*i].2).collect(),
        ..Data::default()
    };
    // every k-th, which are spread over the space as the points are sorted
    let every: Vec<usize> = (0..kept.len()).step_by(kept.len().div_ceil(SUBSET)).collect();
    let few = data.select(&every);
    let mode = default_start(Shape::Rough, columns, &[]);
    let starts = [Hyper { log_noise: -4.0, ..mode }];
    let (hyper, _) = search(columns, &Pairs::new(columns, &few.points), &few, &starts, STEPS);
    // a margin of 0
    let limit = -mean / deviation;
    Ok(AtMost { gp: Gp::new(columns, &hyper, &data)?, limit, noise: 0.0 })
}

fn compare(a: &[f64], b: &[f64]) -> std::cmp::Ordering {
    a.iter().zip(b).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design;
    use crate::term::{Term, tests::gradient_matches};

    #[test]
    fn the_limit_is_found_and_gradients_match_finite_differences() {
        let columns = [Column::Number { levels: None }, Column::Number { levels: None }];
        // holds where x + y <= 1, by margins from -100 to 100
        let told: Vec<(Point, Vec<f64>, f64)> = (0..24)
            .map(|i| {
                let p = design::sobol(i, 2, 9);
                let margin = 100.0 * (p[0] + p[1] - 1.0);
                (p, vec![margin], 1.0)
            })
            .collect();
        let constraint = model(&told, 0, &columns).unwrap();
        let probability = |x: f64, y: f64| constraint.logs(&[vec![x, y]])[0].exp();
        assert!(probability(0.2, 0.2) > 0.95 && probability(0.8, 0.8) < 0.05);
        assert!((0.1..0.9).contains(&probability(0.5, 0.5)), "{}", probability(0.5, 0.5));
        for x in [[0.52, 0.45], [0.3, 0.75]] {
            gradient_matches(&constraint, &x, 1e-3);
        }
    }
}
