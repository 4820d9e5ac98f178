//! The HTTP API, over real connections.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod access;
mod bad_input;
mod circle;
mod dashboard;
mod document;
mod sharing;
mod stream;
mod system;
