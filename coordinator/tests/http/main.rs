//! The HTTP API, over real connections.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod access;
mod acts;
mod bad_input;
mod circle;
mod dashboard;
mod document;
mod effects;
mod fronts;
mod many;
mod sharing;
mod stream;
mod system;
