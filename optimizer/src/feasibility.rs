//! The probability that a point works, from which points worked and which did not.

use crate::known::Known;
use crate::limit::AtMost;
use crate::space::Column;
use crate::surrogate::fit::{default_start, search};
use crate::surrogate::part::thinned;
use crate::surrogate::{Data, Gp, GpError, Hyper, Pairs, Shape};

/// Hyperparameters are searched on so many results, and the model is conditioned on no more than these.
const SUBSET: usize = 70;
const MOST: usize = 1000;
/// Steps of a search.
const STEPS: u64 = 8;

/// A regression on labels, −1 of what worked and 1 of what did not, as a probit: `P(label <= 0)`. Failures that have nothing to do with
/// the point end up in the noise. `None` while everything worked.
///
/// # Errors
/// If a covariance is not positive definite.
pub fn model(columns: &[Column], known: &Known) -> Result<Option<AtMost>, GpError> {
    if known.seen.iter().all(|s| s.works) {
        return Ok(None);
    }
    let all = Data {
        points: known.seen.iter().map(|s| s.point.clone()).collect(),
        values: known.seen.iter().map(|s| if s.works { -1.0 } else { 1.0 }).collect(),
        repeats: vec![1.0; known.seen.len()],
        ..Data::default()
    };
    // failures are the rarer and say more, so they come first
    let failures_first = |data: &Data, most| {
        let order: Vec<f64> = data.values.iter().map(|label| -label).collect();
        data.select(&thinned(&order, most))
    };
    let data = failures_first(&all, MOST);
    let part = failures_first(&data, SUBSET);
    let start = Hyper { log_noise: -1.5, ..default_start(Shape::Rough, columns, &[]) };
    let (hyper, _) = search(columns, &Pairs::new(columns, &part.points), &part, &[start], STEPS);
    let noise = hyper.log_noise.exp();
    Ok(Some(AtMost { gp: Gp::new(columns, &hyper, &data)?, limit: 0.0, noise }))
}

#[cfg(test)]
mod tests {
    use autoopt_epoch::message::Ask;
    use serde_json::json;

    use super::*;
    use crate::design;
    use crate::suggest::codec;
    use crate::term::{Term, tests::gradient_matches};

    const ID: &str = "0192a3b4-c5d6-7e8f-9012-000000000001";

    #[test]
    fn where_trials_fail_is_learned_and_gradients_match_finite_differences() {
        let number =
            |name: &str| json!({"name": name, "type": "float", "low": 0.0, "high": 1.0, "default": 0.5});
        let result = |i: u32| {
            let p = design::sobol(i, 2, 3);
            let works = p[0] + p[1] <= 1.2;
            json!({"trial": ID, "number": i, "kind": "proposed", "cluster": "c", "repeats": 1,
                "parameters": {"x": p[0], "y": p[1]}, "objective": works.then_some(1.0),
                "outcome": if works { "measured" } else { "infeasible" }})
        };
        let mut ask: Ask = serde_json::from_value(json!({
            "ask": ID, "experiment": "e", "experiment_id": ID, "number": 25, "algorithm": {"name": "gp"}, "seed": 5,
            "goal": "minimize", "parameters": [number("x"), number("y")], "budget": 30, "parallel": 1,
            "results": (0..24).map(result).collect::<Vec<_>>(), "pending": [],
        }))
        .unwrap();
        let space = codec(&ask).unwrap();
        let feasibility = model(space.columns(), &Known::new(&ask, &space)).unwrap().unwrap();
        let probability = |x: f64, y: f64| feasibility.logs(&[vec![x, y]])[0].exp();
        assert!(probability(0.2, 0.2) > 0.9 && probability(0.95, 0.95) < 0.2);
        assert_eq!(feasibility.promising(vec![vec![0.1, 0.1], vec![0.95, 0.95]]), [vec![0.1, 0.1]]);
        for x in [[0.31, 0.77], [0.62, 0.35]] {
            gradient_matches(&feasibility, &x, 1e-4);
        }
        ask.results.retain(|r| r.objective.is_some());
        assert!(model(space.columns(), &Known::new(&ask, &space)).unwrap().is_none(), "everything worked");
    }
}
