//! What the `main` of every service is made of: configuration, logging, signals, systemd, and an end with an exit code
//! that says why.
//!
//! A service's `main`, whole:
//!
//! ```no_run
//! use std::path::PathBuf;
//! use std::process::ExitCode;
//! use autoopt_epoch::service::{self, Exit, config::BusSettings, telemetry::LogSettings};
//!
//! #[derive(Debug, Default, serde::Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Settings { bus: BusSettings, log: LogSettings, optimizer: Optimizer }
//!
//! #[derive(Debug, Default, serde::Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Optimizer { algorithms: Vec<String> }
//!
//! fn main() -> ExitCode {
//!     let file: Option<PathBuf> = None; // `--config`, from clap
//!     service::main(async move {
//!         let settings: Settings = service::config::load(file.as_deref(), &["bus", "log", "optimizer"])?;
//!         let records = service::start("autoopt-optimizer", env!("CARGO_PKG_VERSION"), None, &settings.log)?;
//!         let bus = settings.bus.connect("autoopt-optimizer").await?;
//!         service::run(&bus.clone(), records, service::GRACE, |stop| async move {
//!             // subscribe, work, and when `stop` fires finish what is under way, then return
//!             stop.cancelled().await;
//!             drop(bus);
//!             Ok(())
//!         }).await
//!     })
//! }
//! ```
//!
//! A worker does the same with `&["bus", "log", "worker", "apply"]`, the coordinator with
//! `&["bus", "log", "store", "coordinator"]`. One file serves all: sections of other services are skipped, while an
//! unknown section, or an unknown key in one that is read, is an error.
//!
//! The first SIGINT or SIGTERM fires `stop` and starts the grace period; a second one ends the process at once. While
//! [`run()`] waits for the broker at the start, signals have their usual effect.

pub mod config;
pub mod run;
pub mod signals;
pub mod systemd;
pub mod telemetry;

pub use run::{Exit, GRACE, main, run, start};
