//! From raw metrics to a measurement: formulas, the objective, and the outcome constraints.

use std::collections::BTreeMap;

use crate::failure::{Failure, FailureKind};
use crate::formula::{Comparison, EvalError, Expr, ParseError};
use crate::message::{Measure, Measurement, Violation};

/// The prefix of the baseline's metrics in formulas.
pub const BASELINE: &str = "baseline.";

/// Computes what `spec` asks from `raw`, the values of the metrics that were parsed, by name.
///
/// `baseline.NAME` is the baseline's metric; while the baseline itself is measured, its own metrics stand for it.
/// Formulas are computed in the order of the file. Any division by zero, missing or non-finite number is a failure of
/// kind `invalid` that names it.
pub fn measure(spec: &Measure, raw: &BTreeMap<String, f64>) -> Result<Measurement, Failure> {
    let mut metrics: BTreeMap<String, f64> = BTreeMap::new();
    for metric in &spec.metrics {
        let what = || format!("metric `{}`", metric.name);
        let value = match &metric.formula {
            Some(formula) => {
                let expr = Expr::parse(formula).map_err(|e| unreadable(&what(), &e))?;
                expr.eval(&|name| value_of(spec, &metrics, name)).map_err(|e| no_value(&what(), &e))?
            }
            None => match raw.get(&metric.name) {
                Some(value) if value.is_finite() => *value,
                Some(value) => return Err(invalid(format!("{} is {value}, not a finite number", what()))),
                None => return Err(invalid(format!("{} was not found in the raw output", what()))),
            },
        };
        metrics.insert(metric.name.clone(), value);
    }
    let lookup = |name: &str| value_of(spec, &metrics, name);
    let value = |what: &str, text: &str| -> Result<f64, Failure> {
        let expr = Expr::parse(text).map_err(|e| unreadable(what, &e))?;
        expr.eval(&lookup).map_err(|e| no_value(what, &e))
    };
    let objective = value("the objective", spec.objective.expression())?;
    let others = spec
        .other_objectives
        .iter()
        .map(|o| value(&format!("the objective `{}`", o.expression()), o.expression()));
    let others = others.collect::<Result<Vec<f64>, Failure>>()?;
    let mut violations = Vec::new();
    for constraint in &spec.outcome_constraints {
        let what = || format!("outcome constraint `{constraint}`");
        let comparison = Comparison::parse(constraint).map_err(|e| unreadable(&what(), &e))?;
        let margin = comparison.margin(&lookup).map_err(|e| no_value(&what(), &e))?;
        if !comparison.holds(margin) {
            // `by` is positive: a strict constraint met with equality is off by the least there is
            violations.push(Violation { constraint: constraint.clone(), by: margin.max(f64::MIN_POSITIVE) });
        }
    }
    Ok(Measurement { metrics, objective, others, violations })
}

fn value_of(spec: &Measure, metrics: &BTreeMap<String, f64>, name: &str) -> Option<f64> {
    match (name.strip_prefix(BASELINE), &spec.baseline) {
        (Some(name), Some(baseline)) => baseline.get(name).copied(),
        (Some(name), None) => metrics.get(name).copied(),
        (None, _) => metrics.get(name).copied(),
    }
}

fn invalid(reason: String) -> Failure {
    Failure::new(FailureKind::Invalid, reason)
}

fn no_value(what: &str, error: &EvalError) -> Failure {
    invalid(format!("{what}: {error}"))
}

fn unreadable(what: &str, error: &ParseError) -> Failure {
    invalid(format!("{what} cannot be read: {error}"))
}
