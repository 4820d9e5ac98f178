//! Expressions over named numbers: metrics, objectives, constraints.
//!
//! `+ - * / ^`, unary minus, parentheses, numbers, names (`tps`, `baseline.tps`) and the functions of [`FUNCTIONS`].
//! `^` binds tighter than unary minus and to the right, as in mathematics: `-a^2` is `-(a^2)`. An evaluation gives a
//! finite number or an error that names the part at fault; never an infinity or a NaN.

mod eval;
mod linear;
mod parse;

use std::collections::{BTreeMap, BTreeSet};

pub use eval::EvalError;
pub use parse::{FUNCTIONS, ParseError};

/// The longest text that is parsed, in bytes.
pub const MAX_LENGTH: usize = 4096;
/// The deepest nesting that is parsed; bounds the recursion of everything that walks an expression.
pub const MAX_DEPTH: usize = 64;
/// The most numbers, names, operators and calls in one expression. A chain such as `a + a + …` nests to the left as
/// deep as it is long, so this bounds the recursion too.
pub const MAX_NODES: usize = 1000;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Number(f64),
    Name(String),
    Negate(Box<Self>),
    Binary(Operator, Box<Self>, Box<Self>),
    Call(Function, Vec<Self>),
}

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
}

impl Operator {
    const fn symbol(self) -> char {
        match self {
            Self::Add => '+',
            Self::Subtract => '-',
            Self::Multiply => '*',
            Self::Divide => '/',
            Self::Power => '^',
        }
    }
}

/// A function; its names and numbers of arguments are in [`FUNCTIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Min,
    Max,
    Abs,
    Sqrt,
    Ln,
    Log10,
    Exp,
    Geomean,
}

impl Function {
    const fn name(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
            Self::Abs => "abs",
            Self::Sqrt => "sqrt",
            Self::Ln => "ln",
            Self::Log10 => "log10",
            Self::Exp => "exp",
            Self::Geomean => "geomean",
        }
    }

    /// Whether it takes any number of arguments from one on, or exactly one.
    const fn variadic(self) -> bool {
        matches!(self, Self::Min | Self::Max | Self::Geomean)
    }
}

impl Expr {
    /// Parses one expression.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::expression(text)
    }

    /// The names it uses.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.collect_names(&mut names);
        names
    }

    fn collect_names<'a>(&'a self, names: &mut BTreeSet<&'a str>) {
        match self {
            Self::Number(_) => {}
            Self::Name(name) => {
                names.insert(name);
            }
            Self::Negate(inner) => inner.collect_names(names),
            Self::Binary(_, left, right) => {
                left.collect_names(names);
                right.collect_names(names);
            }
            Self::Call(_, arguments) => arguments.iter().for_each(|a| a.collect_names(names)),
        }
    }

    /// Its value, where `lookup` knows the value of each name.
    pub fn eval(&self, lookup: &dyn Fn(&str) -> Option<f64>) -> Result<f64, EvalError> {
        eval::eval(self, lookup)
    }

    const fn level(&self) -> u8 {
        match self {
            Self::Binary(Operator::Add | Operator::Subtract, ..) => 1,
            Self::Binary(Operator::Multiply | Operator::Divide, ..) => 2,
            Self::Negate(_) => 3,
            Self::Binary(Operator::Power, ..) => 4,
            _ => 5,
        }
    }
}

impl std::fmt::Display for Expr {
    /// With the fewest parentheses; what is printed parses to the same expression.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let within = |f: &mut std::fmt::Formatter<'_>, inner: &Self, level: u8| {
            if inner.level() < level { write!(f, "({inner})") } else { write!(f, "{inner}") }
        };
        match self {
            Self::Number(x) => write!(f, "{x:?}"),
            Self::Name(name) => f.write_str(name),
            Self::Negate(inner) => {
                f.write_str("-")?;
                within(f, inner, 3)
            }
            Self::Binary(operator, left, right) => {
                // Power groups to the right, the others to the left; an exponent may carry a sign: `a ^ -b`.
                let (l, r) = match operator {
                    Operator::Add | Operator::Subtract => (1, 2),
                    Operator::Multiply | Operator::Divide => (2, 3),
                    Operator::Power => (5, 3),
                };
                within(f, left, l)?;
                write!(f, " {} ", operator.symbol())?;
                within(f, right, r)
            }
            Self::Call(function, arguments) => {
                write!(f, "{}(", function.name())?;
                for (i, argument) in arguments.iter().enumerate() {
                    write!(f, "{}{argument}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str(")")
            }
        }
    }
}

/// How the two sides of a comparison have to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
}

impl Relation {
    const fn symbol(self) -> &'static str {
        match self {
            Self::LessOrEqual => "<=",
            Self::Less => "<",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        }
    }

    /// Whether equality breaks it.
    pub const fn strict(self) -> bool {
        matches!(self, Self::Less | Self::Greater)
    }
}

/// Two expressions compared, such as `latency_p95 <= 1.2 * baseline.latency_p95`.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub left: Expr,
    pub relation: Relation,
    pub right: Expr,
}

impl Comparison {
    /// Parses `expression relation expression`.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::comparison(text)
    }

    /// The names of both sides.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names = self.left.names();
        names.extend(self.right.names());
        names
    }

    /// How far it is from holding: positive when it is broken by so much, zero or negative when it holds with so much
    /// to spare. A strict comparison is broken at zero; ask [`Self::holds`].
    pub fn margin(&self, lookup: &dyn Fn(&str) -> Option<f64>) -> Result<f64, EvalError> {
        let (left, right) = (self.left.eval(lookup)?, self.right.eval(lookup)?);
        let margin = match self.relation {
            Relation::LessOrEqual | Relation::Less => left - right,
            Relation::GreaterOrEqual | Relation::Greater => right - left,
        };
        eval::finite(margin, || (self.to_string(), format!("{left} and {right}")))
    }

    /// Whether it holds at this margin.
    pub fn holds(&self, margin: f64) -> bool {
        if self.relation.strict() { margin < 0.0 } else { margin <= 0.0 }
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.left, self.relation.symbol(), self.right)
    }
}

/// `sum(coefficients · parameters) <= bound`, or `<` when `strict`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// By parameter name; bools count as 0 and 1.
    pub coefficients: BTreeMap<String, f64>,
    pub bound: f64,
    pub strict: bool,
}
