//! From text to expressions, by recursive descent.

use super::{Comparison, Expr, Function, MAX_DEPTH, MAX_LENGTH, MAX_NODES, Operator, Relation};
use crate::problem::{list, nearest};

/// The functions by name. `min`, `max` and `geomean` take one or more arguments, the others exactly one.
pub const FUNCTIONS: [(&str, Function); 8] = [
    ("min", Function::Min),
    ("max", Function::Max),
    ("abs", Function::Abs),
    ("sqrt", Function::Sqrt),
    ("ln", Function::Ln),
    ("log10", Function::Log10),
    ("exp", Function::Exp),
    ("geomean", Function::Geomean),
];

/// Why a text is no expression, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at column {column} of `{}`", shorten(.text))]
pub struct ParseError {
    /// What is wrong, and what was expected.
    pub message: String,
    /// From 1, in characters.
    pub column: usize,
    /// The whole text.
    pub text: String,
}

impl ParseError {
    pub(super) fn new(text: &str, offset: usize, message: impl Into<String>) -> Self {
        let column = text.char_indices().take_while(|(at, _)| *at < offset).count() + 1;
        Self { message: message.into(), column, text: text.into() }
    }

    /// The text with a caret below the place.
    pub fn snippet(&self) -> String {
        format!("{}\n{}^", self.text, " ".repeat(self.column - 1))
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 80 { text.into() } else { text.chars().take(79).chain(['…']).collect() }
}

pub(super) fn expression(text: &str) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text)?;
    let expr = parser.sum(0)?;
    parser.end("an operator or the end")?;
    Ok(expr)
}

pub(super) fn comparison(text: &str) -> Result<Comparison, ParseError> {
    let mut parser = Parser::new(text)?;
    let left = parser.sum(0)?;
    let relation = parser.relation()?;
    let right = parser.sum(0)?;
    parser.end("the end; a comparison has two sides")?;
    Ok(Comparison { left, relation, right })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    nodes: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, ParseError> {
        if text.len() > MAX_LENGTH {
            return Err(ParseError::new(text, 0, format!("more than {MAX_LENGTH} bytes")));
        }
        Ok(Self { text, at: 0, nodes: 0 })
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError::new(self.text, self.at, message))
    }

    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn expected<T>(&mut self, wanted: &str) -> Result<T, ParseError> {
        let found = self.peek().map_or_else(|| "the end".to_owned(), |c| format!("`{c}`"));
        self.error(format!("found {found}, expected {wanted}"))
    }

    fn end(&mut self, wanted: &str) -> Result<(), ParseError> {
        if self.peek().is_none() { Ok(()) } else { self.expected(wanted) }
    }

    fn node(&mut self, expr: Expr) -> Result<Expr, ParseError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES { self.error(format!("more than {MAX_NODES} terms")) } else { Ok(expr) }
    }

    fn binary(&mut self, operator: Operator, left: Expr, right: Expr) -> Result<Expr, ParseError> {
        self.node(Expr::Binary(operator, Box::new(left), Box::new(right)))
    }

    fn sum(&mut self, depth: usize) -> Result<Expr, ParseError> {
        if depth > MAX_DEPTH {
            return self.error(format!("nested deeper than {MAX_DEPTH}"));
        }
        let mut left = self.product(depth)?;
        loop {
            let operator = if self.take('+') {
                Operator::Add
            } else if self.take('-') {
                Operator::Subtract
            } else {
                return Ok(left);
            };
            let right = self.product(depth)?;
            left = self.binary(operator, left, right)?;
        }
    }

    fn product(&mut self, depth: usize) -> Result<Expr, ParseError> {
        let mut left = self.signed(depth)?;
        loop {
            let operator = if self.take('*') {
                Operator::Multiply
            } else if self.take('/') {
                Operator::Divide
            } else {
                return Ok(left);
            };
            let right = self.signed(depth)?;
            left = self.binary(operator, left, right)?;
        }
    }

    fn signed(&mut self, depth: usize) -> Result<Expr, ParseError> {
        if depth > MAX_DEPTH {
            return self.error(format!("nested deeper than {MAX_DEPTH}"));
        }
        if self.take('-') {
            let inner = self.signed(depth + 1)?;
            return self.node(Expr::Negate(Box::new(inner)));
        }
        let base = self.atom(depth)?;
        if !self.take('^') {
            return Ok(base);
        }
        let exponent = self.signed(depth + 1)?;
        self.binary(Operator::Power, base, exponent)
    }

    fn atom(&mut self, depth: usize) -> Result<Expr, ParseError> {
        match self.peek() {
            Some('(') => {
                self.at += 1;
                let inner = self.sum(depth + 1)?;
                if self.take(')') { Ok(inner) } else { self.expected("`)` or an operator") }
            }
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => self.name(depth),
            _ => self.expected("a number, a name or `(`"),
        }
    }

    fn number(&mut self) -> Result<Expr, ParseError> {
        let bytes = self.text.as_bytes();
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let mut end = digits(self.at);
        if bytes.get(end) == Some(&b'.') {
            end = digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let after = digits(end + 1 + sign);
            if after > end + 1 + sign {
                end = after;
            }
        }
        let written = &self.text[self.at..end];
        match written.parse::<f64>() {
            Ok(x) if x.is_finite() => {
                self.at = end;
                self.node(Expr::Number(x))
            }
            _ => self.error(format!("`{written}` is not a finite number")),
        }
    }

    fn name(&mut self, depth: usize) -> Result<Expr, ParseError> {
        let start = self.at;
        let rest = &self.text[start..];
        let length =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
        let name = &rest[..length];
        self.at += length;
        if self.peek() != Some('(') {
            return self.node(Expr::Name(name.into()));
        }
        let Some(function) = FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, f)| *f) else {
            let known = FUNCTIONS.map(|(known, _)| known);
            let hint = match nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known: {}", list(&known)),
            };
            self.at = start;
            return self.error(format!("unknown function `{name}`; {hint}"));
        };
        self.at += 1;
        let mut arguments = vec![self.sum(depth + 1)?];
        while self.take(',') {
            arguments.push(self.sum(depth + 1)?);
        }
        if !self.take(')') {
            return self.expected("`,`, `)` or an operator");
        }
        if arguments.len() > 1 && !function.variadic() {
            self.at = start;
            return self.error(format!("`{name}` takes one argument, not {}", arguments.len()));
        }
        self.node(Expr::Call(function, arguments))
    }

    fn relation(&mut self) -> Result<Relation, ParseError> {
        let (less, greater) = (self.peek() == Some('<'), self.peek() == Some('>'));
        if !less && !greater {
            return self.expected(
                "`<=`, `<`, `>=` or `>` (an equality cannot be asked of measured or searched values)",
            );
        }
        self.at += 1;
        let equal = self.text[self.at..].starts_with('=');
        self.at += usize::from(equal);
        Ok(match (less, equal) {
            (true, true) => Relation::LessOrEqual,
            (true, false) => Relation::Less,
            (false, true) => Relation::GreaterOrEqual,
            (false, false) => Relation::Greater,
        })
    }
}
