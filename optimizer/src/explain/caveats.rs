//! What is not to be concluded from an explanation, and why.

use std::collections::BTreeSet;

use autoopt_epoch::message::Ask;

use super::Explanation;
use crate::space::Codec;
use crate::surrogate::{Bends, End};

/// Fewer measured results than this are not modelled.
pub(super) const LEAST: usize = 5;
/// Below this share of predicted variance the model knows little.
const R_SQUARED: f64 = 0.3;
/// With `n` results that are noise alone up to this `/ √n` seems predicted, since hyperparameters and weights were fitted to the same results: with
/// 40 results of five columns R² reached 0.45 in one of twelve draws.
const CHANCE: f64 = 3.0;

pub(super) fn caveats(e: &Explanation, ask: &Ask, columns: usize, placed: usize) -> Vec<String> {
    let mut all = Vec::new();
    let c = &e.calibration;
    if e.measured < 2 * columns {
        all.push(format!(
            "{} results are few for {columns} columns of parameters: what is said of single parameters follows the model's assumptions more than the data",
            e.measured
        ));
    }
    if c.r_squared < R_SQUARED.max(CHANCE / (c.results.max(1) as f64).sqrt()) {
        all.push(format!(
            "results that are left out are hardly predicted from the others, or not more than {} results of noise alone can seem to be (R² {:.2}): effects, importance and the expected gain left are not supported by the data",
            c.results, c.r_squared
        ));
    }
    // two standard deviations of a binomial share
    let chance = 2.0 * (0.9 * 0.1 / c.results.max(1) as f64).sqrt();
    if c.within_90 < 0.9 - chance {
        all.push(format!(
            "90 % intervals held only {:.0} % of the results that were left out: the intervals here are too narrow",
            c.within_90 * 100.0
        ));
    }
    if e.effects.iter().all(|x| x.first_order.low < 0.02 && x.total.low < 0.05) {
        all.push("no parameter's importance is told from 0".into());
    }
    if !ask.constraints.is_empty() {
        all.push(
            "effects and importance are over the whole box, also where the constraints allow no trial".into(),
        );
    }
    if e.failed > 0 {
        all.push(format!(
            "{} trials failed or broke a constraint on their outcome; what they did is not in the effects",
            e.failed
        ));
    }
    // where a result is from is not always told
    let clusters: BTreeSet<&str> =
        ask.results.iter().map(|r| r.cluster.as_str()).filter(|cluster| !cluster.is_empty()).collect();
    if clusters.len() > 1 {
        all.push(format!(
            "results of {} clusters are compared by their own baselines: what is said is of what they have in common",
            clusters.len()
        ));
    }
    if placed < ask.results.len() {
        all.push(format!(
            "{} results have no place in the space and are left out",
            ask.results.len() - placed
        ));
    }
    all
}

/// By number whose range is bent, what that says of the range.
pub(super) fn bent(ask: &Ask, codec: &Codec, bends: &Bends) -> Vec<String> {
    let bent = ask.parameters.iter().filter_map(|parameter| {
        let bend = codec.columns_of(&parameter.name).into_iter().find_map(|column| bends.of(column))?;
        let (end, advice) = match bend.end {
            End::Low if parameter.low.is_some_and(|low| low > 0.0) && !parameter.log => {
                ("low", "`log = true` would tell the whole search so")
            }
            End::Low => ("low", "a smaller `high` would tell the whole search so"),
            End::High => ("high", "a larger `low` would tell the whole search so"),
        };
        Some(format!(
            "`{}` does most of what it does near the {end} end of its range, which the model found out by itself; {advice}",
            parameter.name
        ))
    });
    bent.collect()
}
