//! One point for all values that mean the same: parameters without an effect, and groups whose common scale does not matter.

use std::borrow::Cow;

use autoopt_epoch::space::{Parameter, Parameters, Value};

use super::axis::Axis;
use super::{Codec, Point, Scale, SpaceError};

/// A factor this close to 1 changes nothing but the last digits, and a canonical point stays as it is.
const ROUNDING: f64 = 1e-12;

/// What it takes for a parameter to have an effect: another one, which stands before it, has one of these values.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    axis: usize,
    values: Vec<Value>,
}

impl Codec {
    /// The same space in which the parameters of each group, all multiplied by one positive number, mean the same. They have to
    /// be floats without steps and special values.
    pub fn scale_free(mut self, groups: &[Vec<String>]) -> Result<Self, SpaceError> {
        for group in groups {
            let axes = group.iter().map(|name| {
                let fail = |reason: &str| SpaceError::Parameter { name: name.clone(), reason: reason.into() };
                let axis = self.names.iter().position(|n| n == name);
                let axis = axis.ok_or_else(|| fail("`scale_free` names it, but there is none"))?;
                match &self.axes[axis] {
                    Axis::Number {
                        scale: Scale::Linear { .. } | Scale::Log { .. }, special: None, ..
                    } => Ok(axis),
                    _ => {
                        Err(fail("`scale_free` is for floats without steps and special values that can vary"))
                    }
                }
            });
            let axes = axes.collect::<Result<_, _>>()?;
            self.scale_free.push(axes);
        }
        Ok(self)
    }

    /// The conditions of a parameter, those it depends on being known.
    pub(super) fn conditions(&self, parameter: &Parameter) -> Result<Vec<Condition>, String> {
        let conditions = parameter.when.iter().map(|(name, when)| {
            let axis = self.names[..self.axes.len() - 1].iter().position(|n| n == name);
            let axis =
                axis.ok_or_else(|| format!("`when` names `{name}`, which is no parameter above it"))?;
            Ok(Condition { axis, values: when.values().to_vec() })
        });
        conditions.collect()
    }

    /// Whether the parameter of an axis has an effect at `point`.
    pub(super) fn in_effect(&self, axis: usize, point: &[f64]) -> bool {
        self.conditions[axis].iter().all(|condition| {
            let other = &self.axes[condition.axis];
            self.in_effect(condition.axis, point) && condition.values.iter().any(|v| other.is(v, point))
        })
    }

    /// The point that stands for all that mean the same as `point`. A parameter without an effect has its default. A group whose
    /// common scale does not matter is as large as its bounds allow: on the line from 0 through its values, where that leaves
    /// the box; if all its values are 0, there.
    pub fn canonical(&self, point: &[f64]) -> Point {
        let mut point = point.to_vec();
        for (i, axis) in self.axes.iter().enumerate() {
            if !self.in_effect(i, &point) {
                axis.write(&self.defaults[i], &mut point);
            }
        }
        for group in &self.scale_free {
            let values: Vec<f64> = group.iter().map(|axis| self.axes[*axis].number(&point)).collect();
            let Some((_, factor)) = self.largest(group, &values) else { continue };
            if (factor - 1.0).abs() > ROUNDING {
                for (axis, value) in group.iter().zip(&values) {
                    self.axes[*axis].write(&Value::Float(value * factor), &mut point);
                }
            }
        }
        point
    }

    /// `parameters` with every group as large as its bounds allow.
    pub(super) fn scaled<'a>(&self, parameters: &'a Parameters) -> Cow<'a, Parameters> {
        let mut scaled = Cow::Borrowed(parameters);
        for group in &self.scale_free {
            let value = |axis: &usize| {
                parameters.get(&self.names[*axis]).unwrap_or(&self.defaults[*axis]).as_f64().unwrap_or(0.0)
            };
            let values: Vec<f64> = group.iter().map(value).collect();
            let Some((_, factor)) = self.largest(group, &values) else { continue };
            for (axis, value) in group.iter().zip(&values) {
                scaled.to_mut().insert(self.names[*axis].clone(), Value::Float(value * factor));
            }
        }
        scaled
    }

    /// The largest number by which the values of a group can be multiplied, and the member that meets its bound there. `None`
    /// where there is none.
    fn largest(&self, group: &[usize], values: &[f64]) -> Option<(usize, f64)> {
        let factors = group.iter().zip(values).enumerate().filter_map(|(member, (axis, value))| {
            let Axis::Number { scale, .. } = &self.axes[*axis] else { return None };
            let (low, high) = scale.bounds();
            let factor = if *value > 0.0 { high / value } else { low / value };
            (*value != 0.0).then_some((member, factor))
        });
        factors.min_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, t)| *t > 0.0 && t.is_finite())
    }

    /// `f`, a value and its gradient, at the canonical point of `point`; the gradient is that by `point`.
    ///
    /// With `w = t v` and `t = b / v_m`, where the member `m` meets its bound `b`: `∂w_j/∂v_j = t` and `∂w_j/∂v_m = −w_j / v_m` for
    /// the others, and `w_m` is constant.
    pub fn at_canonical(&self, point: &[f64], f: impl FnOnce(&[f64]) -> (f64, Vec<f64>)) -> (f64, Vec<f64>) {
        if self.scale_free.is_empty() {
            return f(point);
        }
        let (value, mut gradient) = f(&self.canonical(point));
        for group in &self.scale_free {
            let values: Vec<f64> = group.iter().map(|axis| self.axes[*axis].number(point)).collect();
            let Some((at_bound, factor)) = self.largest(group, &values) else { continue };
            let mut by_bound = 0.0;
            for (member, (axis, v)) in group.iter().zip(&values).enumerate().filter(|(m, _)| *m != at_bound) {
                let Axis::Number { column, scale, .. } = &self.axes[*axis] else { continue };
                let by_value = gradient[*column] / scale.slope(v * factor);
                by_bound -= by_value * v * factor / values[at_bound];
                gradient[*column] = by_value * factor * scale.slope(values[member]);
            }
            if let Axis::Number { column, scale, .. } = &self.axes[group[at_bound]] {
                gradient[*column] = by_bound * scale.slope(values[at_bound]);
            }
        }
        (value, gradient)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn gradients_through_the_canonical_point_are_those_of_finite_differences() {
        let parameters: Vec<Parameter> = serde_json::from_value(json!([
            {"name": "a", "type": "float", "low": -2.0, "high": 1.0, "default": 0.0},
            {"name": "other", "type": "float", "low": 0.0, "high": 1.0, "default": 0.0},
            {"name": "b", "type": "float", "low": 0.1, "high": 10.0, "log": true, "default": 1.0},
            {"name": "c", "type": "float", "low": -1.0, "high": 3.0, "default": 0.0},
        ]))
        .unwrap();
        let names = ["a", "b", "c"].map(String::from).to_vec();
        let codec = Codec::new(&parameters, &[]).unwrap().scale_free(&[names]).unwrap();
        let f = |x: &[f64]| {
            let value = x[0].sin() + x[1] * x[2] - (x[2] * x[3]).cos() + x[3].powi(3);
            let slope = (x[2] * x[3]).sin();
            (value, vec![x[0].cos(), x[2], x[1] + slope * x[3], slope * x[2] + 3.0 * x[3] * x[3]])
        };
        for point in [[0.9, 0.3, 0.2, 0.4], [0.1, 0.3, 0.7, 0.2], [0.6, 0.9, 0.4, 0.6]] {
            let (_, gradient) = codec.at_canonical(&point, f);
            for j in 0..point.len() {
                let (mut up, mut down) = (point, point);
                up[j] += 1e-6;
                down[j] -= 1e-6;
                let numeric = (codec.at_canonical(&up, f).0 - codec.at_canonical(&down, f).0) / 2e-6;
                assert!((gradient[j] - numeric).abs() < 1e-6, "{j} at {point:?}: {} {numeric}", gradient[j]);
            }
        }
    }
}
