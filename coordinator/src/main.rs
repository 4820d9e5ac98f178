//! `autoopt-coordinator`: decides what happens next, and shows it over HTTP.

mod settings;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use autoopt_coordinator::api::{self, Api};
use autoopt_coordinator::engine::Engine;
use autoopt_coordinator::store::{Store, StoreSettings};
use autoopt_coordinator::{claim, upkeep};
use autoopt_epoch::bus::Bus;
use autoopt_epoch::service::{self, Exit, config};
use clap::{Parser, Subcommand};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use settings::{SECTIONS, STORE, Settings};

/// Decides what happens next in every experiment, records it, and serves the HTTP API.
#[derive(Parser)]
#[command(
    version,
    after_help = "\
The configuration is one TOML file with the sections [bus], [store], [api] and [log]; AUTOOPT_SECTION__KEY in the environment
wins over it. Without a file: RabbitMQ on this machine, the store in ./autoopt.sqlite, the API on 127.0.0.1:7771.

Exit codes: 0 asked to stop; 1 failed; 64 wrong configuration; 69 the broker was away for too long; 70 a defect; 75 not
everything could be finished in time."
)]
struct Arguments {
    /// The configuration file; otherwise what AUTOOPT_CONFIG names
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Work until asked to stop (the default)
    Serve,
    /// Bring the store's schema up to date, and end
    Migrate,
    /// Print the document that describes the HTTP API
    Openapi,
    /// Check the configuration and print what is in force, without passwords
    ShowConfig,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let file = arguments.config;
    service::main(async move {
        let settings = || -> Result<Settings, Exit> { Ok(config::load(file.as_deref(), &SECTIONS)?) };
        match arguments.command {
            None | Some(Command::Serve) => serve(settings()?).await,
            Some(Command::Migrate) => migrate(&settings()?).await,
            Some(Command::Openapi) => print(&serde_json::to_string_pretty(&api::document()).context("JSON")?),
            Some(Command::ShowConfig) => print(&format!("{:#?}", settings()?)),
        }
    })
}

#[expect(clippy::print_stdout, reason = "what was asked for")]
fn print(text: &str) -> Result<(), Exit> {
    println!("{text}");
    Ok(())
}

async fn open(settings: &StoreSettings) -> Result<Store, Exit> {
    let url = settings.resolve_url()?;
    Ok(Store::open(url.as_deref().unwrap_or(STORE)).await.context("the store")?)
}

async fn migrate(settings: &Settings) -> Result<(), Exit> {
    let store = open(&settings.store).await?;
    store.close().await.context("the store")?;
    print("the store's schema is up to date")
}

async fn serve(settings: Settings) -> Result<(), Exit> {
    let token = settings.api.token().map_err(Exit::Usage)?;
    let people = settings.api.people().map_err(Exit::Usage)?;
    let records = service::start("autoopt-coordinator", env!("CARGO_PKG_VERSION"), None, &settings.log)?;
    let listener = api::listen(&settings.api).await?;
    let store = open(&settings.store).await?;
    let bus = settings.bus.connect("autoopt-coordinator").await?;
    let raw_days = settings.store.raw_days;
    service::run(&bus.clone(), records, service::GRACE, |stop| {
        let api = Api::new(store.clone(), bus.clone(), token, stop.clone()).with_people(people);
        Box::pin(work(listener, api, store, raw_days, bus, stop))
    })
    .await
}

/// The API and the engine, until either ends.
async fn work(
    listener: TcpListener,
    api: Api,
    store: Store,
    raw_days: Option<u32>,
    bus: Bus,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let engine = async {
        let claims = async {
            let claim = store.claim().await.context("the store")?;
            claim::vhost(&bus).await.context("the broker")?;
            anyhow::Ok(claim)
        };
        let claim = tokio::select! {
            claim = claims => claim?,
            () = stop.cancelled() => return Ok(()),
        };
        let (engine, handle) = Engine::new(store.clone(), bus.clone()).await.context("the store")?;
        api.lead(handle);
        tokio::select! {
            result = engine.run(stop.clone()) => result,
            () = claim.lost() => anyhow::bail!("another coordinator has taken the store over"),
            () = bus.claim_lost() => {
                anyhow::bail!("another coordinator, with another store, has taken the broker's vhost over")
            }
            never = upkeep::run(&store, raw_days) => match never {},
        }
    };
    tokio::try_join!(api::serve(api.clone(), listener), async {
        engine.await?;
        stop.cancel();
        Ok(())
    })?;
    Ok(())
}
