//! One number of the space: between its values and the unit interval.

use autoopt_epoch::space::{Parameter, ParameterType, Value};

/// How far outside the unit interval an imported value may lie and still be of use.
const IMPORT_MARGIN: f64 = 1.0;

/// The values of a numeric parameter, and where they lie in the unit interval.
///
/// A value that is one of `count` levels sits in the middle of its cell of width `1 / count`, so that a uniform
/// number picks every level equally often, and decoding then encoding is a fixed point.
#[derive(Clone, Debug, PartialEq)]
pub enum Scale {
    /// Real, `u = (v − low) / (high − low)`.
    Linear { low: f64, high: f64 },
    /// Real, the same on logarithms.
    Log { low: f64, high: f64 },
    /// `low + i·step` for `i` below `count`; rounded to `decimals`, so that 0.1 + 2·0.1 is 0.3.
    Levels { low: f64, step: f64, count: f64, decimals: usize, whole: bool },
    /// Whole numbers on a logarithmic axis from `low − ½` to `high + ½`.
    LogWhole { low: f64, high: f64 },
}

impl Scale {
    /// The scale of a `float` or `int` parameter, or what is wrong with its bounds.
    pub fn new(parameter: &Parameter) -> Result<Self, String> {
        let whole = parameter.kind == ParameterType::Int;
        let (Some(mut low), Some(mut high)) = (parameter.low, parameter.high) else {
            return Err("a number needs `low` and `high`".into());
        };
        if !low.is_finite() || !high.is_finite() {
            return Err("`low` and `high` have to be finite".into());
        }
        if whole {
            (low, high) = (low.ceil(), high.floor());
        }
        if low > high {
            return Err(format!("no value lies between `low` = {low} and `high` = {high}"));
        }
        if parameter.log && low <= 0.0 {
            return Err(format!("`log` needs `low` > 0, not {low}"));
        }
        match (parameter.step, parameter.log, whole) {
            (Some(_), true, _) => Err("`step` and `log` exclude each other".into()),
            (Some(step), false, _) if step.is_nan() || step <= 0.0 || step.is_infinite() => {
                Err(format!("`step` has to be positive and finite, not {step}"))
            }
            (Some(step), false, _) => {
                // the last level may be reached although (high − low) / step falls short of a whole number by rounding
                let count = ((high - low) / step * (1.0 + 1e-12) + 1e-9).floor() + 1.0;
                let decimals = decimals(low).max(decimals(step));
                Ok(Self::Levels { low, step, count, decimals, whole })
            }
            (None, false, true) => {
                Ok(Self::Levels { low, step: 1.0, count: high - low + 1.0, decimals: 0, whole })
            }
            (None, true, true) => Ok(Self::LogWhole { low, high }),
            (None, true, false) => Ok(Self::Log { low, high }),
            (None, false, false) => Ok(Self::Linear { low, high }),
        }
    }

    /// How many values there are; `None` for a continuum.
    pub fn count(&self) -> Option<f64> {
        match self {
            Self::Linear { low, high } | Self::Log { low, high } => (low == high).then_some(1.0),
            Self::Levels { count, .. } => Some(*count),
            Self::LogWhole { low, high } => Some(high - low + 1.0),
        }
    }

    /// The smallest and the largest value.
    pub fn bounds(&self) -> (f64, f64) {
        match self {
            Self::Linear { low, high } | Self::Log { low, high } | Self::LogWhole { low, high } => {
                (*low, *high)
            }
            Self::Levels { low, count, .. } => (*low, self.level(*low, count - 1.0)),
        }
    }

    fn level(&self, low: f64, i: f64) -> f64 {
        match self {
            Self::Levels { step, decimals, whole: false, .. } => round_to(low + i * step, *decimals),
            Self::Levels { step, .. } => (low + i * step).round(),
            _ => low + i,
        }
    }

    /// The value nearest to `u`, which is clamped to the unit interval.
    pub fn decode(&self, u: f64) -> f64 {
        let u = u.clamp(0.0, 1.0);
        match self {
            // weights instead of low + u·(high − low): no overflow when the bounds are ±1e308
            Self::Linear { low, high } => (low * (1.0 - u) + high * u).clamp(*low, *high),
            Self::Log { low, high } => (low.ln() * (1.0 - u) + high.ln() * u).exp().clamp(*low, *high),
            Self::Levels { low, count, .. } => self.level(*low, (u * count).floor().min(count - 1.0)),
            Self::LogWhole { low, high } => {
                let (a, b) = ((low - 0.5).ln(), (high + 0.5).ln());
                (a * (1.0 - u) + b * u).exp().round().clamp(*low, *high)
            }
        }
    }

    /// The value as a parameter carries it.
    pub fn value(&self, number: f64) -> Value {
        match self {
            Self::Levels { whole: true, .. } | Self::LogWhole { .. } => Value::Int(number as i64),
            _ => Value::Float(number),
        }
    }

    /// Where `value` lies; outside the unit interval for a value outside the bounds. `None` if it has no place on
    /// this scale, or one too far away to tell anything.
    pub fn encode(&self, value: f64) -> Option<f64> {
        if !value.is_finite() {
            return None;
        }
        let u = match self {
            Self::Linear { low, high } if low == high => 0.5,
            Self::Linear { low, high } => (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0),
            Self::Log { low, high } if low == high => 0.5,
            Self::Log { low, high } => (value.ln() - low.ln()) / (high.ln() - low.ln()),
            Self::Levels { low, step, count, .. } => (((value - low) / step) + 0.5) / count,
            Self::LogWhole { low, high } => {
                let (a, b) = ((low - 0.5).ln(), (high + 0.5).ln());
                (value.ln() - a) / (b - a)
            }
        };
        (u.is_finite() && (-IMPORT_MARGIN..=1.0 + IMPORT_MARGIN).contains(&u)).then_some(u)
    }

    /// `dv/du` at `value` of a real scale; 0 of levels.
    pub fn slope(&self, value: f64) -> f64 {
        match self {
            Self::Linear { low, high } => high - low,
            Self::Log { low, high } => value * (high.ln() - low.ln()),
            Self::Levels { .. } | Self::LogWhole { .. } => 0.0,
        }
    }

    /// The largest value not above `limit` (below it when `strict`), clamped to the bounds.
    pub fn at_most(&self, limit: f64, strict: bool) -> f64 {
        let (low, high) = self.bounds();
        let mut value = match self {
            Self::Linear { .. } | Self::Log { .. } => limit,
            Self::Levels { low, step, .. } => self.level(*low, ((limit - low) / step + 1e-12).floor()),
            Self::LogWhole { .. } => limit.floor(),
        };
        if strict && value >= limit {
            value = match self {
                Self::Linear { .. } | Self::Log { .. } => limit - 1e-9 * (high - low).max(f64::MIN_POSITIVE),
                Self::Levels { low, step, .. } => self.level(*low, ((limit - low) / step).round() - 1.0),
                Self::LogWhole { .. } => limit - 1.0,
            };
        }
        value.clamp(low, high)
    }

    /// The smallest value not below `limit` (above it when `strict`), clamped to the bounds.
    pub fn at_least(&self, limit: f64, strict: bool) -> f64 {
        let (low, high) = self.bounds();
        let mut value = match self {
            Self::Linear { .. } | Self::Log { .. } => limit,
            Self::Levels { low, step, .. } => self.level(*low, ((limit - low) / step - 1e-12).ceil()),
            Self::LogWhole { .. } => limit.ceil(),
        };
        if strict && value <= limit {
            value = match self {
                Self::Linear { .. } | Self::Log { .. } => limit + 1e-9 * (high - low).max(f64::MIN_POSITIVE),
                Self::Levels { low, step, .. } => self.level(*low, ((limit - low) / step).round() + 1.0),
                Self::LogWhole { .. } => limit + 1.0,
            };
        }
        value.clamp(low, high)
    }
}

/// Digits after the point in the shortest form of `x`; 17 where it is written with an exponent.
fn decimals(x: f64) -> usize {
    let text = format!("{x}");
    text.split_once('.').map_or(0, |(_, fraction)| fraction.len()).min(17)
}

fn round_to(x: f64, decimals: usize) -> f64 {
    format!("{x:.decimals$}").parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(kind: ParameterType, low: f64, high: f64, log: bool, step: Option<f64>) -> Parameter {
        Parameter {
            name: "p".into(),
            kind,
            low: Some(low),
            high: Some(high),
            log,
            step,
            choices: vec![],
            default: Value::Float(low),
            special: vec![],
            when: std::collections::BTreeMap::new(),
            fixed: None,
            change_cost: None,
            unit: None,
            description: None,
        }
    }

    #[test]
    fn steps_are_exact_decimals_and_include_the_last() {
        let scale = Scale::new(&number(ParameterType::Float, 0.1, 0.5, false, Some(0.1))).unwrap();
        let values: Vec<f64> = (0..5).map(|i| scale.decode((f64::from(i) + 0.5) / 5.0)).collect();
        assert_eq!(values, [0.1, 0.2, 0.3, 0.4, 0.5]);
        assert_eq!(scale.count(), Some(5.0));
    }

    #[test]
    fn limits_round_towards_the_allowed_side() {
        let scale = Scale::new(&number(ParameterType::Int, 1.0, 9.0, false, None)).unwrap();
        assert_eq!((scale.at_most(4.7, false), scale.at_most(4.0, true)), (4.0, 3.0));
        assert_eq!((scale.at_least(4.2, false), scale.at_least(4.0, true)), (5.0, 5.0));
        assert_eq!(scale.at_most(-3.0, false), 1.0, "clamped to the bounds");
    }

    #[test]
    fn extreme_bounds_stay_finite() {
        let scale = Scale::new(&number(ParameterType::Float, -1e308, 1e308, false, None)).unwrap();
        assert!((scale.encode(scale.decode(0.75)).unwrap() - 0.75).abs() < 1e-12);
        let scale = Scale::new(&number(ParameterType::Float, 1e-300, 1e300, true, None)).unwrap();
        assert!((scale.encode(scale.decode(0.25)).unwrap() - 0.25).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn decoded_values_are_inside_and_encode_to_themselves(
            u in 0.0..=1.0f64, low in -50i32..50, width in 0i32..200, whole: bool, log: bool, step in proptest::option::of(1u32..40),
        ) {
            let low = if log { f64::from(low.abs()) + 1.0 } else { f64::from(low) };
            let kind = if whole { ParameterType::Int } else { ParameterType::Float };
            let step = if log { None } else { step.map(|s| if whole { f64::from(s) } else { f64::from(s) / 8.0 }) };
            let scale = Scale::new(&number(kind, low, low + f64::from(width), log, step)).unwrap();
            let value = scale.decode(u);
            prop_assert!(value >= low && value <= low + f64::from(width));
            let again = scale.decode(scale.encode(value).unwrap());
            prop_assert!((again - value).abs() <= 1e-12 * (1.0 + value.abs()));
            if scale.count().is_some_and(|n| n > 1.0) { prop_assert_eq!(again, value); }
        }
    }
}
