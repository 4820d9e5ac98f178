//! The value of an expression, or the part of it that has none.

use super::{Expr, Function, Operator};

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EvalError {
    /// Nobody knows this name.
    #[error("there is no value for `{name}`")]
    Missing { name: String },
    /// A name's own value is an infinity or no number.
    #[error("`{name}` is {value}, which is not a finite number")]
    NotFinite { name: String, value: f64 },
    /// A divisor of zero.
    #[error("`{part}` divides by zero: `{divisor}` is 0")]
    DivisionByZero { part: String, divisor: String },
    /// A function outside its domain.
    #[error("`{part}` is not defined for {values}; {expected}")]
    Domain { part: String, values: String, expected: &'static str },
    /// Too large for a number.
    #[error("`{part}` is too large for a number (from {values})")]
    Overflow { part: String, values: String },
}

pub(super) fn finite(value: f64, what: impl FnOnce() -> (String, String)) -> Result<f64, EvalError> {
    if value.is_finite() {
        return Ok(value);
    }
    let (part, values) = what();
    Err(EvalError::Overflow { part, values })
}

pub(super) fn eval(expr: &Expr, lookup: &dyn Fn(&str) -> Option<f64>) -> Result<f64, EvalError> {
    match expr {
        Expr::Number(x) => Ok(*x),
        Expr::Name(name) => match lookup(name) {
            Some(value) if value.is_finite() => Ok(value),
            Some(value) => Err(EvalError::NotFinite { name: name.clone(), value }),
            None => Err(EvalError::Missing { name: name.clone() }),
        },
        Expr::Negate(inner) => Ok(-eval(inner, lookup)?),
        Expr::Binary(operator, left, right) => {
            let (a, b) = (eval(left, lookup)?, eval(right, lookup)?);
            let domain = |expected| {
                Err(EvalError::Domain { part: expr.to_string(), values: format!("{a} and {b}"), expected })
            };
            let value = match operator {
                Operator::Add => a + b,
                Operator::Subtract => a - b,
                Operator::Multiply => a * b,
                Operator::Divide if b == 0.0 => {
                    return Err(EvalError::DivisionByZero {
                        part: expr.to_string(),
                        divisor: right.to_string(),
                    });
                }
                Operator::Divide => a / b,
                Operator::Power if a == 0.0 && b < 0.0 => {
                    return domain("a negative power of zero is infinite");
                }
                Operator::Power if a < 0.0 && b.fract() != 0.0 => {
                    return domain("a negative number has whole powers only");
                }
                Operator::Power => a.powf(b),
            };
            finite(value, || (expr.to_string(), format!("{a} and {b}")))
        }
        Expr::Call(function, arguments) => {
            let values = arguments.iter().map(|a| eval(a, lookup)).collect::<Result<Vec<_>, _>>()?;
            call(expr, *function, &values)
        }
    }
}

fn call(expr: &Expr, function: Function, values: &[f64]) -> Result<f64, EvalError> {
    let shown = || values.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
    let domain = |expected| Err(EvalError::Domain { part: expr.to_string(), values: shown(), expected });
    let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let value = match function {
        Function::Min => smallest,
        Function::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Function::Abs => smallest.abs(),
        Function::Sqrt if smallest < 0.0 => return domain("a root wants a number from 0 on"),
        Function::Sqrt => smallest.sqrt(),
        Function::Ln | Function::Log10 | Function::Geomean if smallest <= 0.0 => {
            return domain("it wants numbers above 0");
        }
        Function::Ln => smallest.ln(),
        Function::Log10 => smallest.log10(),
        Function::Exp => smallest.exp(),
        // by logarithms, so that a product of large numbers does not overflow
        Function::Geomean => (values.iter().map(|x| x.ln()).sum::<f64>() / values.len() as f64).exp(),
    };
    finite(value, || (expr.to_string(), shown()))
}
