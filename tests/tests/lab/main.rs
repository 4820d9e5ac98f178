//! The stages, and the simulator beside them, on the real control plane of `deploy/lab`, if that is up.

mod apply;
mod client;
mod heat;
mod parity;
mod rig;
mod workload;
