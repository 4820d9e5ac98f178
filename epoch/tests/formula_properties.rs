//! What holds for every formula, also for those that nobody would write.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use autoopt_epoch::experiment::Objective;
use autoopt_epoch::failure::FailureKind;
use autoopt_epoch::formula::{Comparison, Expr, FUNCTIONS, Function, Linear, Operator};
use autoopt_epoch::measure::measure;
use autoopt_epoch::message::Measure;
use proptest::prelude::*;

const NAMES: [&str; 5] = ["a", "b", "latency_p95", "baseline.a", "nobody"];

fn expr() -> impl Strategy<Value = Expr> {
    let number = prop_oneof![
        Just(0.0),
        (0.0..100.0_f64),
        (0_u32..20).prop_map(f64::from),
        any::<f64>()
            .prop_filter("a literal is finite and has no sign", |x| x.is_finite() && x.is_sign_positive()),
    ];
    let leaf = prop_oneof![
        number.prop_map(Expr::Number),
        prop::sample::select(&NAMES[..]).prop_map(|name| Expr::Name(name.into())),
    ];
    leaf.prop_recursive(6, 60, 3, |inner| {
        let operator = prop::sample::select(vec![
            Operator::Add,
            Operator::Subtract,
            Operator::Multiply,
            Operator::Divide,
            Operator::Power,
        ]);
        let function = prop::sample::select(FUNCTIONS.map(|(_, function)| function).to_vec());
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(Expr::Negate),
            (operator, boxed.clone(), boxed).prop_map(|(o, a, b)| Expr::Binary(o, a, b)),
            (function, prop::collection::vec(inner, 1..4)).prop_map(|(function, mut arguments)| {
                if !matches!(function, Function::Min | Function::Max | Function::Geomean) {
                    arguments.truncate(1);
                }
                Expr::Call(function, arguments)
            }),
        ]
    })
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -10.0..10.0_f64, 2 => any::<f64>(), 1 => Just(0.0), 1 => Just(f64::INFINITY), 1 => Just(f64::NAN)]
}

/// Everything but `nobody`.
fn values() -> impl Strategy<Value = BTreeMap<&'static str, f64>> {
    prop::array::uniform4(number()).prop_map(|numbers| NAMES.into_iter().zip(numbers).collect())
}

/// As on paper, with infinities and NaN wherever they come up; none as soon as there is one.
fn on_paper(expr: &Expr, values: &BTreeMap<&str, f64>) -> Option<f64> {
    let value = match expr {
        Expr::Number(x) => *x,
        Expr::Name(name) => *values.get(name.as_str())?,
        Expr::Negate(inner) => -on_paper(inner, values)?,
        Expr::Binary(operator, a, b) => {
            let (a, b) = (on_paper(a, values)?, on_paper(b, values)?);
            match operator {
                Operator::Add => a + b,
                Operator::Subtract => a - b,
                Operator::Multiply => a * b,
                Operator::Divide => a / b,
                Operator::Power => a.powf(b),
            }
        }
        Expr::Call(function, arguments) => {
            let all: Vec<f64> = arguments.iter().map(|a| on_paper(a, values)).collect::<Option<_>>()?;
            match function {
                Function::Min => all.into_iter().reduce(f64::min)?,
                Function::Max => all.into_iter().reduce(f64::max)?,
                Function::Abs => all[0].abs(),
                Function::Sqrt => all[0].sqrt(),
                Function::Ln => all[0].ln(),
                Function::Log10 => all[0].log10(),
                Function::Exp => all[0].exp(),
                // it tends to 0 where one is 0, but a mean of rates with a zero among them is no measurement
                Function::Geomean if all.contains(&0.0) => return None,
                Function::Geomean => (all.iter().map(|x| x.ln()).sum::<f64>() / all.len() as f64).exp(),
            }
        }
    };
    value.is_finite().then_some(value)
}

/// Text of the pieces that formulas are made of, in any order.
fn soup() -> impl Strategy<Value = String> {
    let pieces = vec![
        "a", "b-c", "min(", "sqrt(", "(", ")", ",", "+", "-", "*", "/", "^", "<=", ">", "<", "=", "1", "0",
        ".5", "1e", "1e999", "e", " ", "é", "∞", "\n", "nan", "..",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..30).prop_map(|pieces| pieces.concat())
}

fn formulas_measure(objective: &str, constraint: &str) -> Measure {
    Measure {
        metrics: serde_json::from_value(serde_json::json!([
            {"name": "a", "parser": "key-value", "field": "a"},
            {"name": "b", "parser": "key-value", "field": "b"},
            {"name": "ratio", "formula": "a / b"},
        ]))
        .unwrap(),
        objective: Objective { maximize: Some(objective.into()), minimize: None, unit: None },
        other_objectives: Vec::new(),
        outcome_constraints: vec![constraint.into()],
        baseline: None,
    }
}

proptest! {
    #[test]
    fn what_is_printed_is_read_as_the_same(expr in expr()) {
        prop_assert_eq!(Expr::parse(&expr.to_string()), Ok(expr));
    }

    #[test]
    fn a_value_is_the_one_on_paper_and_never_infinite(expr in expr(), values in values()) {
        let value = expr.eval(&|name| values.get(name).copied()).ok();
        prop_assert_eq!(value, on_paper(&expr, &values), "{}", expr);
    }

    #[test]
    fn a_quotient_by_zero_is_an_error_that_names_the_divisor(expr in expr(), zero in prop::sample::select(vec![0.0, -0.0])) {
        let values = BTreeMap::from([("a", zero), ("b", 2.0), ("latency_p95", 1.0), ("baseline.a", 3.0)]);
        let quotient = Expr::Binary(Operator::Divide, Box::new(expr), Box::new(Expr::Name("a".into())));
        prop_assert!(quotient.eval(&|name| values.get(name).copied()).is_err(), "{}", quotient);
    }

    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![soup(), ".{0,60}"]) {
        for printed in [Expr::parse(&text).map(|e| e.to_string()), Comparison::parse(&text).map(|c| c.to_string())] {
            if let Err(error) = printed {
                prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1, "{:?}: {}", text, error);
                prop_assert!(error.snippet().ends_with('^'));
            }
        }
        if let Ok(expr) = Expr::parse(&text) {
            prop_assert_eq!(Expr::parse(&expr.to_string()), Ok(expr));
        }
        if let Ok(linear) = Linear::parse(&text, &["a", "b-c"]) {
            prop_assert_eq!(Linear::parse(&linear.to_string(), &["a", "b-c"]), Ok(linear));
        }
    }

    #[test]
    fn a_linear_constraint_is_the_sum_that_was_written(
        coefficients in prop::array::uniform3(-50_i32..50), left in -100_i32..100, right in -100_i32..100,
        values in prop::array::uniform3(-1000_i32..1000), relation in prop::sample::select(vec!["<", "<=", ">", ">="]),
    ) {
        let [a, b, c] = coefficients;
        let text = format!("{a} * x + {left} - {b} * y-z {relation} {c} * w / 2 + {right}");
        let known = ["x", "y-z", "w"];
        match Linear::parse(&text, &known) {
            Err(error) => prop_assert_eq!(coefficients, [0, 0, 0], "{}: {}", text, error),
            Ok(linear) => {
                let [x, y, w] = values;
                // twice both sides, exact in whole numbers
                let (l, r) = (2 * (a * x + left - b * y), c * w + 2 * right);
                let holds = match relation { "<" => l < r, "<=" => l <= r, ">" => l > r, _ => l >= r };
                let lookup = |name: &str| known.iter().position(|k| *k == name).map(|i| f64::from(values[i]));
                prop_assert_eq!(linear.holds(&lookup), Some(holds), "{}", text);
                let margin = f64::from(if relation.starts_with('<') { l - r } else { r - l }) / 2.0;
                prop_assert_eq!(linear.margin(&lookup), Some(margin), "{}", text);
            }
        }
    }

    #[test]
    fn a_measurement_has_finite_numbers_only_and_tells_what_is_broken(
        objective in expr(), a in number(), b in number(), limit in -10_i32..10,
    ) {
        let constraint = format!("ratio <= {limit}");
        let spec = formulas_measure(&objective.to_string(), &constraint);
        let raw = BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]);
        match measure(&spec, &raw) {
            Ok(measured) => {
                prop_assert!(measured.metrics.values().chain([&measured.objective]).all(|x| x.is_finite()));
                prop_assert_eq!(measured.metrics["ratio"], a / b);
                prop_assert_eq!(!measured.violations.is_empty(), a / b > f64::from(limit));
                prop_assert!(measured.violations.iter().all(|v| v.by > 0.0 && v.by.is_finite()));
            }
            Err(failure) => {
                prop_assert_eq!(failure.kind, FailureKind::Invalid);
                prop_assert!(failure.reason.contains('`') || failure.reason.contains("objective"), "{}", failure.reason);
                let fine = a.is_finite() && b.is_finite() && (a / b).is_finite() && (a / b - f64::from(limit)).is_finite();
                let values = BTreeMap::from([("a", a), ("b", b), ("baseline.a", a)]);
                prop_assert!(!fine || on_paper(&objective, &values).is_none(), "{}", failure.reason);
            }
        }
    }
}

#[test]
fn a_dash_before_a_name_that_has_one_is_a_sign() {
    let parse = |text| Linear::parse(text, &["a", "b-c", "b-c-d"]).map(|linear| linear.to_string());
    assert_eq!(parse("-b-c <= -1").as_deref(), Ok("-b-c <= -1"));
    assert_eq!(parse("a-b-c <= 1").as_deref(), Ok("a - b-c <= 1"));
    assert_eq!(parse("b-c-a <= 1").as_deref(), Ok("-a + b-c <= 1"));
    assert_eq!(parse("b-c-d <= 1").as_deref(), Ok("b-c-d <= 1"));
}
