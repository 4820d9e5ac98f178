//! Values that a program prints: a JSON object, or `name=value` lines.

use autoopt_epoch::command::Captured;
use autoopt_epoch::space::{Parameters, Value};

/// The values of exactly the `expected` parameters, each in the type of the expected value. What else is printed is left.
pub(crate) fn read(printed: &Captured, expected: &Parameters) -> Result<Parameters, String> {
    if printed.truncated {
        return Err(format!("it printed {} bytes, more than are kept; raise `max_output`", printed.total));
    }
    let text = std::str::from_utf8(&printed.bytes).map_err(|_| "it did not print UTF-8".to_owned())?;
    let text = text.trim();
    let found = if text.starts_with('{') { object(text)? } else { lines(text)? };
    expected
        .iter()
        .map(|(name, like)| {
            // of a name that is printed twice the last counts
            let (_, value) = found.iter().rev().find(|(found, _)| found == name).ok_or_else(|| {
                format!("it printed no value for the parameter `{name}` (expected a JSON object or name=value lines)")
            })?;
            let value = typed(value, like)
                .ok_or_else(|| format!("it printed `{value}` for the parameter `{name}`, {}", expectation(like)))?;
            Ok((name.clone(), value))
        })
        .collect()
}

fn object(text: &str) -> Result<Vec<(String, String)>, String> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|error| format!("it did not print a JSON object: {error}"))?;
    let plain = |value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(object.into_iter().map(|(name, value)| (name, plain(value))).collect())
}

fn lines(text: &str) -> Result<Vec<(String, String)>, String> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let (name, value) = line
                .split_once('=')
                .ok_or_else(|| format!("it printed the line `{}`, which is no name=value", line.trim()))?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

/// The text as the type of `like`, by the value alone.
fn typed(text: &str, like: &Value) -> Option<Value> {
    let number = || text.parse::<f64>().ok().filter(|number| number.is_finite());
    match like {
        Value::Text(_) => Some(Value::Text(text.to_owned())),
        Value::Float(_) => number().map(Value::Float),
        // 2^53: beyond it a float is no exact whole number
        Value::Int(_) => text.parse().ok().map(Value::Int).or_else(|| {
            let whole = number().filter(|x| x.fract() == 0.0 && x.abs() <= 9_007_199_254_740_992.0)?;
            Some(Value::Int(whole as i64))
        }),
        Value::Bool(_) => match text.to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" | "1" => Some(Value::Bool(true)),
            "false" | "off" | "no" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
    }
}

const fn expectation(like: &Value) -> &'static str {
    match like {
        Value::Bool(_) => "which is neither true nor false",
        Value::Int(_) => "which is no whole number",
        Value::Float(_) => "which is no finite number",
        Value::Text(_) => "which is no text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Parameters {
        Parameters::from([
            ("f".into(), Value::Float(1.0)),
            ("i".into(), Value::Int(1)),
            ("b".into(), Value::Bool(false)),
            ("t".into(), Value::Text(String::new())),
        ])
    }

    fn reading(text: &str) -> Result<Parameters, String> {
        let printed =
            Captured { bytes: text.as_bytes().to_vec(), total: text.len() as u64, truncated: false };
        read(&printed, &expected())
    }

    #[test]
    fn both_forms_give_values_of_the_parameters_types() {
        let values = Parameters::from([
            ("f".into(), Value::Float(2.0)),
            ("i".into(), Value::Int(3)),
            ("b".into(), Value::Bool(true)),
            ("t".into(), Value::Text("1".into())),
        ]);
        assert_eq!(reading("{\"f\": 2, \"i\": 3.0, \"b\": true, \"t\": 1, \"other\": []}").unwrap(), values);
        assert_eq!(reading("f=2e0\n i = 3\n\nb=ON\nt=1\nother=x=y\n").unwrap(), values);
    }

    #[test]
    fn what_is_no_value_is_named() {
        for (text, said) in [
            ("", "no value for the parameter `b`"),
            ("{\"f\": 2", "JSON object"),
            ("mysqld: cannot connect", "no name=value"),
            ("f=NaN\ni=1\nb=0\nt=", "`NaN` for the parameter `f`"),
            ("f=1\ni=1.5\nb=0\nt=", "no whole number"),
            ("f=1\ni=1\nb=maybe\nt=", "neither true nor false"),
        ] {
            let error = reading(text).expect_err(said);
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}
