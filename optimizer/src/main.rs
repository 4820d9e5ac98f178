//! `autoopt-optimizer`: the service, or a program that answers on standard output.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use autoopt_epoch::service::config::{self, BusSettings};
use autoopt_epoch::service::telemetry::LogSettings;
use autoopt_epoch::service::{self, Exit};
use autoopt_optimizer::asktell::Session;
use clap::{Parser, Subcommand};

/// Proposes trials.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration file; otherwise what AUTOOPT_CONFIG names.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Answer asks from RabbitMQ (the default).
    Serve,
    /// Answer requests on standard input, one JSON object a line.
    AskTell,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    bus: BusSettings,
    log: LogSettings,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::AskTell) => ask_tell(),
        None | Some(Command::Serve) => service::main(serve(arguments.config)),
    }
}

async fn serve(file: Option<PathBuf>) -> Result<(), Exit> {
    let settings: Settings = config::load(file.as_deref(), &["bus", "log"])?;
    let records = service::start("autoopt-optimizer", env!("CARGO_PKG_VERSION"), None, &settings.log)?;
    let bus = settings.bus.connect("autoopt-optimizer").await?;
    service::run(&bus.clone(), records, service::GRACE, |stop| autoopt_optimizer::serve(bus, stop)).await
}

fn ask_tell() -> ExitCode {
    let mut session = Session::default();
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        // bytes that are no text are answered like any other line that is not JSON
        let line = match line {
            Ok(line) => line,
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => String::from("\u{fffd}"),
            Err(_) => return ExitCode::FAILURE,
        };
        if line.trim().is_empty() {
            continue;
        }
        if writeln!(output, "{}", session.answer(&line)).and_then(|()| output.flush()).is_err() {
            // nobody reads any more
            return ExitCode::SUCCESS;
        }
    }
    ExitCode::SUCCESS
}
