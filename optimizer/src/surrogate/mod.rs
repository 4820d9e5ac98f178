//! The models: Gaussian processes over the columns of a space, and a forest of regression trees, weighted by how well they predict.

pub mod bend;
pub mod draws;
pub mod finer;
pub mod fit;
pub mod forest;
pub mod gp;
pub mod kernel;
pub mod lanes;
pub mod outliers;
pub mod pairs;
pub mod part;
pub mod paths;
pub mod stacking;
pub mod table;
pub mod tasks;
pub mod warp;

pub use bend::{Bend, Bends, End};
pub use draws::{Draws, joint_draws};
pub use finer::Finer;
pub use forest::Forest;
pub use gp::{Data, Gp, GpError, Hyper, Posterior};
pub use kernel::Shape;
pub use pairs::Pairs;
pub use paths::Paths;
pub use stacking::Weighted;
pub use tasks::{Relation, Task};
