//! The simulator as its users see it: through HTTP, and embedded.

mod experiment;
