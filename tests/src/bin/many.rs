//! `cargo run -p autoopt-tests --bin many`: a thousand clusters on one coordinator, on PostgreSQL or SQLite.

use std::time::Duration;

use anyhow::Result;
use autoopt_tests::database::Database;
use autoopt_tests::many::{self, Plan};
use clap::Parser;

/// Two experiments take turns on many clusters, each with four no-op stages; one cluster has no worker. Prints what it took.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[arg(long, default_value_t = 1000)]
    clusters: u32,
    /// Trials of both experiments together.
    #[arg(long, default_value_t = 10_000)]
    trials: u32,
    /// How long each stage takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    body_ms: u64,
    /// Keep the coordinator's store in SQLite rather than in PostgreSQL.
    #[arg(long)]
    sqlite: bool,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program for people")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let plan = Plan {
        clusters: arguments.clusters,
        trials: arguments.trials,
        body: Duration::from_millis(arguments.body_ms),
        patience: Duration::from_secs(600),
    };
    let home = tempfile::tempdir()?;
    let database = if arguments.sqlite { None } else { Some(Database::create()?) };
    let store = database.as_ref().map_or_else(
        || format!("sqlite://{}?mode=rwc", home.path().join("store.sqlite").display()),
        Database::url,
    );
    println!("{:#?}", many::run(&plan, home.path(), &store).await?);
    Ok(())
}
