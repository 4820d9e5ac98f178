//! How far the recommendation may be left before it costs something.

use autoopt_epoch::message::Ask;
use autoopt_epoch::space::Value;
use faer::Mat;
use serde::Serialize;

use super::value_at;
use crate::design;
use crate::space::{Codec, Point};

/// What may be lost, as a part of the recommendation's value.
const TOLERANCE: f64 = 0.01;
/// Levels of a number at which the loss is looked at.
const LEVELS: usize = 40;
/// Half widths of a box round the recommendation, as parts of each range, and points looked at in each.
const RADII: [f64; 8] = [0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5];
const LOOKS: u32 = 64;

/// Where the expected loss against the recommendation stays below `tolerance` of its value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Robustness {
    pub tolerance: f64,
    /// The largest part of every range at once by which all numbers may be off, on average over such boxes; 0 if less than 1 %.
    pub radius: f64,
    pub parameters: Vec<Room>,
}

/// One parameter alone, the others as recommended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Room {
    pub parameter: String,
    pub recommended: Value,
    /// Of a number: the values next to the recommended one, from the lowest to the highest. Of others: each that will do.
    pub good: Vec<Value>,
}

pub(super) fn robustness(
    codec: &Codec,
    ask: &Ask,
    centre: &Point,
    look: impl Fn(&[Point]) -> Mat<f64>,
) -> Robustness {
    // mean losses, as a part of the recommendation's value
    let losses = |points: &[Point]| -> Vec<f64> {
        let all: Vec<Point> = std::iter::once(centre).chain(points).cloned().collect();
        let values = look(&all);
        let mean =
            |i: usize| (0..values.ncols()).map(|s| values[(i, s)]).sum::<f64>() / values.ncols() as f64;
        let own = mean(0);
        (1..all.len()).map(|i| (mean(i) - own) / own.abs().max(f64::MIN_POSITIVE)).collect()
    };
    let rooms = ask.parameters.iter().enumerate().filter_map(|(i, parameter)| {
        let levels = codec.levels(i, LEVELS);
        let points: Vec<Point> = levels
            .iter()
            .map(|level| {
                let mut point = centre.clone();
                level.iter().for_each(|(column, x)| point[*column] = *x);
                point
            })
            .collect();
        let recommended = value_at(codec, centre, &parameter.name);
        let good: Vec<bool> = losses(&points).into_iter().map(|loss| loss <= TOLERANCE).collect();
        let values: Vec<Value> = points.iter().map(|p| value_at(codec, p, &parameter.name)).collect();
        let good = match recommended.as_f64().filter(|_| parameter.special.is_empty()) {
            Some(x) => next_to(&values, &good, x),
            None => values.into_iter().zip(good).filter(|(_, good)| *good).map(|(v, _)| v).collect(),
        };
        (levels.len() > 1).then(|| Room { parameter: parameter.name.clone(), recommended, good })
    });
    let parameters = rooms.collect();
    let kept = |radius: f64| {
        let points: Vec<Point> = (0..LOOKS).map(|i| design::around(codec, centre, radius, i)).collect();
        losses(&points).iter().sum::<f64>() / f64::from(LOOKS) <= TOLERANCE
    };
    let radius = RADII.into_iter().take_while(|r| kept(*r)).last().unwrap_or(0.0);
    Robustness { tolerance: TOLERANCE, radius, parameters }
}

/// The good values without a gap on either side of `x`; `values` ascend.
fn next_to(values: &[Value], good: &[bool], x: f64) -> Vec<Value> {
    let above = values.iter().position(|v| v.as_f64().is_some_and(|v| v > x)).unwrap_or(values.len());
    let low = (0..above).rev().take_while(|i| good[*i]).last().unwrap_or(above);
    let high = (above..values.len()).take_while(|i| good[*i]).last().map_or(above, |i| i + 1);
    values[low..high].to_vec()
}
