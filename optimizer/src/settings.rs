//! The algorithms by name, and their settings.

use autoopt_epoch::experiment::Algorithm;
use serde_json::Value;

/// Who proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A Gaussian process and noisy log expected improvement, after a design.
    Gp,
    /// A scrambled Sobol sequence.
    Sobol,
    /// Uniform random numbers.
    Random,
}

impl Method {
    /// All of them; their names are the algorithms this optimizer answers for.
    pub const ALL: [Self; 3] = [Self::Gp, Self::Sobol, Self::Random];

    /// The name in an experiment.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gp => "gp",
            Self::Sobol => "sobol",
            Self::Random => "random",
        }
    }
}

/// An algorithm's settings, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Who proposes.
    pub method: Method,
    /// Results and pending trials before the model proposes; `None`: it follows from the number of columns.
    pub initial: Option<u32>,
    /// `gp` only, `candidates`: points at which the acquisition is looked at before the best are refined; 16 to 20,000.
    pub candidates: usize,
}

/// What is wrong with an algorithm's settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Nobody here answers for that name.
    #[error("unknown algorithm `{name}`; this optimizer has `gp`, `sobol` and `random`")]
    Unknown { name: String },
    /// A key nobody reads, most likely mistyped.
    #[error("algorithm `{method}` has no setting `{key}`; it has: {known}")]
    Key { method: &'static str, key: String, known: &'static str },
    /// A value that cannot be.
    #[error("setting `{key}` of algorithm `{method}` has to be {expected}, not {found}")]
    Value { method: &'static str, key: &'static str, expected: &'static str, found: String },
}

impl Settings {
    /// Checks the algorithm of an experiment.
    pub fn new(algorithm: &Algorithm) -> Result<Self, SettingsError> {
        let method = Method::ALL
            .into_iter()
            .find(|m| m.as_str() == algorithm.name)
            .ok_or_else(|| SettingsError::Unknown { name: algorithm.name.clone() })?;
        let mut settings = Self { method, initial: algorithm.initial, candidates: 1000 };
        for (key, value) in &algorithm.settings {
            match (method, key.as_str()) {
                (Method::Gp, "candidates") => {
                    settings.candidates = whole(value, 16, 20_000).ok_or_else(|| SettingsError::Value {
                        method: method.as_str(),
                        key: "candidates",
                        expected: "a whole number from 16 to 20000",
                        found: value.to_string(),
                    })?;
                }
                _ => {
                    return Err(SettingsError::Key {
                        method: method.as_str(),
                        key: key.clone(),
                        known: if method == Method::Gp { "`candidates`" } else { "none" },
                    });
                }
            }
        }
        Ok(settings)
    }
}

fn whole(value: &Value, low: u64, high: u64) -> Option<usize> {
    value.as_u64().filter(|n| (low..=high).contains(n)).and_then(|n| usize::try_from(n).ok())
}
