//! The worker that owns the collect stage: it reads raw output, and computes metrics and the objective from it.
//!
//! [`parser`] turns the text that a benchmark printed into numbers, or says why it cannot; it has no I/O.

pub mod parser;
pub mod readings;
