//! Main effects, importance and interactions: an analysis of variance of functions drawn from the posterior.

use autoopt_epoch::message::{Ask, Effect, Estimate, Interaction, Level};
use faer::Mat;

use super::value_at;
use crate::design;
use crate::space::{Codec, Point};

/// Points of the other parameters over which an effect is averaged.
const BASE: usize = 96;
/// Levels of a number.
const LEVELS: usize = 12;
/// The same of a pair.
const PAIR_BASE: usize = 32;
const PAIR_LEVELS: usize = 8;
/// Parameters, those with the most interaction, of which all pairs are looked at.
const PAIRED: usize = 3;

/// One parameter that can vary: the columns' contents at each of its levels.
struct Factor<'a> {
    name: &'a str,
    levels: Vec<Vec<(usize, f64)>>,
    /// The same, fewer.
    some: Vec<Vec<(usize, f64)>>,
}

/// By draw: variance by the parameter itself, with its interactions, and in all; and the mean at each level.
struct Table {
    own: Vec<f64>,
    total: Vec<f64>,
    all: Vec<f64>,
    means: Vec<Vec<f64>>,
}

/// Effects of every parameter and interactions of some, each with the strongest first. `look` gives the objective ("smaller
/// is better") of each function (columns) at points (rows).
pub(super) fn effects(
    codec: &Codec,
    ask: &Ask,
    seed: u64,
    look: impl Fn(&[Point]) -> Mat<f64>,
) -> (Vec<Effect>, Vec<Interaction>) {
    let base: Vec<Point> =
        (0..BASE as u32).map(|i| codec.sample(&design::sobol(i, codec.columns().len(), seed))).collect();
    let factors: Vec<Factor<'_>> = ask
        .parameters
        .iter()
        .enumerate()
        .map(|(i, p)| Factor {
            name: &p.name,
            levels: codec.levels(i, LEVELS),
            some: thinned(&codec.levels(i, PAIR_LEVELS)),
        })
        .filter(|f| f.levels.len() > 1)
        .collect();
    let tables: Vec<Table> =
        factors.iter().map(|f| table(&look(&crossed(&base, &f.levels)), f.levels.len())).collect();
    let draws = tables.first().map_or(0, |t| t.all.len());
    // each table has its own sample of the whole variance
    let variance: Vec<f64> =
        (0..draws).map(|s| tables.iter().map(|t| t.all[s]).sum::<f64>() / tables.len() as f64).collect();
    let sign = -ask.goal.sign();
    let mut effects: Vec<(usize, Effect)> = factors
        .iter()
        .zip(&tables)
        .enumerate()
        .map(|(i, (factor, table))| {
            let levels = factor.levels.iter().enumerate().map(|(g, level)| Level {
                value: value_at(codec, &with(&base[0], level), factor.name),
                objective: Estimate::of(table.means.iter().map(|m| sign * m[g]).collect()),
            });
            let effect = Effect {
                parameter: factor.name.to_owned(),
                first_order: shares(&table.own, &variance),
                total: shares(&table.total, &variance),
                levels: levels.collect(),
            };
            (i, effect)
        })
        .collect();
    let mut paired: Vec<usize> = (0..effects.len()).collect();
    let excess = |i: &usize| effects[*i].1.total.mean - effects[*i].1.first_order.mean;
    paired.sort_by(|a, b| excess(b).total_cmp(&excess(a)));
    paired.truncate(PAIRED);
    paired.sort_unstable();
    let mut interactions = Vec::new();
    for (n, i) in paired.iter().enumerate() {
        for j in &paired[n + 1..] {
            let (a, b) = (&factors[*i], &factors[*j]);
            let both: Vec<Vec<(usize, f64)>> =
                a.some.iter().flat_map(|x| b.some.iter().map(|y| [x.as_slice(), y].concat())).collect();
            let values = look(&crossed(&base[..PAIR_BASE], &both));
            let together: Vec<f64> =
                (0..draws).map(|s| interaction(values.col_as_slice(s), a.some.len(), b.some.len())).collect();
            interactions.push(Interaction {
                parameters: [a.name.to_owned(), b.name.to_owned()],
                share: shares(&together, &variance),
            });
        }
    }
    effects.sort_by(|a, b| b.1.total.mean.total_cmp(&a.1.total.mean));
    interactions.sort_by(|a, b| b.share.mean.total_cmp(&a.share.mean));
    (effects.into_iter().map(|(_, effect)| effect).collect(), interactions)
}

fn with(point: &[f64], level: &[(usize, f64)]) -> Point {
    let mut point = point.to_vec();
    level.iter().for_each(|(column, x)| point[*column] = *x);
    point
}

/// Every base point with every level; the levels of one base point are adjacent.
fn crossed(base: &[Point], levels: &[Vec<(usize, f64)>]) -> Vec<Point> {
    base.iter().flat_map(|point| levels.iter().map(|level| with(point, level))).collect()
}

/// At most [`PAIR_LEVELS`] levels, evenly spread.
fn thinned(levels: &[Vec<(usize, f64)>]) -> Vec<Vec<(usize, f64)>> {
    let n = levels.len().min(PAIR_LEVELS);
    (0..n).map(|i| levels[i * (levels.len() - 1) / (n - 1).max(1)].clone()).collect()
}

/// Two-way analysis of variance without repetition, of each draw.
fn table(values: &Mat<f64>, levels: usize) -> Table {
    let mut out = Table { own: Vec::new(), total: Vec::new(), all: Vec::new(), means: Vec::new() };
    let g = levels as f64;
    for s in 0..values.ncols() {
        let y = values.col_as_slice(s);
        let rows = y.len() / levels;
        let m = rows as f64;
        let grand = y.iter().sum::<f64>() / (m * g);
        let mut means = vec![0.0; levels];
        y.chunks(levels).for_each(|row| means.iter_mut().zip(row).for_each(|(a, v)| *a += v / m));
        let (mut within, mut residual, mut all) = (0.0, 0.0, 0.0);
        for row in y.chunks(levels) {
            let of_row = row.iter().sum::<f64>() / g;
            for (v, of_level) in row.iter().zip(&means) {
                within += (v - of_row).powi(2);
                residual += (v - of_row - of_level + grand).powi(2);
                all += (v - grand).powi(2);
            }
        }
        // what is left of interactions in a mean over so few rows
        let chance = residual / ((m - 1.0) * g) / m;
        let own = means.iter().map(|a| (a - grand).powi(2)).sum::<f64>() / g - chance;
        out.own.push(own.max(0.0));
        out.total.push(within / (m * g));
        out.all.push(all / (m * g));
        out.means.push(means);
    }
    out
}

/// The variance of the interaction of two factors with `a` and `b` levels.
fn interaction(y: &[f64], a: usize, b: usize) -> f64 {
    let rows = y.len() / (a * b);
    let m = rows as f64;
    let mut cells = vec![0.0; a * b];
    y.chunks(a * b).for_each(|row| cells.iter_mut().zip(row).for_each(|(c, v)| *c += v / m));
    let centred = |cells: &[f64]| -> Vec<f64> {
        let grand = cells.iter().sum::<f64>() / (a * b) as f64;
        let first: Vec<f64> = cells.chunks(b).map(|row| row.iter().sum::<f64>() / b as f64).collect();
        let second: Vec<f64> =
            (0..b).map(|h| (0..a).map(|g| cells[g * b + h]).sum::<f64>() / a as f64).collect();
        (0..a * b).map(|i| cells[i] - first[i / b] - second[i % b] + grand).collect()
    };
    let mean = centred(&cells);
    let spread: f64 = y
        .chunks(a * b)
        .map(|row| centred(row).iter().zip(&mean).map(|(v, c)| (v - c).powi(2)).sum::<f64>())
        .sum();
    let n = (a * b) as f64;
    let chance = spread / ((m - 1.0) * n) / m;
    (mean.iter().map(|c| c * c).sum::<f64>() / n - chance).max(0.0)
}

/// Parts of the whole variance, by draw; nothing of nothing is 0.
fn shares(parts: &[f64], whole: &[f64]) -> Estimate {
    let share = |(part, whole): (&f64, &f64)| if *whole > 0.0 { (part / whole).min(1.0) } else { 0.0 };
    Estimate::of(parts.iter().zip(whole).map(share).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The indices of a function that is known, in place of draws.
    fn indices(names: &[&str], f: impl Fn(&[f64]) -> f64) -> (Vec<Effect>, Vec<Interaction>) {
        let parameters: Vec<_> = names
            .iter()
            .map(|n| json!({"name": n, "type": "float", "low": 0.0, "high": 1.0, "default": 0.5}))
            .collect();
        let id = "0192a3b4-c5d6-7e8f-9012-000000000001";
        let ask: Ask = serde_json::from_value(json!({
            "ask": id, "experiment": "e", "experiment_id": id, "number": 1, "algorithm": {"name": "gp"}, "seed": 1,
            "goal": "minimize", "parameters": parameters, "budget": 1, "parallel": 1, "results": [],
        }))
        .unwrap();
        let codec = Codec::new(&ask.parameters, &[]).unwrap();
        let (mut effects, interactions) =
            effects(&codec, &ask, 3, |points| Mat::from_fn(points.len(), 1, |i, _| f(&points[i])));
        effects.sort_by(|a, b| a.parameter.cmp(&b.parameter));
        (effects, interactions)
    }

    #[test]
    fn indices_of_ishigami_s_function_are_found() {
        // Ishigami, Homma 1990; a = 7, b = 0.1: S = 0.3139, 0.4424, 0; S₁₃ = 0.2437
        let angle = |u: f64| std::f64::consts::PI * (2.0 * u - 1.0);
        let (effects, interactions) = indices(&["a", "b", "c"], |u| {
            let x: Vec<f64> = u.iter().map(|u| angle(*u)).collect();
            x[0].sin() + 7.0 * x[1].sin().powi(2) + 0.1 * x[2].powi(4) * x[0].sin()
        });
        let expected = [(0.3139, 0.5576), (0.4424, 0.4424), (0.0, 0.2437)];
        for (effect, (first, total)) in effects.iter().zip(expected) {
            assert!((effect.first_order.mean - first).abs() < 0.04, "{effect:?}");
            assert!((effect.total.mean - total).abs() < 0.04, "{effect:?}");
        }
        assert_eq!(interactions[0].parameters, ["a", "c"]);
        assert!((interactions[0].share.mean - 0.2437).abs() < 0.06, "{interactions:?}");
        assert!(interactions[1].share.mean < 0.02, "{interactions:?}");
    }

    #[test]
    fn indices_of_sobol_s_function_are_found() {
        // Π (|4u − 2| + a)/(1 + a): V_j = 1/(3 (1 + a_j)²), V = Π(1 + V_j) − 1 (Saltelli, Sobol 1995)
        let a = [0.0, 1.0, 4.5, 99.0];
        let (effects, _) = indices(&["a", "b", "c", "d"], |u| {
            u.iter().zip(a).map(|(u, a)| ((4.0 * u - 2.0).abs() + a) / (1.0 + a)).product()
        });
        let own: Vec<f64> = a.iter().map(|a| 1.0 / (3.0 * (1.0 + a) * (1.0 + a))).collect();
        let all = own.iter().map(|v| 1.0 + v).product::<f64>() - 1.0;
        for (effect, v) in effects.iter().zip(&own) {
            let total = v * (all + 1.0) / (1.0 + v) / all;
            assert!((effect.first_order.mean - v / all).abs() < 0.04, "{} {effect:?}", v / all);
            assert!((effect.total.mean - total).abs() < 0.04, "{total} {effect:?}");
        }
    }

    #[test]
    fn a_main_effect_is_the_mean_over_the_others() {
        let (effects, _) = indices(&["a", "b"], |u| 3.0 * u[0] + (u[1] - 0.5) * u[0]);
        for level in &effects[0].levels {
            let x = level.value.as_f64().unwrap();
            assert!((level.objective.mean - 3.0 * x).abs() < 0.02, "{level:?}");
        }
    }
}
