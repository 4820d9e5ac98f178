//! How servers that share a host slow each other down, and what their benchmarks then measure.
//!
//! docs/simulator.md describes the model; the constants stand beside the formulas here.

pub mod benchmark;
pub mod noise;
pub mod role;
pub mod share;

pub use benchmark::{Benchmark, Outcome, Rates};
pub use role::{Load, Role};
pub use share::{Demand, Guest, Hardware, HostLoad, Share, share};
