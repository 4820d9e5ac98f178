//! Placeholders in an argument: `{parameter:NAME}`, `{cluster}`, `{experiment}`, `{epoch}` and `{state_dir}`.
//!
//! A value stays inside its argument, whatever it holds. `{{` stands for one `{`; a brace that does not open a name is
//! left as it is, so that JSON needs no escape.

use std::path::Path;

use crate::message::Epoch;
use crate::problem::nearest;
use crate::space::Parameters;

const NAMES: [&str; 4] = ["cluster", "experiment", "epoch", "state_dir"];

/// Why an argument cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error(
        "unknown placeholder `{{{0}}}`; there are {{parameter:NAME}}, {{cluster}}, {{experiment}}, {{epoch}} and {{state_dir}} \
        (a literal `{{` is written `{{{{`)"
    )]
    Unknown(String),
    #[error("the placeholder `{{parameter:{name}}}` names no parameter of the experiment{hint}")]
    Parameter { name: String, hint: String },
}

/// Where the values come from.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    pub order: &'a Epoch,
    pub parameters: &'a Parameters,
    pub state_dir: &'a Path,
}

/// Whether the placeholders exist, before there are values.
pub fn check(text: &str) -> Result<(), TemplateError> {
    fill(text, &|name| Ok(name.to_owned())).map(drop)
}

/// `text` with its placeholders replaced.
pub fn expand(text: &str, values: &Values<'_>) -> Result<String, TemplateError> {
    fill(text, &|name| match name {
        "cluster" => Ok(values.order.cluster.clone()),
        "experiment" => Ok(values.order.experiment.clone()),
        "epoch" => Ok(values.order.epoch.to_string()),
        "state_dir" => Ok(values.state_dir.display().to_string()),
        parameter => {
            let name = parameter.trim_start_matches("parameter:");
            values.parameters.get(name).map(ToString::to_string).ok_or_else(|| {
                let near = nearest(name, values.parameters.keys().map(String::as_str));
                let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                TemplateError::Parameter { name: name.to_owned(), hint }
            })
        }
    })
}

fn fill(text: &str, value: &dyn Fn(&str) -> Result<String, TemplateError>) -> Result<String, TemplateError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            filled.push('{');
            rest = after;
            continue;
        }
        match rest.split_once('}') {
            Some((name, after)) if is_name(name) => {
                if !NAMES.contains(&name) && name.strip_prefix("parameter:").is_none_or(str::is_empty) {
                    return Err(TemplateError::Unknown(name.to_owned()));
                }
                filled.push_str(&value(name)?);
                rest = after;
            }
            _ => filled.push('{'),
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Whether it looks like `word` or `word:NAME`.
fn is_name(text: &str) -> bool {
    let (word, name) = text.split_once(':').unwrap_or((text, ""));
    !word.is_empty()
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_placeholders_and_unknown_ones_are_refused() {
        let upper = |text: &str| fill(text, &|name| Ok(name.to_uppercase()));
        assert_eq!(upper("a={cluster}/{parameter:x-1.y}").unwrap(), "a=CLUSTER/PARAMETER:X-1.Y");
        assert_eq!(upper("{\"a\": {\"b\": 1}} {} {").unwrap(), "{\"a\": {\"b\": 1}} {} {");
        assert_eq!(upper("{{cluster} {{{epoch}}").unwrap(), "{cluster} {EPOCH}");
        for (text, name) in [("{clutser}", "clutser"), ("{parameter:}", "parameter:"), ("{env:X}", "env:X")] {
            assert_eq!(upper(text), Err(TemplateError::Unknown(name.into())));
        }
    }
}
