//! From the text a program printed to a number: `parse(parser, field, text)`.
//!
//! A measurement that is cut off, empty, contradictory or without a single sample is an error, never a number. In
//! particular a parser accepts no text that could be the beginning of a longer one with another result: every proper
//! prefix of an output is an error or gives the same value.
//!
//! | parser | reads | fields |
//! |---|---|---|
//! | `sysbench` | `cpu`, `memory`, `fileio`, `oltp_*` of 1.0 | [`sysbench`] |
//! | `iperf3` | text and `--json` | [`iperf3`] |
//! | `rabbitmq-perf-test` | the summary | [`perf_test`] |
//! | `fio` | `--output-format=json` | [`fio`] |
//! | `pgbench` | the summary | [`pgbench`] |
//! | `stress-ng` | `--metrics`, `--metrics-brief` | [`stress_ng`] |
//! | `regex` | any text | a regular expression with one group, see [`generic`] |
//! | `json` | a JSON document | a JSON pointer such as `/end/rate` |
//! | `key-value` | lines `key=value` or `key: value` | a key |

pub mod fio;
pub mod generic;
pub mod iperf3;
pub mod perf_test;
pub mod pgbench;
pub mod stress_ng;
pub mod sysbench;
mod table;

use std::collections::BTreeMap;

pub(crate) use table::Table;

/// The names of all parsers.
pub const PARSERS: [&str; 9] =
    ["sysbench", "iperf3", "rabbitmq-perf-test", "fio", "pgbench", "stress-ng", "regex", "json", "key-value"];

/// Why a text does not yield the number asked for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("parser `{parser}`, field `{field}`: {problem}")]
pub struct ParseError {
    pub parser: String,
    pub field: String,
    pub problem: Problem,
}

impl ParseError {
    /// Whether the experiment file is at fault rather than the output: measuring again would not help.
    pub const fn is_in_the_experiment(&self) -> bool {
        matches!(
            self.problem,
            Problem::UnknownParser { .. } | Problem::UnknownField { .. } | Problem::BadExpression { .. }
        )
    }
}

/// What is wrong with a text, or with the question.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// There is no such parser.
    #[error("there is no such parser; did you mean `{nearest}`? (known: {})", PARSERS.join(", "))]
    UnknownParser { nearest: String },
    /// The parser has no such field.
    #[error("there is no such field; did you mean `{nearest}`? (known: {known})")]
    UnknownField { nearest: String, known: String },
    /// The regular expression or JSON pointer cannot be used.
    #[error("{reason}")]
    BadExpression { reason: String },
    /// Nothing, or only white space.
    #[error("the output is empty; the program printed nothing")]
    Empty,
    /// It ends before the tool was done.
    #[error("the output is truncated: {missing}")]
    Truncated { missing: String },
    /// Complete, but without this field.
    #[error("the output does not have it; it has {found}")]
    Absent { found: String },
    /// The field occurs with several values.
    #[error("the output has two contradictory results, {first} and {second}")]
    Contradictory { first: f64, second: f64 },
    /// The tool ran, but measured nothing.
    #[error("no samples: {what}")]
    NoSamples { what: String },
    /// Something stands where a finite number should.
    #[error("`{found}` is not a finite number")]
    NotANumber { found: String },
    /// The tool itself says that it failed.
    #[error("the tool reports a failure: {message}")]
    ToolFailed { message: String },
    /// Not what this tool prints.
    #[error("{reason}")]
    Malformed { reason: String },
}

/// The number that `field` has in `text`.
pub fn parse(parser: &str, field: &str, text: &str) -> Result<f64, ParseError> {
    value(parser, field, text).map_err(|problem| ParseError {
        parser: parser.into(),
        field: field.into(),
        problem,
    })
}

fn value(parser: &str, field: &str, text: &str) -> Result<f64, Problem> {
    check(parser, field)?;
    if text.trim().is_empty() {
        return Err(Problem::Empty);
    }
    match parser {
        "regex" => generic::regex(field, text),
        "json" => generic::json(field, text),
        "key-value" => generic::key_value(text)?.take(field),
        tool => scan(tool, text)?.take(field),
    }
}

/// Whether the question makes sense, whatever the output: asked before anything is run.
pub fn check_field(parser: &str, field: &str) -> Result<(), ParseError> {
    check(parser, field).map_err(|problem| ParseError { parser: parser.into(), field: field.into(), problem })
}

fn check(parser: &str, field: &str) -> Result<(), Problem> {
    let (known, pattern): (&[&str], fn(&str) -> bool) = match parser {
        "sysbench" => (&sysbench::FIELDS, sysbench::is_percentile),
        "iperf3" => (&iperf3::FIELDS, |_| false),
        "rabbitmq-perf-test" => (&perf_test::FIELDS, |_| false),
        "fio" => (&fio::FIELDS, fio::is_percentile),
        "pgbench" => (&pgbench::FIELDS, |_| false),
        "stress-ng" => (&stress_ng::FIELDS, stress_ng::is_of_a_stressor),
        "regex" => return generic::compile(field).map(drop),
        "json" => return generic::check_pointer(field),
        "key-value" => return generic::check_key(field),
        _ => return Err(Problem::UnknownParser { nearest: table::nearest(parser, PARSERS) }),
    };
    if known.contains(&field) || pattern(field) {
        return Ok(());
    }
    Err(Problem::UnknownField {
        nearest: table::nearest(field, known.iter().copied()),
        known: known.join(", "),
    })
}

fn scan(tool: &str, text: &str) -> Result<Table, Problem> {
    match tool {
        "sysbench" => sysbench::scan(text),
        "iperf3" => iperf3::scan(text),
        "rabbitmq-perf-test" => perf_test::scan(text),
        "fio" => fio::scan(text),
        "pgbench" => pgbench::scan(text),
        "stress-ng" => stress_ng::scan(text),
        _ => Err(Problem::UnknownParser { nearest: table::nearest(tool, PARSERS) }),
    }
}

/// Every number that one of the tools' parsers, or `key-value`, finds in `text`; those that are in doubt are left out.
pub fn fields(parser: &str, text: &str) -> Result<BTreeMap<String, f64>, ParseError> {
    let scanned = match parser {
        _ if text.trim().is_empty() => Err(Problem::Empty),
        "key-value" => generic::key_value(text),
        "regex" | "json" => Err(Problem::BadExpression {
            reason: "it has no fields of its own: ask for one by expression or pointer".into(),
        }),
        tool => scan(tool, text),
    };
    scanned.map(Table::into_values).map_err(|problem| ParseError {
        parser: parser.into(),
        field: "*".into(),
        problem,
    })
}

/// The lines of `text` that certainly are whole: those that end with a newline.
pub(crate) fn whole_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(|l| l.trim_end_matches('\r'))
}

/// A finite number, or what stands there instead.
pub(crate) fn number(text: &str) -> Result<f64, Problem> {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(Problem::NotANumber { found: text.chars().take(60).collect() }),
    }
}
