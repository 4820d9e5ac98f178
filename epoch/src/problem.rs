//! One thing that is wrong with an input, wherever the input came from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that is wrong: where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Where: `parameters[2].low`, `objective.maximize`; empty for the whole.
    pub path: String,
    /// What is wrong, and what was expected.
    pub message: String,
    /// What to do, if there is something to propose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without a hint.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), hint: None }
    }

    /// The same problem with a proposal.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same problem; when one of `known` is close to `given`, it is proposed, otherwise all are listed.
    pub fn suggest<'a>(self, given: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        match nearest(given, known.iter().copied()) {
            Some(near) => self.with_hint(format!("did you mean `{near}`?")),
            None if known.is_empty() => self,
            None => self.with_hint(format!("known: {}", list(&known))),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// The known name most similar to `given`, if it is similar enough to be what was meant.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = given.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        // 0.8 accepts a swapped, missing or doubled letter and refuses most unrelated words
        .filter(|(similarity, _)| *similarity >= 0.8)
        .map(|(_, name)| name)
}

/// Names in backquotes, at most twelve of them.
pub fn list(names: &[&str]) -> String {
    let mut text = names.iter().take(12).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    if names.len() > 12 {
        text.push_str(&format!(" and {} more", names.len() - 12));
    }
    text
}
