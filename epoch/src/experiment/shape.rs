//! A deserializer's complaint in the words of an experiment file.

use crate::problem::Problem;

/// `path` is where the deserializer was, `.` for the whole; `message` is its complaint.
pub(super) fn problem(path: &str, message: &str) -> Problem {
    let path = if path == "." { "" } else { path };
    let message = message.trim_end();
    if let Some((key, known)) = named(message, "unknown field ") {
        let path = if last_key(path) == key { path.to_owned() } else { join(path, &key) };
        return Problem::new(path, format!("unknown key `{key}`"))
            .suggest(&key, known.iter().map(String::as_str));
    }
    if let Some((given, known)) = named(message, "unknown variant ") {
        let message = format!("`{given}` is not possible here");
        return Problem::new(path, message).suggest(&given, known.iter().map(String::as_str));
    }
    if let Some((key, _)) = named(message, "missing field ") {
        return Problem::new(join(path, &key), format!("missing key `{key}`"));
    }
    if let Some((key, _)) = named(message, "duplicate field ") {
        return Problem::new(path, format!("the key `{key}` is given twice"));
    }
    if message.contains("untagged enum Value") {
        let expected = "expected a number, a text or a boolean (`true`, `false`)";
        return Problem::new(path, format!("this is no parameter's value; {expected}"));
    }
    let refused = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    if let Some((found, expected)) = refused.and_then(|rest| rest.rsplit_once(", expected ")) {
        return Problem::new(path, format!("expected {}, found {}", plain(expected), plain_found(found)));
    }
    Problem::new(path, message)
}

/// `unknown field `a`, expected one of `b`, `c``: the first name in backquotes, and the others.
fn named(message: &str, prefix: &str) -> Option<(String, Vec<String>)> {
    let mut names = message.strip_prefix(prefix)?.split('`').skip(1).step_by(2).map(str::to_owned);
    Some((names.next()?, names.collect()))
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn last_key(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// What a Rust type is called in a file.
fn plain(expected: &str) -> String {
    match expected {
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" => "a whole number from 0 on".into(),
        "i64" => "a whole number".into(),
        "f64" => "a number".into(),
        "a string" => "a text in quotes".into(),
        "a borrowed string" | "string" => "a text in quotes".into(),
        "a boolean" => "`true` or `false`".into(),
        "a sequence" => "a list, such as `[\"a\", \"b\"]`".into(),
        "a map" => "a table".into(),
        "string or table" | "variant identifier" => "a text in quotes".into(),
        other if other.starts_with("struct ") => "a table of keys and values".into(),
        other if other.starts_with("enum ") => "a text in quotes".into(),
        other => other.into(),
    }
}

fn plain_found(found: &str) -> String {
    let (kind, rest) = found.split_once(' ').unwrap_or((found, ""));
    match kind {
        "string" => format!("the text {rest}"),
        "integer" | "float" | "floating" => format!("the number {}", rest.trim_start_matches("point ")),
        "boolean" => rest.to_owned(),
        "sequence" => "a list".into(),
        "map" => "a table".into(),
        "null" => "nothing".into(),
        _ => found.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_put_in_the_words_of_the_file() {
        let cases = [
            (
                ".",
                "unknown field `budgte`, expected `a` or `budget`",
                "budgte: unknown key `budgte`; did you mean `budget`?",
            ),
            (
                "bench.keeep",
                "unknown field `keeep`, expected `keep`",
                "bench.keeep: unknown key `keeep`; did you mean `keep`?",
            ),
            (
                "at_end",
                "unknown variant `x`, expected one of `best`, `keep`",
                "at_end: `x` is not possible here; known: `best`, `keep`",
            ),
            ("budget", "missing field `trials`", "budget.trials: missing key `trials`"),
            (
                "budget.trials",
                "invalid type: string \"many\", expected u32",
                "budget.trials: expected a whole number from 0 to 4294967295, found the text \"many\"",
            ),
            (
                "budget.trials",
                "invalid value: integer `-1`, expected u32",
                "budget.trials: expected a whole number from 0 to 4294967295, found the number `-1`",
            ),
            ("x", "something else", "x: something else"),
        ];
        for (path, message, expected) in cases {
            assert_eq!(problem(path, message).to_string(), expected);
        }
    }
}
