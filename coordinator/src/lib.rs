//! The coordinator: it alone decides what happens next.
//!
//! [`machine`] is the decision, a pure function. Everything else carries it out: the store records, the outbox
//! publishes, the engine feeds, the API shows.

pub mod api;
pub mod claim;
pub mod engine;
pub mod machine;
pub mod metrics;
pub mod store;
pub mod upkeep;
