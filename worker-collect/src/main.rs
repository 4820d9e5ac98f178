//! `autoopt-worker-collect`: does the collect stage.

use std::path::PathBuf;
use std::process::ExitCode;

use autoopt_epoch::message::Stage;
use autoopt_epoch::worker;
use clap::Parser;

/// Does the collect stage of AutoOptCloud's epochs.
///
/// Settings are in the sections [bus], [log], [worker] and [collect] of the configuration, or in AUTOOPT_SECTION__KEY.
#[derive(Parser)]
#[command(name = "autoopt-worker-collect", version)]
struct Arguments {
    /// The configuration; if absent, the file that AUTOOPT_CONFIG names, if any.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    worker::main(
        Stage::Collect,
        env!("CARGO_PKG_VERSION"),
        arguments.config,
        autoopt_worker_collect::backends,
    )
}
