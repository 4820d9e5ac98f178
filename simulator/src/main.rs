//! `autoopt-simulator`: serves a simulated OpenStack cloud.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use autoopt_simulator::config::{Config, EXAMPLE};
use autoopt_simulator::{Simulator, remote};
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// A simulated OpenStack cloud.
///
/// Speaks enough of Keystone v3, Nova, Neutron, Glance and Placement for the `openstack` command line and for AutoOptCloud. It places servers
/// with nova's own weigher arithmetic; the benchmarks in them share their hosts, and print their results on the console.
///
///     autoopt-simulator --listen 127.0.0.1:8700 --clouds-yaml clouds.yaml
///     OS_CLIENT_CONFIG_FILE=clouds.yaml OS_CLOUD=simulator openstack hypervisor list
///
/// Aggregate metadata works at once. Options of nova.conf are read from scheduler.config_dir when nova-scheduler is
/// restarted: `autoopt-simulator restart-scheduler`, or POST /control/scheduler/restart.
#[derive(Parser)]
#[command(name = "autoopt-simulator", version, verbatim_doc_comment, args_conflicts_with_subcommands = true)]
struct Arguments {
    /// The cloud, TOML or (*.json) JSON; if absent, the one that `init` writes.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Where to listen; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8700")]
    listen: SocketAddr,

    /// Writes a clouds.yaml with the cloud `simulator` once it listens.
    #[arg(long, value_name = "FILE")]
    clouds_yaml: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Writes a commented description of a cloud to start from.
    Init {
        /// `-` is standard output; an existing file is left alone.
        #[arg(value_name = "FILE", default_value = "cloud.toml")]
        file: PathBuf,
    },
    /// Lets nova-scheduler of a running simulator read its configuration anew.
    RestartScheduler {
        /// The running simulator.
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8700")]
        url: String,
    },
}

#[expect(clippy::print_stderr, reason = "a program's own messages")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
        .and_then(|runtime| runtime.block_on(run(arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("autoopt-simulator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Some(Command::Init { file }) => init(&file),
        Some(Command::RestartScheduler { url }) => restart_scheduler(&url).await,
        None => serve(arguments).await,
    }
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let config = match &arguments.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    let simulator = Simulator::listen(config, arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    if let Some(path) = &arguments.clouds_yaml {
        std::fs::write(path, simulator.clouds_yaml("simulator"))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    tracing::info!(auth_url = simulator.auth_url(), "the simulated cloud is up");
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    drop(simulator);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the output that was asked for")]
fn init(file: &std::path::Path) -> anyhow::Result<()> {
    use std::io::Write;
    if file.as_os_str() == "-" {
        print!("{EXAMPLE}");
        return Ok(());
    }
    let mut target = std::fs::File::create_new(file)
        .with_context(|| format!("cannot write {} (an existing file is left alone)", file.display()))?;
    target.write_all(EXAMPLE.as_bytes())?;
    println!("wrote {}; start it with: autoopt-simulator --config {}", file.display(), file.display());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the output that was asked for")]
async fn restart_scheduler(url: &str) -> anyhow::Result<()> {
    println!("{}", remote::restart_scheduler(url).await?);
    Ok(())
}
