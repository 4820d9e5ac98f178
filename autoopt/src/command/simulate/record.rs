//! `autoopt simulate record`: a cloud's hosts, flavors and scheduler settings as a file for the simulator.
//!
//! What no API tells (how fast a host is, what its disks and network do, what its other tenants use) is left to plausible
//! values that the file's comments name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use autoopt_cloud::knobs::Ini;
use autoopt_cloud::{Cloud, Clouds, Hypervisor, Inventory, Place};
use autoopt_epoch::command::Commands;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_simulator::Config;
use autoopt_simulator::config::{
    AggregateConfig, FlavorConfig, HostConfig, ImageConfig, NetworkConfig, SchedulerConfig,
};

use crate::fault::{Fault, Kind};
use crate::show::say;

/// Describe a cloud of the workers' configuration for `run --simulate=FILE`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What no API tells is taken to be alike on all hosts: clock, disks, network, memory bandwidth, other tenants' use. Mend it in the
file where you know better.

Example:
  autoopt simulate record lab --config examples/nova-weights.commands.toml > lab.toml
  autoopt run examples/nova-weights.toml --simulate=lab.toml
")]
pub(crate) struct Record {
    /// The cluster
    cluster: String,
    /// The workers' configuration, or a file with commands
    #[arg(long, env = "AUTOOPT_CONFIG", value_name = "FILE")]
    config: PathBuf,
}

/// Begins the file.
const HEAD: &str = "\
# Recorded from a cloud. The APIs do not tell these of a host, so they are guesses, alike for all: frequency_mhz, per_clock,
# disk_iops, network_gbps, memory_gbps, background. docs/simulator.md says what they mean.

";

impl Record {
    pub(crate) async fn run(self) -> Result<(), Fault> {
        let commands = Commands::load(&self.config)
            .map_err(|e| Fault::new(Kind::Input, "the configuration").because(e))?;
        let clouds = Clouds::new(commands.openstack);
        let recorded = record(&clouds, &self.cluster).await;
        let config = recorded.map_err(|f| Fault::failed(format!("`{}`: {}", self.cluster, f.reason)))?;
        let text = toml::to_string(&config).map_err(|e| Fault::failed("the recorded cloud").because(e))?;
        // what cannot be simulated is told now, not when it is read
        Config::from_toml(&text).map_err(|e| Fault::failed("this cloud cannot be simulated").because(e))?;
        say(format_args!("{HEAD}{}", text.trim_end()));
        Ok(())
    }
}

async fn record(clouds: &Clouds, name: &str) -> Result<Config, Failure> {
    let cluster = clouds.cluster(name)?;
    let cloud = clouds.get(name).await?;
    let mut ini = Ini::default();
    if let Some(scheduler) = cluster.scheduler.last() {
        for path in &scheduler.config {
            ini.read(&Place::of(scheduler).read(path).await?.unwrap_or_default());
        }
    }
    let aggregates = cloud.aggregates().await?;
    if let Some(changed) =
        aggregates.iter().find(|aggregate| aggregate.metadata.contains_key("autoopt_owner"))
    {
        let reason = format!(
            "an experiment is changing the aggregate `{}`; record it once that has ended",
            changed.name
        );
        return Err(Failure::new(FailureKind::Broken, reason));
    }
    let aggregates = aggregates.into_iter().map(|aggregate| AggregateConfig {
        name: aggregate.name,
        hosts: aggregate.hosts,
        zone: aggregate.availability_zone,
        metadata: aggregate.metadata.into_iter().filter(|(key, _)| key != "availability_zone").collect(),
    });
    let flavors = cloud.flavors().await?.into_iter().map(|flavor| FlavorConfig {
        name: flavor.name,
        vcpus: flavor.vcpus,
        memory_mb: flavor.ram,
        disk_gb: flavor.disk,
        ephemeral_gb: 0,
        swap_mb: 0,
        extra_specs: BTreeMap::new(),
    });
    let images = cloud.images().await?.into_iter();
    // the scheduler's sections alone: others hold passwords
    let conf = ["filter_scheduler", "metrics", "scheduler"].map(|section| ini.section(section)).concat();
    let networks = cloud.networks().await?;
    let networks = networks.into_iter().enumerate().map(|(i, name)| NetworkConfig {
        name,
        cidr: format!("10.{}.0.0/16", 20 + i % 200),
        external: false,
    });
    Ok(Config {
        scheduler: SchedulerConfig {
            release: *cloud.release().await?.start(),
            conf,
            ..SchedulerConfig::default()
        },
        hosts: hosts(&cloud).await?,
        flavors: flavors.collect(),
        images: images.map(|name| ImageConfig { name, properties: BTreeMap::new() }).collect(),
        aggregates: aggregates.collect(),
        networks: networks.collect(),
        ..Config::default()
    })
}

async fn hosts(cloud: &Cloud) -> Result<Vec<HostConfig>, Failure> {
    let providers = cloud.providers().await?;
    let mut hosts = Vec::new();
    for hypervisor in cloud.hypervisors().await? {
        let provider = providers.iter().find(|provider| provider.name == hypervisor.hypervisor_hostname);
        let inventories = match provider {
            Some(provider) => cloud.inventories(&provider.uuid).await?,
            None => BTreeMap::new(),
        };
        hosts.push(host(hypervisor, &inventories));
    }
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(hosts)
}

fn host(hypervisor: Hypervisor, inventories: &BTreeMap<String, Inventory>) -> HostConfig {
    let ratio = |class: &str, usual| inventories.get(class).map_or(usual, |i| i.allocation_ratio);
    let reserved = inventories.get("MEMORY_MB").map_or(0, |i| i.reserved);
    HostConfig {
        name: hypervisor.service.host,
        vcpus: hypervisor.vcpus,
        memory_mb: hypervisor.memory_mb,
        disk_gb: hypervisor.local_gb,
        frequency_mhz: 2400.0,
        per_clock: 1.0,
        disk_iops: 20_000.0,
        network_gbps: 10.0,
        memory_gbps: 80.0,
        background: 0.1,
        cpu_allocation_ratio: ratio("VCPU", 4.0),
        ram_allocation_ratio: ratio("MEMORY_MB", 1.0),
        disk_allocation_ratio: ratio("DISK_GB", 1.0),
        reserved_memory_mb: i64::try_from(reserved).unwrap_or(i64::MAX),
        hypervisor_version: hypervisor.hypervisor_version,
        pci_devices: 0,
        monitors: true,
    }
}
