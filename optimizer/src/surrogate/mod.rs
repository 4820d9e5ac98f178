//! The model: a Gaussian process over the columns of a space.

pub mod fit;
pub mod gp;
pub mod kernel;
pub mod warp;

pub use fit::fit;
pub use gp::{Data, Gp, GpError, Hyper, Posterior};
