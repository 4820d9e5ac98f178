//! Linear constraints between parameters, taken out of a comparison.

use std::collections::BTreeMap;

use super::{Comparison, Expr, Linear, Operator, ParseError, Relation};
use crate::problem::{list, nearest};

/// `constant + sum(coefficients · names)`.
#[derive(Default)]
struct Form {
    coefficients: BTreeMap<String, f64>,
    constant: f64,
}

impl Form {
    fn scaled(mut self, factor: f64) -> Self {
        self.coefficients.values_mut().for_each(|c| *c *= factor);
        self.constant *= factor;
        self
    }

    fn plus(mut self, other: Self) -> Self {
        for (name, c) in other.coefficients {
            *self.coefficients.entry(name).or_default() += c;
        }
        self.constant += other.constant;
        self
    }

    fn of(expr: &Expr) -> Result<Self, String> {
        Ok(match expr {
            Expr::Number(x) => Self { constant: *x, ..Self::default() },
            Expr::Name(name) => Self { coefficients: BTreeMap::from([(name.clone(), 1.0)]), constant: 0.0 },
            Expr::Negate(inner) => Self::of(inner)?.scaled(-1.0),
            Expr::Binary(Operator::Add, a, b) => Self::of(a)?.plus(Self::of(b)?),
            Expr::Binary(Operator::Subtract, a, b) => Self::of(a)?.plus(Self::of(b)?.scaled(-1.0)),
            Expr::Binary(Operator::Multiply, a, b) => match (Self::of(a)?, Self::of(b)?) {
                (a, b) if a.coefficients.is_empty() => b.scaled(a.constant),
                (a, b) if b.coefficients.is_empty() => a.scaled(b.constant),
                _ => return Err(format!("`{expr}` multiplies parameters")),
            },
            Expr::Binary(Operator::Divide, a, b) => match Self::of(b)? {
                b if !b.coefficients.is_empty() => return Err(format!("`{expr}` divides by a parameter")),
                b if b.constant == 0.0 => return Err(format!("`{expr}` divides by zero")),
                b => Self::of(a)?.scaled(1.0 / b.constant),
            },
            other if other.names().is_empty() => {
                let constant = other.eval(&|_| None).map_err(|e| e.to_string())?;
                Self { constant, ..Self::default() }
            }
            other => return Err(format!("`{other}` is not linear")),
        })
    }
}

impl Linear {
    /// Parses a comparison between sums of parameters. `known` are the names of the parameters that are numbers or
    /// bools; a name may hold `-`, which is then part of the name only where the whole name is known.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, ParseError> {
        let fail = |message: String| ParseError::new(text, 0, message);
        let (plain, renamed) = hide_dashes(text, known);
        let comparison = Comparison::parse(&plain).map_err(|e| ParseError { text: text.into(), ..e })?;
        let form = match comparison.relation {
            Relation::Less | Relation::LessOrEqual => {
                Form::of(&comparison.left).and_then(|l| Ok(l.plus(Form::of(&comparison.right)?.scaled(-1.0))))
            }
            Relation::Greater | Relation::GreaterOrEqual => {
                Form::of(&comparison.right).and_then(|r| Ok(r.plus(Form::of(&comparison.left)?.scaled(-1.0))))
            }
        }
        .map_err(|e| fail(format!("{e}; a constraint is a comparison of sums such as `a + 2 * b <= 10`")))?;
        let mut coefficients = BTreeMap::new();
        for (name, c) in form.coefficients {
            let name = renamed.get(&name).cloned().unwrap_or(name);
            if !known.contains(&name.as_str()) {
                let hint = match nearest(&name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("parameters that are numbers or bools: {}", list(known)),
                };
                let offset = text.find(&name).unwrap_or(0);
                return Err(ParseError::new(text, offset, format!("unknown parameter `{name}`; {hint}")));
            }
            if c != 0.0 {
                coefficients.insert(name, c);
            }
        }
        if coefficients.is_empty() {
            return Err(fail("it does not depend on any parameter".into()));
        }
        let bound = -form.constant;
        if !bound.is_finite() || coefficients.values().any(|c| !c.is_finite()) {
            return Err(fail("its numbers are too large".into()));
        }
        // `+ 0.0` turns a negative zero into zero
        Ok(Self { coefficients, bound: bound + 0.0, strict: comparison.relation.strict() })
    }

    /// How far it is from holding, as [`Comparison::margin`]; `None` if a value is missing.
    pub fn margin(&self, lookup: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
        let mut sum = 0.0;
        for (name, c) in &self.coefficients {
            sum += c * lookup(name)?;
        }
        Some(sum - self.bound)
    }

    /// Whether it holds; values that differ from the bound by rounding alone count as equal to it.
    pub fn holds(&self, lookup: &dyn Fn(&str) -> Option<f64>) -> Option<bool> {
        let margin = self.margin(lookup)?;
        let mut scale = self.bound.abs();
        for (name, c) in &self.coefficients {
            scale = scale.max((c * lookup(name)?).abs());
        }
        // a few units in the last place of the largest term: what a sum of rounded terms can be off by
        let rounding = 1e-12 * scale;
        Some(if self.strict { margin < -rounding } else { margin <= rounding })
    }
}

impl std::fmt::Display for Linear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (name, c)) in self.coefficients.iter().enumerate() {
            let sign = if *c < 0.0 { "-" } else { "+" };
            match (i, *c < 0.0) {
                (0, false) => {}
                (0, true) => f.write_str("-")?,
                _ => write!(f, " {sign} ")?,
            }
            if c.abs() == 1.0 { f.write_str(name)? } else { write!(f, "{} * {name}", c.abs())? }
        }
        write!(f, " {} {}", if self.strict { "<" } else { "<=" }, self.bound)
    }
}

/// Replaces each `-` within a known parameter's name by `_` (padded names of equal length, so that columns stay).
fn hide_dashes(text: &str, known: &[&str]) -> (String, BTreeMap<String, String>) {
    let mut plain = text.to_owned();
    let mut renamed = BTreeMap::new();
    // a `-` beside a known name is a sign: longer names that have it come first
    let part_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let mut dashed: Vec<&str> = known.iter().copied().filter(|n| n.contains('-')).collect();
    dashed.sort_by_key(|n| std::cmp::Reverse(n.len()));
    for name in dashed {
        let hidden = name.replace('-', "_");
        if known.contains(&hidden.as_str()) {
            continue; // two names that would become one: leave the text as it is
        }
        let mut from = 0;
        while let Some(found) = plain[from..].find(name) {
            let (start, end) = (from + found, from + found + name.len());
            let bounded = !plain[..start].ends_with(part_of_name) && !plain[end..].starts_with(part_of_name);
            if bounded {
                plain.replace_range(start..end, &hidden);
                renamed.insert(hidden.clone(), name.to_owned());
            }
            from = end;
        }
    }
    (plain, renamed)
}
