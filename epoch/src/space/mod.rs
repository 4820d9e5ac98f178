//! The space of an experiment: parameters, their values, and constraints between them.

mod check;
mod scale_free;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::formula::Linear;
use crate::problem::{Problem, list, nearest};
use crate::time::Period;

/// The value of one parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Value {
    /// Of a `bool` parameter.
    Bool(bool),
    /// Of an `int` parameter.
    Int(i64),
    /// Of a `float` parameter; always finite.
    Float(f64),
    /// Of a `categorical` parameter.
    Text(String),
}

impl Value {
    /// The value as a number: a bool is 0 or 1, a text is none.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Bool(b) => Some(f64::from(u8::from(*b))),
            Self::Int(i) => Some(*i as f64),
            Self::Float(x) => Some(*x),
            Self::Text(_) => None,
        }
    }
}

impl std::fmt::Display for Value {
    /// The form in which a value reaches a program's arguments.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(b) => b.fmt(f),
            Self::Int(i) => i.fmt(f),
            Self::Float(x) => x.fmt(f),
            Self::Text(t) => t.fmt(f),
        }
    }
}

/// Values by parameter name.
pub type Parameters = BTreeMap<String, Value>;

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParameterType {
    /// A real number between `low` and `high`.
    Float,
    /// A whole number between `low` and `high`.
    Int,
    /// One of `choices`, without an order.
    Categorical,
    /// `true` or `false`.
    Bool,
}

/// One value of another parameter, or several of which each will do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum When {
    /// This one.
    Is(Value),
    /// One of these.
    OneOf(Vec<Value>),
}

impl When {
    /// The values.
    pub fn values(&self) -> &[Value] {
        match self {
            Self::Is(value) => std::slice::from_ref(value),
            Self::OneOf(values) => values,
        }
    }
}

/// One knob. `low`, `high`, `log`, `step` and `special` belong to numbers, `choices` to categoricals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Unique within the experiment; letters, digits, `_`, `-` and `.`, starting with a letter.
    pub name: String,
    /// What values it takes.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// Smallest value, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Largest value, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Searched on a logarithmic scale (`low` > 0).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub log: bool,
    /// Values are `low`, `low + step`, … (not together with `log`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
    /// The values of a categorical.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The value in force when nobody tunes.
    pub default: Value,
    /// Values with a meaning of their own, inside or outside the bounds (such as 0 for "off").
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub special: Vec<Value>,
    /// Has an effect only while each of these parameters, all listed above this one, has the value given here (or one of
    /// several); otherwise it has its default.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, When>,
    /// Every trial has this value; the parameter is not searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<Value>,
    /// How long a change of it takes, beside what every trial takes: `5m` where it needs a restart. Without it, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_cost: Option<Period>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A checked space: parameters in the order of the file, and linear constraints between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    pub parameters: Vec<Parameter>,
    pub constraints: Vec<Linear>,
}

impl Parameter {
    /// Turns a value into this parameter's own type and checks it: bounds, steps, choices, special values.
    ///
    /// A whole number given to a `float` becomes a float, `5.0` given to an `int` becomes 5. A value within 1e-9 steps of
    /// the grid is moved onto it. The error says what was expected.
    pub fn conform(&self, value: &Value) -> Result<Value, String> {
        let refused = || format!("`{value}` is not allowed; expected {}", self.expectation());
        let typed = self.typed(value).ok_or_else(refused)?;
        if self.fixed.as_ref().is_some_and(|fixed| self.typed(fixed).as_ref() != Some(&typed)) {
            return Err(refused());
        }
        if self.special.iter().filter_map(|s| self.typed(s)).any(|s| s == typed) {
            return Ok(typed);
        }
        let number = match &typed {
            Value::Bool(_) => return Ok(typed),
            Value::Text(text) if self.choices.contains(text) => return Ok(typed),
            Value::Text(text) => {
                let near = nearest(text, self.choices.iter().map(String::as_str));
                let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
                return Err(format!("{}{hint}", refused()));
            }
            Value::Int(i) => *i as f64,
            Value::Float(x) => *x,
        };
        let (low, high) = (self.low.unwrap_or(f64::NEG_INFINITY), self.high.unwrap_or(f64::INFINITY));
        if number < low || number > high {
            return Err(refused());
        }
        let Some(step) = self.step else { return Ok(typed) };
        let steps = (number - low) / step;
        if (steps - steps.round()).abs() > 1e-9 * steps.abs().max(1.0) {
            return Err(refused());
        }
        Ok(match typed {
            // the bound is kept exactly where rounding would leave the interval
            Value::Float(_) => Value::Float(step.mul_add(steps.round(), low).min(high)),
            other => other,
        })
    }

    /// What values it takes, for a person.
    pub fn expectation(&self) -> String {
        if let Some(fixed) = &self.fixed {
            return format!("`{fixed}`, at which it is fixed");
        }
        let mut text = match self.kind {
            ParameterType::Bool => "`true` or `false`".to_owned(),
            ParameterType::Categorical => {
                format!("one of {}", list(&self.choices.iter().map(String::as_str).collect::<Vec<_>>()))
            }
            ParameterType::Int | ParameterType::Float => {
                let noun = if self.kind == ParameterType::Int { "a whole number" } else { "a number" };
                match (self.low, self.high) {
                    (Some(low), Some(high)) => format!("{noun} from {low} to {high}"),
                    _ => noun.to_owned(),
                }
            }
        };
        if let (Some(step), Some(low)) = (self.step, self.low) {
            text.push_str(&format!(" in steps of {step} from {low}"));
        }
        if !self.special.is_empty() {
            let special: Vec<String> = self.special.iter().map(Value::to_string).collect();
            text.push_str(&format!(
                " (or {})",
                list(&special.iter().map(String::as_str).collect::<Vec<_>>())
            ));
        }
        text
    }

    /// The value in this parameter's type, if it has it: exact conversions only.
    fn typed(&self, value: &Value) -> Option<Value> {
        match (self.kind, value) {
            (ParameterType::Bool, Value::Bool(_)) | (ParameterType::Categorical, Value::Text(_)) => {
                Some(value.clone())
            }
            (ParameterType::Int, Value::Int(_)) => Some(value.clone()),
            (ParameterType::Int, Value::Float(x)) if x.fract() == 0.0 && x.abs() <= MAX_WHOLE => {
                Some(Value::Int(*x as i64))
            }
            (ParameterType::Float, Value::Float(x)) if x.is_finite() => Some(Value::Float(*x)),
            (ParameterType::Float, Value::Int(i)) => Some(Value::Float(*i as f64)),
            _ => None,
        }
    }
}

/// Whole numbers up to this are exact in a float (2^53).
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

impl Space {
    /// Checks parameters and constraints; all problems are found. Paths are those of the experiment file.
    pub fn new(parameters: Vec<Parameter>, constraints: &[String]) -> Result<Self, Vec<Problem>> {
        let mut problems = check::parameters(&parameters);
        let numbers: Vec<&str> = parameters
            .iter()
            .filter(|p| p.kind != ParameterType::Categorical)
            .map(|p| p.name.as_str())
            .collect();
        let mut linear = Vec::new();
        if constraints.len() > check::MAX_CONSTRAINTS {
            problems.push(Problem::new(
                "constraints",
                format!("more than {} constraints", check::MAX_CONSTRAINTS),
            ));
        }
        for (i, text) in constraints.iter().enumerate().take(check::MAX_CONSTRAINTS) {
            match Linear::parse(text, &numbers) {
                Ok(constraint) => linear.push(constraint),
                Err(error) => problems.push(Problem::new(format!("constraints[{i}]"), error.to_string())),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let space = Self { parameters, constraints: linear };
        for (i, constraint) in space.constraints.iter().enumerate() {
            if !space.attainable(constraint) {
                let message = format!("`{}` holds nowhere within the parameters' bounds", constraints[i]);
                problems.push(Problem::new(format!("constraints[{i}]"), message));
            }
        }
        if problems.is_empty() { Ok(space) } else { Err(problems) }
    }

    /// Whether a parameter has an effect under `values`: what it depends on has one, and one of the values it asks for. What
    /// is missing in `values` has its default.
    pub fn active(&self, parameter: &Parameter, values: &Parameters) -> bool {
        parameter.when.iter().all(|(name, when)| {
            self.parameters.iter().find(|p| p.name == *name).is_some_and(|other| {
                let value = other.typed(values.get(name).unwrap_or(&other.default));
                self.active(other, values) && when.values().iter().any(|v| other.typed(v) == value)
            })
        })
    }

    /// Each parameter's default. They need not satisfy the constraints: defaults are found, not chosen.
    pub fn defaults(&self) -> Parameters {
        self.parameters
            .iter()
            .map(|p| (p.name.clone(), p.conform(&p.default).unwrap_or_else(|_| p.default.clone())))
            .collect()
    }

    /// `given`, and the default of each parameter that it leaves out.
    pub fn filled(&self, given: &Parameters) -> Parameters {
        let mut all = self.defaults();
        all.extend(given.clone());
        all
    }

    /// Whether every constraint holds; a constraint whose values are missing does not.
    pub fn satisfies(&self, values: &Parameters) -> bool {
        self.constraints.iter().all(|c| c.holds(&|n| values.get(n).and_then(Value::as_f64)) == Some(true))
    }

    /// Values for exactly the space's parameters, in their own types and within bounds and constraints; of one without an
    /// effect its default, if it is not given. All problems are found; paths are `parameters.NAME`.
    pub fn conform(&self, given: &Parameters) -> Result<Parameters, Vec<Problem>> {
        let mut problems = Vec::new();
        let names = || self.parameters.iter().map(|p| p.name.as_str());
        for name in given.keys().filter(|n| !names().any(|known| known == n.as_str())) {
            let problem = Problem::new(format!("parameters.{name}"), format!("unknown parameter `{name}`"));
            problems.push(problem.suggest(name, names()));
        }
        let mut values = Parameters::new();
        for parameter in &self.parameters {
            let path = format!("parameters.{}", parameter.name);
            match given.get(&parameter.name).map(|v| parameter.conform(v)) {
                Some(Ok(value)) => {
                    values.insert(parameter.name.clone(), value);
                }
                Some(Err(message)) => {
                    problems.push(Problem::new(path, format!("parameter `{}`: {message}", parameter.name)));
                }
                None if !self.active(parameter, &values) => {
                    values.insert(parameter.name.clone(), parameter.default.clone());
                }
                None => {
                    let (name, expected) = (&parameter.name, parameter.expectation());
                    problems.push(Problem::new(
                        path,
                        format!("parameter `{name}` is missing; expected {expected}"),
                    ));
                }
            }
        }
        let lookup = |n: &str| values.get(n).and_then(Value::as_f64);
        for constraint in self.constraints.iter().filter(|c| c.holds(&lookup) == Some(false)) {
            let found: Vec<String> = constraint
                .coefficients
                .keys()
                .filter_map(|n| Some(format!("{n} = {}", values.get(n)?)))
                .collect();
            let message = format!("the constraint `{constraint}` does not hold for {}", found.join(", "));
            problems.push(Problem::new("parameters", message));
        }
        if problems.is_empty() { Ok(values) } else { Err(problems) }
    }

    /// Whether a constraint can hold at all, by the smallest sum the bounds and special values allow.
    fn attainable(&self, constraint: &Linear) -> bool {
        let smallest: Parameters = constraint
            .coefficients
            .iter()
            .filter_map(|(name, c)| {
                let parameter = self.parameters.iter().find(|p| p.name == *name)?;
                let mut ends: Vec<f64> = parameter.special.iter().filter_map(Value::as_f64).collect();
                match parameter.kind {
                    ParameterType::Bool => ends.extend([0.0, 1.0]),
                    _ => ends.extend(parameter.low.into_iter().chain(parameter.high)),
                }
                let best = ends.into_iter().min_by(|a, b| (a * c).total_cmp(&(b * c)))?;
                Some((name.clone(), Value::Float(best)))
            })
            .collect();
        constraint.holds(&|n| smallest.get(n).and_then(Value::as_f64)) == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(json: serde_json::Value) -> Parameter {
        serde_json::from_value(json).unwrap()
    }

    fn space() -> Space {
        let a =
            parameter(serde_json::json!({"name": "a", "type": "int", "low": 1, "high": 9, "default": 5.0}));
        let b =
            parameter(serde_json::json!({"name": "b-x", "type": "float", "low": 0, "high": 1, "step": 0.1,
            "default": 0.3, "special": [-1]}));
        Space::new(vec![a, b], &["a + 2*b-x <= 9".into()]).unwrap()
    }

    #[test]
    fn values_come_out_in_their_own_types() {
        let given = BTreeMap::from([("a".into(), Value::Float(5.0)), ("b-x".into(), Value::Int(-1))]);
        let values = space().conform(&given).unwrap();
        assert_eq!(values, BTreeMap::from([("a".into(), Value::Int(5)), ("b-x".into(), Value::Float(-1.0))]));
        assert_eq!(space().defaults()["a"], Value::Int(5));
    }

    #[test]
    fn every_problem_is_found_with_its_parameter() {
        let given = BTreeMap::from([("a".into(), Value::Float(f64::NAN)), ("b-y".into(), Value::Int(0))]);
        let text: Vec<String> = space().conform(&given).unwrap_err().iter().map(Problem::to_string).collect();
        assert_eq!(text.len(), 3, "{text:?}");
        assert!(text[0].contains("unknown parameter `b-y`; did you mean `b-x`?"), "{text:?}");
        assert!(text[1].contains("expected a whole number from 1 to 9"), "{text:?}");
        assert!(text[2].contains("`b-x` is missing"), "{text:?}");
        let broken = BTreeMap::from([("a".into(), Value::Int(9)), ("b-x".into(), Value::Float(0.1))]);
        assert!(space().conform(&broken).unwrap_err()[0].message.contains("a + 2 * b-x <= 9"));
    }

    #[test]
    fn a_parameter_without_an_effect_need_not_be_given() {
        let mode = parameter(
            serde_json::json!({"name": "mode", "type": "categorical", "choices": ["a", "b"], "default": "a"}),
        );
        let size =
            parameter(serde_json::json!({"name": "size", "type": "int", "low": 1, "high": 9, "default": 4,
            "when": {"mode": ["b"]}}));
        let fixed = parameter(
            serde_json::json!({"name": "k", "type": "int", "low": 1, "high": 9, "default": 4, "fixed": 6}),
        );
        let space = Space::new(vec![mode, size, fixed], &[]).unwrap();
        let given = |mode: &str| {
            Parameters::from([("mode".into(), Value::Text(mode.into())), ("k".into(), Value::Int(6))])
        };
        assert_eq!(space.conform(&given("a")).unwrap()["size"], Value::Int(4));
        assert!(space.conform(&given("b")).unwrap_err()[0].message.contains("`size` is missing"));
        let other = Parameters::from([("k".into(), Value::Int(7)), ("mode".into(), Value::Text("a".into()))]);
        let message = space.conform(&other).unwrap_err()[0].message.clone();
        assert!(message.contains("expected `6`, at which it is fixed"), "{message}");
    }
}
