//! `autoopt`: the command line.

mod board;
mod client;
mod command;
mod fault;
mod model;
mod report;
mod show;
mod standing;
mod top;

use clap::Parser;

use crate::command::Autoopt;
use crate::fault::Fault;

#[expect(clippy::print_stderr, reason = "a program's own messages")]
fn main() -> std::process::ExitCode {
    let arguments = Autoopt::parse();
    let json = arguments.json();
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("another TLS provider was installed before");
    }
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Fault::failed("cannot start the runtime").because(e))
        .and_then(|runtime| runtime.block_on(arguments.run()));
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(fault) => {
            if json {
                eprintln!("{}", fault.json());
            } else {
                eprintln!("{fault}");
            }
            fault.code()
        }
    }
}
