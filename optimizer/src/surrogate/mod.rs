//! The model: a Gaussian process over the columns of a space.

pub mod draws;
pub mod fit;
pub mod gp;
pub mod kernel;
pub mod paths;
pub mod tasks;
pub mod warp;

pub use draws::Draws;
pub use gp::{Data, Gp, GpError, Hyper, Posterior};
pub use kernel::Pairs;
pub use paths::Paths;
pub use tasks::{Relation, Task};
