//! Parsers for programs of one's own: `regex`, `json` and `key-value`.
//!
//! A line counts once it is whole, with its newline: `rate=12` at the very end may be the beginning of `rate=1234`. A value
//! that occurs several times has to be the same each time; to take the last of several on purpose, say so in the
//! expression: `(?s).*rate=(\d+)`.

use regex::Regex;
use serde_json::Value;

use super::{Problem, Table, number, whole_lines};

/// A regular expression with exactly one group.
pub(crate) fn compile(expression: &str) -> Result<Regex, Problem> {
    let compiled = regex::RegexBuilder::new(expression)
        .multi_line(true)
        .size_limit(1 << 20)
        .build()
        .map_err(|e| Problem::BadExpression { reason: format!("not a regular expression: {e}") })?;
    match compiled.captures_len() - 1 {
        1 => Ok(compiled),
        groups => Err(Problem::BadExpression {
            reason: format!(
                "a regular expression needs exactly one group around the number, this has {groups}; write others as (?:…)"
            ),
        }),
    }
}

/// What the one group of `expression` matched; `^` and `$` stand for the ends of a line.
pub(crate) fn regex(expression: &str, text: &str) -> Result<f64, Problem> {
    let compiled = compile(expression)?;
    let whole = &text[..text.rfind('\n').map_or(0, |at| at + 1)];
    let mut table = Table::default();
    for captures in compiled.captures_iter(whole) {
        match captures.get(1) {
            Some(group) => table.put_text("", group.as_str()),
            None => table.put_result("", Err(Problem::NotANumber { found: String::new() })),
        }
    }
    if !table.is_empty() {
        return table.take("");
    }
    Err(if compiled.is_match(text) {
        Problem::Truncated {
            missing: "the expression matches the last line only, which has no newline".into(),
        }
    } else {
        Problem::Absent { found: excerpt(text) }
    })
}

/// Whether `pointer` is a JSON pointer (RFC 6901).
pub(crate) fn check_pointer(pointer: &str) -> Result<(), Problem> {
    if pointer.starts_with('/') {
        return Ok(());
    }
    Err(Problem::BadExpression { reason: "a JSON pointer starts with `/`, such as `/end/rate`".into() })
}

/// The number at `pointer`.
pub(crate) fn json(pointer: &str, text: &str) -> Result<f64, Problem> {
    let document = document(text)?;
    match document.pointer(pointer) {
        Some(Value::Number(n)) => number(&n.to_string()),
        Some(Value::String(s)) => number(s),
        Some(other) => Err(Problem::NotANumber { found: other.to_string().chars().take(60).collect() }),
        None => Err(Problem::Absent { found: present(&document, pointer) }),
    }
}

/// The one JSON object or array that `text` is.
pub(crate) fn document(text: &str) -> Result<Value, Problem> {
    // a bare number could be the beginning of a longer one
    if !text.trim_start().starts_with(['{', '[']) {
        return Err(Problem::Malformed { reason: format!("not a JSON object or array: {}", excerpt(text)) });
    }
    serde_json::from_str(text).map_err(|e| {
        if e.is_eof() {
            Problem::Truncated { missing: format!("the JSON document does not end: {e}") }
        } else {
            Problem::Malformed { reason: format!("not JSON: {e}") }
        }
    })
}

/// The keys beside the first step of `pointer` that is not there.
fn present(document: &Value, pointer: &str) -> String {
    let mut at = document;
    let mut path = String::new();
    for step in pointer.split('/').skip(1) {
        match at.pointer(&format!("/{step}")) {
            Some(inner) => at = inner,
            None => break,
        }
        path = format!("{path}/{step}");
    }
    let place = if path.is_empty() { "the document".into() } else { format!("`{path}`") };
    match at {
        Value::Object(map) => {
            let keys: Vec<&str> = map.keys().map(String::as_str).take(20).collect();
            format!("in {place} the keys {}", keys.join(", "))
        }
        Value::Array(items) => format!("in {place} {} items", items.len()),
        other => format!("at {place} the value {}", excerpt(&other.to_string())),
    }
}

/// Whether a key can be found at all.
pub(crate) fn check_key(key: &str) -> Result<(), Problem> {
    if key.is_empty() || key.contains(['=', ':', '\n']) || key.trim() != key {
        return Err(Problem::BadExpression {
            reason: "a key is the text before `=` or `:`, without either and without white space around it"
                .into(),
        });
    }
    Ok(())
}

/// The lines `key=value` and `key: value`; other lines are passed over. A value that is no number is an error once asked for.
pub(crate) fn key_value(text: &str) -> Result<Table, Problem> {
    let mut table = Table::default();
    for line in whole_lines(text) {
        if let Some((key, value)) = line.split_once(['=', ':']) {
            table.put_text(key.trim(), value);
        }
    }
    if table.is_empty() {
        return Err(Problem::Truncated { missing: format!("no whole line `key=value`: {}", excerpt(text)) });
    }
    Ok(table)
}

fn excerpt(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let short: String = line.chars().take(80).collect();
    if short.len() < text.trim().len() { format!("`{short}…`") } else { format!("`{short}`") }
}
