//! Metrics, the objective and outcome constraints: what refers to what.

use std::collections::BTreeSet;

use super::check::MAX_NAME;
use super::{ExperimentSpec, Metric, Objective};
use crate::formula::{Comparison, Expr};
use crate::measure::BASELINE;
use crate::problem::{Problem, list, nearest};

/// What reads raw output; the worker of the collect stage implements them.
pub const PARSERS: [&str; 9] =
    ["sysbench", "iperf3", "rabbitmq-perf-test", "fio", "pgbench", "stress-ng", "regex", "json", "key-value"];

pub(super) fn check(problems: &mut Vec<Problem>, spec: &ExperimentSpec) {
    if spec.metrics.is_empty() {
        let problem = Problem::new("metrics", "there is nothing to measure; expected at least one metric");
        problems.push(problem.with_hint("add a [[metrics]] table with `name`, `parser` and `field`"));
    }
    let all: Vec<&str> = spec.metrics.iter().map(|m| m.name.as_str()).collect();
    let mut seen = BTreeSet::new();
    for (i, metric) in spec.metrics.iter().enumerate() {
        let path = format!("metrics[{i}]");
        if !valid_name(&metric.name) {
            let message = format!(
                "`{}` is not a metric's name; expected letters, digits and `_`, starting with a letter, at most {MAX_NAME}",
                metric.name
            );
            problems.push(Problem::new(format!("{path}.name"), message));
        }
        if !seen.insert(metric.name.as_str()) {
            let message = format!("the name `{}` is used twice", metric.name);
            problems.push(Problem::new(format!("{path}.name"), message));
        }
        source(problems, &path, metric);
        if let Some(formula) = &metric.formula {
            let path = format!("{path}.formula");
            match Expr::parse(formula) {
                Ok(expr) => names(problems, &path, &expr.names(), &all[..i], &all),
                Err(error) => problems.push(Problem::new(path, error.to_string())),
            }
        }
    }
    objective(problems, "objective", &spec.objective, &all);
    for (i, other) in spec.other_objectives.iter().enumerate() {
        objective(problems, &format!("other_objectives[{i}]"), other, &all);
    }
    for (i, text) in spec.outcome_constraints.iter().enumerate() {
        let path = format!("outcome_constraints[{i}]");
        match Comparison::parse(text) {
            Ok(comparison) if comparison.names().is_empty() => {
                problems.push(Problem::new(path, format!("`{text}` does not depend on any metric")));
            }
            Ok(comparison) => names(problems, &path, &comparison.names(), &all, &all),
            Err(error) => problems.push(Problem::new(path, error.to_string())),
        }
    }
}

/// Read from raw output, or computed.
fn source(problems: &mut Vec<Problem>, path: &str, metric: &Metric) {
    let name = &metric.name;
    let mut add = |key: &str, message: String, hint: &str| {
        problems.push(Problem::new(format!("{path}.{key}"), message).with_hint(hint));
    };
    match (&metric.parser, &metric.formula) {
        (Some(_), Some(_)) => add(
            "formula",
            format!("the metric `{name}` has a `parser` and a `formula`; it has one or the other"),
            "remove one, or make two metrics of it",
        ),
        (None, None) => add(
            "parser",
            format!("nothing says where the metric `{name}` comes from"),
            "give `parser` and `field`, or `formula`",
        ),
        (None, Some(_)) => {
            for (key, given) in [("field", &metric.field), ("from", &metric.from)] {
                if given.is_some() {
                    add(
                        key,
                        format!("`{key}` belongs to a `parser`; the metric `{name}` is computed"),
                        "remove it",
                    );
                }
            }
        }
        (Some(parser), None) => {
            if metric.field.as_ref().is_none_or(String::is_empty) {
                let message =
                    format!("missing; the parser `{parser}` needs a `field`, which says what number to take");
                add("field", message, "for example `field = \"tps\"`");
            }
        }
    }
    if let Some(parser) = metric.parser.as_deref().filter(|p| !PARSERS.contains(p)) {
        let problem = Problem::new(format!("{path}.parser"), format!("there is no parser `{parser}`"));
        problems.push(problem.suggest(parser, PARSERS));
    }
}

fn objective(problems: &mut Vec<Problem>, path: &str, objective: &Objective, all: &[&str]) {
    let given = [("maximize", &objective.maximize), ("minimize", &objective.minimize)];
    let count = given.iter().filter(|(_, text)| text.is_some()).count();
    if count != 1 {
        let message = if count == 0 {
            "has neither `maximize` nor `minimize`"
        } else {
            "has both `maximize` and `minimize`"
        };
        let problem = Problem::new(path, format!("the objective {message}; expected exactly one of them"));
        problems.push(problem.with_hint("for example `maximize = \"throughput\"`"));
    }
    for (key, text) in given {
        let Some(text) = text else { continue };
        let path = format!("{path}.{key}");
        match Expr::parse(text) {
            Ok(expr) if expr.names().is_empty() => {
                problems.push(Problem::new(path, format!("`{text}` does not depend on any metric")));
            }
            Ok(expr) => names(problems, &path, &expr.names(), all, all),
            Err(error) => problems.push(Problem::new(path, error.to_string())),
        }
    }
}

/// Each name is one of `usable`, with or without `baseline.`: while the baseline itself is measured, its own metrics
/// stand for it, so that it too has to be defined before. `all` tells a late metric from an unknown one.
fn names(problems: &mut Vec<Problem>, path: &str, used: &BTreeSet<&str>, usable: &[&str], all: &[&str]) {
    for name in used {
        let bare = name.strip_prefix(BASELINE).unwrap_or(name);
        let prefix = &name[..name.len() - bare.len()];
        if usable.contains(&bare) {
            continue;
        }
        let problem = if all.contains(&bare) {
            let message = format!("the metric `{bare}` is used before it is defined");
            Problem::new(path, message).with_hint(format!("move `{bare}` above this metric"))
        } else {
            let problem = Problem::new(path, format!("there is no metric `{bare}`"));
            match nearest(bare, usable.iter().copied()) {
                Some(near) => problem.with_hint(format!("did you mean `{prefix}{near}`?")),
                None if usable.is_empty() => problem.with_hint("no metric is defined before this one"),
                None => problem.with_hint(format!("known: {}", list(usable))),
            }
        };
        problems.push(problem);
    }
}

fn valid_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
