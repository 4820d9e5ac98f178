//! The space of an experiment: parameters, their values, and constraints between them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::formula::Linear;

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
