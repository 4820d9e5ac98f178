//! The algorithms by name, and their settings.

use autoopt_epoch::experiment::Algorithm;
use serde_json::Value;

/// Who proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A Gaussian process and noisy log expected improvement, after a design.
    Gp,
    /// A design alone.
    Design(Design),
}

/// Points that are chosen without a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// A scrambled Sobol sequence.
    Sobol,
    /// A Latin hypercube.
    Lhs,
    /// Every combination of some levels.
    Grid,
    /// Uniform random numbers.
    Random,
}

impl Design {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sobol, Self::Lhs, Self::Grid, Self::Random];

    /// The name in an experiment.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sobol => "sobol",
            Self::Lhs => "lhs",
            Self::Grid => "grid",
            Self::Random => "random",
        }
    }
}

impl Method {
    /// All of them; their names are the algorithms this optimizer answers for.
    pub const ALL: [Self; 5] = [
        Self::Gp,
        Self::Design(Design::Sobol),
        Self::Design(Design::Lhs),
        Self::Design(Design::Grid),
        Self::Design(Design::Random),
    ];

    /// The name in an experiment.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gp => "gp",
            Self::Design(design) => design.as_str(),
        }
    }

    /// Its settings, for people.
    const fn keys(self) -> &'static str {
        match self {
            Self::Gp => "`candidates`, `design` and `levels`",
            Self::Design(Design::Grid) => "`levels`",
            Self::Design(_) => "none",
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
    /// The design; of `gp` the one that comes before the model, `design`.
    pub design: Design,
    /// `levels`: how many of each number a grid has, 2 to 1,000; `None`: as many as it takes to fill the budget.
    pub levels: Option<usize>,
}

/// What is wrong with an algorithm's settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Nobody here answers for that name.
    #[error("unknown algorithm `{name}`; this optimizer has `gp`, `sobol`, `lhs`, `grid` and `random`")]
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
        let design = if let Method::Design(design) = method { design } else { Design::Sobol };
        let mut settings =
            Self { method, initial: algorithm.initial, candidates: 1000, design, levels: None };
        for (key, value) in &algorithm.settings {
            let refused = |key, expected| SettingsError::Value {
                method: method.as_str(),
                key,
                expected,
                found: value.to_string(),
            };
            match (method, key.as_str()) {
                (Method::Gp, "candidates") => {
                    settings.candidates = whole(value, 16, 20_000)
                        .ok_or_else(|| refused("candidates", "a whole number from 16 to 20000"))?;
                }
                (Method::Gp, "design") => {
                    settings.design = Design::ALL
                        .into_iter()
                        .find(|d| value.as_str() == Some(d.as_str()))
                        .ok_or_else(|| refused("design", "`sobol`, `lhs`, `grid` or `random`"))?;
                }
                (Method::Gp | Method::Design(Design::Grid), "levels") => {
                    let levels = whole(value, 2, 1000);
                    settings.levels =
                        Some(levels.ok_or_else(|| refused("levels", "a whole number from 2 to 1000"))?);
                }
                _ => {
                    return Err(SettingsError::Key {
                        method: method.as_str(),
                        key: key.clone(),
                        known: method.keys(),
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
