//! The experiment: what a person writes (TOML in a file, JSON over the API), and what is checked before it runs.

mod check;
mod check_metrics;
mod diagnostics;
mod load;
mod shape;
mod shapes;
mod spec;

pub use check::check;
pub use check_metrics::PARSERS;
pub use diagnostics::{Diagnostic, Diagnostics, Place};
pub use load::{init_template, load, parse_json, parse_toml};
pub use spec::{
    Algorithm, AtEnd, Baseline, Budget, Confirm, Earlier, ExperimentSpec, KeepLoad, Metric, Objective,
    RetryPolicies, RetryPolicy, StageSpec, WarmStart,
};
