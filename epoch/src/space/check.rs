//! What a parameter's types cannot say.

use std::collections::BTreeSet;

use super::{MAX_WHOLE, Parameter, ParameterType};
use crate::problem::{Problem, list};

/// More parameters than this cannot be searched in any budget.
pub(super) const MAX_PARAMETERS: usize = 200;
/// More constraints than this are a mistake.
pub(super) const MAX_CONSTRAINTS: usize = 100;
/// More choices or special values than this are a mistake.
const MAX_CHOICES: usize = 1000;
/// The longest name, in bytes.
const MAX_NAME: usize = 64;

/// All problems of all parameters.
pub(super) fn parameters(parameters: &[Parameter]) -> Vec<Problem> {
    let mut problems = Vec::new();
    if parameters.is_empty() {
        problems
            .push(Problem::new("parameters", "there is nothing to search; expected at least one parameter"));
    }
    if parameters.len() > MAX_PARAMETERS {
        problems.push(Problem::new("parameters", format!("more than {MAX_PARAMETERS} parameters")));
    }
    let mut seen = BTreeSet::new();
    for (i, parameter) in parameters.iter().enumerate().take(MAX_PARAMETERS) {
        let mut add = |key: &str, message: String| {
            problems.push(Problem::new(format!("parameters[{i}].{key}"), message));
        };
        if !seen.insert(parameter.name.as_str()) {
            add("name", format!("the name `{}` is used twice", parameter.name));
        }
        one(parameter, &mut add);
        when(parameter, &parameters[..i], &mut add);
    }
    problems
}

/// What a parameter depends on has to stand above it, so that nothing depends on itself.
fn when(p: &Parameter, above: &[Parameter], add: &mut dyn FnMut(&str, String)) {
    for (name, when) in &p.when {
        let Some(other) = above.iter().find(|other| other.name == *name) else {
            let known: Vec<&str> = above.iter().map(|other| other.name.as_str()).collect();
            let there = if known.is_empty() { "none".into() } else { list(&known) };
            add("when", format!("`{name}` is no parameter above this one; above it: {there}"));
            continue;
        };
        if when.values().is_empty() {
            add("when", format!("no value of `{name}` is given; expected one, or a list of several"));
        }
        for value in when.values() {
            let special = || other.special.iter().any(|s| other.typed(s) == other.typed(value));
            match other.conform(value) {
                Err(message) => add("when", format!("`{name}` never has this value: {message}")),
                Ok(_) if other.kind == ParameterType::Float && other.step.is_none() && !special() => add(
                    "when",
                    format!(
                        "`{name}` is a continuous float, which hardly ever is {value}; expected one of its special values"
                    ),
                ),
                Ok(_) => {}
            }
        }
    }
}

fn one(p: &Parameter, add: &mut dyn FnMut(&str, String)) {
    if !valid_name(&p.name) {
        let expected = "expected letters, digits, `_`, `-` and `.`, starting with a letter, at most 64";
        add("name", format!("`{}` is not a parameter's name; {expected}", p.name));
    }
    let sound = match p.kind {
        ParameterType::Int | ParameterType::Float => number(p, add),
        ParameterType::Categorical => {
            none_of_numbers(p, add);
            categorical(p, add)
        }
        ParameterType::Bool => {
            none_of_numbers(p, add);
            none_of_choices(p, add);
            true
        }
    };
    if p.special.len() > MAX_CHOICES {
        add("special", format!("more than {MAX_CHOICES} special values"));
    }
    for value in p.special.iter().take(MAX_CHOICES).filter(|v| p.typed(v).is_none()) {
        add("special", format!("`{value}` has the wrong type; it belongs to {} parameter", noun(p.kind)));
    }
    // the default, in force when nobody tunes, may differ from what trials are fixed at
    let free = Parameter { fixed: None, ..p.clone() };
    for (key, value) in [("default", Some(&p.default)), ("fixed", p.fixed.as_ref())] {
        if sound && let Some(Err(message)) = value.map(|value| free.conform(value)) {
            add(key, message);
        }
    }
}

fn number(p: &Parameter, add: &mut dyn FnMut(&str, String)) -> bool {
    none_of_choices(p, add);
    for (key, bound) in [("low", p.low), ("high", p.high)] {
        match bound {
            None => add(key, format!("missing; {} parameter needs `low` and `high`", noun(p.kind))),
            Some(x) if !x.is_finite() => add(key, format!("{x} is not a finite number")),
            Some(x) if p.kind == ParameterType::Int && (x.fract() != 0.0 || x.abs() > MAX_WHOLE) => {
                add(key, format!("{x} is not a whole number of at most 2^53, which an int parameter needs"));
            }
            Some(_) => {}
        }
    }
    let (Some(low), Some(high)) = (p.low, p.high) else { return false };
    // equal bounds are allowed: they fix the parameter
    if low > high {
        add("high", format!("the bounds are upside down: low is {low}, high is {high}"));
    }
    if p.log && low <= 0.0 {
        add("low", format!("{low} has no logarithm; `log = true` needs low > 0"));
    }
    if let Some(step) = p.step {
        if p.log {
            add("step", "`step` and `log` exclude each other".into());
        }
        if !step.is_finite() || step <= 0.0 {
            add("step", format!("{step} is no step; expected a number above 0"));
            return false;
        }
        if p.kind == ParameterType::Int && step.fract() != 0.0 {
            add("step", format!("{step} is not a whole number, which an int parameter needs"));
        }
        if step > high - low && high > low {
            add("step", format!("{step} is wider than the range from {low} to {high}"));
        }
    }
    low <= high
}

fn categorical(p: &Parameter, add: &mut dyn FnMut(&str, String)) -> bool {
    if p.choices.is_empty() {
        add("choices", "missing; a categorical parameter needs `choices = [\"a\", \"b\"]`".into());
        return false;
    }
    if p.choices.len() > MAX_CHOICES {
        add("choices", format!("more than {MAX_CHOICES} choices"));
    }
    let mut seen = BTreeSet::new();
    for choice in p.choices.iter().filter(|c| !seen.insert(c.as_str())) {
        add("choices", format!("the choice `{choice}` is given twice"));
    }
    true
}

fn none_of_numbers(p: &Parameter, add: &mut dyn FnMut(&str, String)) {
    let given =
        [("low", p.low.is_some()), ("high", p.high.is_some()), ("step", p.step.is_some()), ("log", p.log)];
    for (key, _) in given.into_iter().filter(|(_, given)| *given) {
        add(key, format!("`{key}` belongs to numbers; this parameter is {}", noun(p.kind)));
    }
}

fn none_of_choices(p: &Parameter, add: &mut dyn FnMut(&str, String)) {
    if !p.choices.is_empty() {
        add("choices", format!("`choices` belongs to categoricals; this parameter is {}", noun(p.kind)));
    }
}

fn noun(kind: ParameterType) -> &'static str {
    match kind {
        ParameterType::Float => "a float",
        ParameterType::Int => "an int",
        ParameterType::Categorical => "a categorical",
        ParameterType::Bool => "a bool",
    }
}

fn valid_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}
