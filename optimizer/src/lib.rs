//! Proposes trials: a pure function from an [`Ask`](autoopt_epoch::message::Ask) to parameters.
//!
//! The road of a suggestion: [`space`] (parameters ↔ columns) → [`design`] (points without a model) → [`surrogate`]
//! (Gaussian processes and trees) → [`acquisition`] (noisy log expected improvement, times each [`term`]) → [`propose`] (where it is largest);
//! for several goals [`pareto`] in place of the last two. None of
//! these knows a runtime, a broker or a clock. Around them: [`service`] (asks from the bus) and [`asktell`] (standard input).

pub mod acquisition;
pub mod again;
pub mod align;
pub mod ascent;
pub mod asktell;
pub mod constraint;
pub mod cost;
pub mod design;
pub mod explain;
pub mod feasibility;
pub mod known;
pub mod limit;
pub mod model;
pub mod outlook;
pub mod pareto;
pub mod placement;
pub mod propose;
pub mod region;
pub mod service;
pub mod settings;
pub mod space;
pub mod suggest;
pub mod surrogate;
pub mod term;

pub use explain::explain;
pub use service::serve;
pub use suggest::{Origin, SuggestError, Suggestion, recommend, recommend_front, suggest};
