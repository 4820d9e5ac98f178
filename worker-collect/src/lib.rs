//! The worker that owns the collect stage: it reads raw output, and computes metrics and the objective from it.
//!
//! [`parser`] turns the text that a benchmark printed into numbers, or says why it cannot, and has no I/O; [`readings`]
//! unpacks artifacts and asks the parsers; [`Collect`] is the stage.

mod collect;
pub mod parser;
pub mod readings;

pub use collect::Collect;
