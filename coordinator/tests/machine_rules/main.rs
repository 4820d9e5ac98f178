//! The state machine from outside: what a person sees happen, random scripts, and every interleaving of a small case.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it explored"
)]

mod change;
mod closing;
mod cloud;
mod confirm;
mod exploration;
mod failures;
mod leaks;
mod outlook;
mod random;
mod regressions;
mod scenarios;
mod sharing;
mod spread;
mod support;
mod told;
mod unlike;
mod wishes;
