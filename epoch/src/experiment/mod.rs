//! The experiment: what a person writes (TOML in a file, JSON over the API), and what is checked before it runs.

mod spec;

pub use spec::{
    Algorithm, AtEnd, Budget, ExperimentSpec, KeepLoad, Metric, Objective, RetryPolicies, RetryPolicy,
    StageSpec,
};
