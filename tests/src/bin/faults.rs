//! `cargo run -p autoopt-tests --bin faults`: the fault run at its full length, on PostgreSQL or SQLite.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use autoopt_tests::database::Database;
use autoopt_tests::faults::{self, Plan};
use clap::Parser;

/// Kills every service again and again, and the broker twice, while trials run; then checks that nothing was lost.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Trials in all.
    #[arg(long, default_value_t = 500)]
    trials: u32,
    /// Clusters of each of the two experiments.
    #[arg(long, default_value_t = 4)]
    clusters: u32,
    /// SIGKILLs of each of the six services.
    #[arg(long, default_value_t = 20)]
    kills: u32,
    /// SIGKILLs of the broker.
    #[arg(long, default_value_t = 2)]
    broker_restarts: u32,
    /// How long each stage takes, in milliseconds.
    #[arg(long, default_value_t = 300)]
    body_ms: u64,
    /// Pause between two kills, on average, in milliseconds.
    #[arg(long, default_value_t = 600)]
    pause_ms: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Set the clocks of the optimizer and of three workers minutes ahead and behind (needs libfaketime).
    #[arg(long)]
    wrong_clocks: bool,
    /// Keep the coordinator's store in SQLite rather than in PostgreSQL.
    #[arg(long)]
    sqlite: bool,
    /// Keep logs and state here (a temporary folder otherwise).
    #[arg(long)]
    home: Option<std::path::PathBuf>,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program for people")]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let plan = Plan {
        trials: arguments.trials,
        clusters: arguments.clusters,
        kills: arguments.kills,
        broker_restarts: arguments.broker_restarts,
        body: Duration::from_millis(arguments.body_ms),
        pause: Duration::from_millis(arguments.pause_ms),
        seed: arguments.seed,
        wrong_clocks: arguments.wrong_clocks,
        patience: Duration::from_secs(180),
    };
    let temporary = tempfile::tempdir()?;
    let home = arguments.home.unwrap_or_else(|| temporary.path().to_owned());
    let database = if arguments.sqlite { None } else { Some(Database::create()?) };
    let store = database
        .as_ref()
        .map_or_else(|| format!("sqlite://{}?mode=rwc", home.join("store.sqlite").display()), Database::url);
    let tally = faults::run(&plan, &home, &store).await?;
    println!("{tally:#?}");
    println!("{}", if tally.holds() { "holds" } else { "DOES NOT HOLD" });
    Ok(if tally.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
