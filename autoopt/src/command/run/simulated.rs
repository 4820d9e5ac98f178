//! Clusters that are simulated: for each a cloud of its own in this process, which the workers use as they use any other.

use std::path::{Path, PathBuf};

use autoopt_epoch::command::{Cluster, Commands, Program, Scheduler};
use autoopt_simulator::{Config, Simulator};

use crate::fault::{Fault, Kind};

/// A cluster that is played.
pub(super) struct Simulated {
    cluster: String,
    hosts: usize,
    simulator: Simulator,
}

/// Starts a cloud for each cluster, and tells the workers of it. Files that a real one would have are below `state`.
pub(super) async fn start(
    file: Option<&Path>,
    state: &Path,
    clusters: &[String],
    commands: &mut Commands,
) -> Result<Vec<Simulated>, Fault> {
    let config = match file {
        Some(file) => Config::read(file)
            .map_err(|e| Fault::new(Kind::Input, format!("`{}`", file.display())).because(e))?,
        None => Config::default(),
    };
    let mut simulated = Vec::new();
    for name in clusters {
        let failed = |what: &str| Fault::failed(format!("the simulated cluster `{name}`: {what}"));
        let directory = state.join("simulated").join(name);
        let files = Files::make(&directory, &config).map_err(|e| failed("its files").because(e))?;
        let mut config = config.clone();
        config.scheduler.config_dir = Some(files.config_dir.clone());
        let hosts = config.hosts.len();
        let aggregate = config.aggregates.first().map(|aggregate| aggregate.name.clone());
        let simulator = Simulator::start(config).await.map_err(|e| failed("it cannot listen").because(e))?;
        std::fs::write(&files.clouds, simulator.clouds_yaml(name))
            .map_err(|e| failed("its clouds.yaml").because(e))?;
        let restart = restart(&simulator).map_err(|e| failed("the path of this program").because(e))?;
        let cluster = Cluster {
            cloud: Some(name.clone()),
            clouds_file: Some(files.clouds),
            simulator: Some(simulator.url()),
            aggregate,
            scheduler: vec![Scheduler {
                ssh: None,
                snippet: files.config_dir.join("90-autoopt.conf"),
                config: vec![files.conf],
                restart,
            }],
            ..Cluster::default()
        };
        commands.openstack.cluster.insert(name.clone(), cluster);
        simulated.push(Simulated { cluster: name.clone(), hosts, simulator });
    }
    Ok(simulated)
}

impl std::fmt::Display for Simulated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cluster, hosts, simulator } = self;
        write!(f, "`{cluster}` is a simulated cloud of {hosts} hosts, at {}", simulator.url())
    }
}

/// Where a simulated cluster has what stands in /etc elsewhere.
struct Files {
    clouds: PathBuf,
    conf: PathBuf,
    config_dir: PathBuf,
}

impl Files {
    /// As a new cloud has them: what an earlier one left is removed, for that cloud has ended.
    fn make(directory: &Path, config: &Config) -> std::io::Result<Self> {
        if directory.exists() {
            std::fs::remove_dir_all(directory)?;
        }
        let config_dir = directory.join("nova-scheduler.conf.d");
        std::fs::create_dir_all(&config_dir)?;
        let directory = directory.canonicalize()?;
        let conf = directory.join("nova.conf");
        std::fs::write(&conf, &config.scheduler.conf)?;
        Ok(Self {
            clouds: directory.join("clouds.yaml"),
            conf,
            config_dir: directory.join("nova-scheduler.conf.d"),
        })
    }
}

/// What restarts its nova-scheduler.
fn restart(simulator: &Simulator) -> std::io::Result<Program> {
    let args = ["simulate", "restart-scheduler", "--url", &simulator.url()].map(str::to_owned);
    Ok(Program::new(std::env::current_exe()?, args.into()))
}
