//! One parameter of the space: its values and the columns they are written to.

use autoopt_epoch::space::Value;

use super::Scale;

/// One parameter's part in a point.
#[derive(Clone, Debug)]
pub(super) enum Axis {
    Constant(Value),
    Choice { column: usize, values: Vec<Value> },
    Number { column: usize, scale: Scale, special: Option<(usize, Vec<Value>)> },
}

impl Axis {
    /// How many values a finite axis has.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Constant(_) => 1,
            Self::Choice { values, .. } => values.len() as u64,
            Self::Number { scale, special, .. } => {
                scale.count().unwrap_or(1.0) as u64 + special.as_ref().map_or(0, |(_, v)| v.len()) as u64
            }
        }
    }

    /// Writes the columns of a finite axis' value number `rank`.
    pub(super) fn select(&self, rank: usize, point: &mut [f64]) {
        match self {
            Self::Constant(_) => {}
            Self::Choice { column, .. } => point[*column] = rank as f64,
            Self::Number { column, scale, special } => {
                let count = scale.count().unwrap_or(1.0);
                if let Some((nominal, _)) = special {
                    point[*nominal] = (rank as f64 - count + 1.0).max(0.0);
                }
                point[*column] = match scale {
                    Scale::LogWhole { low, .. } => scale.encode(low + rank as f64).unwrap_or(0.5),
                    _ => (rank as f64 + 0.5) / count,
                };
            }
        }
    }

    /// The value at a point.
    pub(super) fn decode(&self, point: &[f64]) -> Value {
        match self {
            Self::Constant(value) => value.clone(),
            Self::Choice { column, values } => values[index(point[*column], values.len())].clone(),
            Self::Number { special: Some((column, values)), .. }
                if index(point[*column], values.len() + 1) > 0 =>
            {
                values[index(point[*column], values.len() + 1) - 1].clone()
            }
            Self::Number { column, scale, .. } => scale.value(scale.decode(point[*column])),
        }
    }

    /// The decoded value as a number; 0 for a text, which constraints never ask for.
    pub(super) fn number(&self, point: &[f64]) -> f64 {
        self.decode(point).as_f64().unwrap_or(0.0)
    }

    /// Whether `value` is the one at `point`, up to rounding.
    pub(super) fn is(&self, value: &Value, point: &[f64]) -> bool {
        same(value, &self.decode(point))
    }

    /// Writes the columns of `value`; `false` if it has no place.
    pub(super) fn write(&self, value: &Value, point: &mut [f64]) -> bool {
        match self {
            Self::Constant(only) => same(value, only),
            Self::Choice { column, values } => match values.iter().position(|v| v == value) {
                Some(i) => {
                    point[*column] = i as f64;
                    true
                }
                None => false,
            },
            Self::Number { column, scale, special } => {
                let Some(number) = value.as_f64() else { return false };
                if let Some((nominal, values)) = special {
                    let level = values.iter().position(|v| v.as_f64() == Some(number));
                    point[*nominal] = level.map_or(0.0, |i| i as f64 + 1.0);
                    if level.is_some() {
                        // where it lies on the scale means nothing if it lies outside
                        point[*column] =
                            scale.encode(number).filter(|u| (0.0..=1.0).contains(u)).unwrap_or(0.5);
                        return true;
                    }
                }
                match scale.encode(number) {
                    Some(u) => {
                        point[*column] = u;
                        true
                    }
                    None => false,
                }
            }
        }
    }
}

/// Whether two values are the same, a whole number and a float too, up to rounding.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(x), Some(y)) => (x - y).abs() <= 1e-9 * (1.0 + x.abs()),
        _ => a == b,
    }
}

fn index(x: f64, count: usize) -> usize {
    (x.max(0.0).round() as usize).min(count - 1)
}
