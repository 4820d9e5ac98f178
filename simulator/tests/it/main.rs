//! The simulator as its users see it: through HTTP, and embedded.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod api;
mod experiment;
