//! What a configuration must fulfil beyond its types.

use std::collections::BTreeSet;
use std::fmt;

use super::{ClockConfig, Config};
use crate::address::Subnet;
use crate::scheduler::Settings;
use crate::scheduler::conf::Options;

/// A mistake and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub path: String,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

pub(super) fn problems(config: &Config) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut say = |path: String, message: &str| found.push(Problem { path, message: message.to_owned() });
    for (path, values) in names(config) {
        let mut seen = BTreeSet::new();
        if values.is_empty() {
            say(path.to_owned(), "at least one is needed");
        }
        for (i, name) in values.into_iter().enumerate() {
            if name.is_empty() || !seen.insert(name) {
                say(format!("{path}.{i}.name"), "must be neither empty nor the name of another one");
            }
        }
    }
    for (path, value) in positive(config) {
        if !(value.is_finite() && value > 0.0) {
            say(path, "must be greater than 0");
        }
    }
    for (path, value) in not_negative(config) {
        if !(value.is_finite() && value >= 0.0) {
            say(path, "must not be negative");
        }
    }
    let hosts: BTreeSet<&str> = config.hosts.iter().map(|h| h.name.as_str()).collect();
    let mut zoned = BTreeSet::new();
    for (i, aggregate) in config.aggregates.iter().enumerate() {
        for host in &aggregate.hosts {
            if !hosts.contains(host.as_str()) {
                say(format!("aggregate.{i}.hosts"), &format!("there is no host `{host}`"));
            }
            if aggregate.zone.is_some() && !zoned.insert(host) {
                say(format!("aggregate.{i}.hosts"), &format!("`{host}` is in two availability zones"));
            }
        }
        if aggregate.zone.as_ref().is_some_and(String::is_empty) {
            say(format!("aggregate.{i}.zone"), "must not be empty; leave it out for no zone");
        }
    }
    for (i, network) in config.networks.iter().enumerate() {
        if let Err(message) = Subnet::parse(&network.cidr) {
            say(format!("network.{i}.cidr"), &message);
        }
    }
    let mut options = Options::default();
    let read = options.add("scheduler.conf", &config.scheduler.conf).map_err(|e| e.to_string());
    if let Err(message) =
        read.and_then(|()| Settings::read(&options, config.scheduler.release).map_err(|e| e.to_string()))
    {
        say("scheduler.conf".into(), &message);
    }
    found
}

fn names(config: &Config) -> [(&'static str, Vec<&str>); 4] {
    [
        ("host", config.hosts.iter().map(|x| x.name.as_str()).collect()),
        ("flavor", config.flavors.iter().map(|x| x.name.as_str()).collect()),
        ("image", config.images.iter().map(|x| x.name.as_str()).collect()),
        ("network", config.networks.iter().map(|x| x.name.as_str()).collect()),
    ]
}

fn positive(config: &Config) -> Vec<(String, f64)> {
    let mut values = vec![
        ("compute.update_interval".to_owned(), config.compute.update_interval),
        ("guest.duration".to_owned(), config.guest.duration),
        ("noise.drift_period".to_owned(), config.noise.drift_period),
        ("identity.token_lifetime".to_owned(), config.identity.token_lifetime),
        match config.clock {
            ClockConfig::Scaled { speed } => ("clock.speed".to_owned(), speed),
            ClockConfig::Step { step } => ("clock.step".to_owned(), step),
        },
    ];
    for (i, host) in config.hosts.iter().enumerate() {
        for (key, value) in [
            ("vcpus", host.vcpus as f64),
            ("memory_mb", host.memory_mb as f64),
            ("disk_gb", host.disk_gb as f64),
            ("frequency_mhz", host.frequency_mhz),
            ("per_clock", host.per_clock),
            ("disk_iops", host.disk_iops),
            ("network_gbps", host.network_gbps),
            ("memory_gbps", host.memory_gbps),
            ("cpu_allocation_ratio", host.cpu_allocation_ratio),
            ("ram_allocation_ratio", host.ram_allocation_ratio),
            ("disk_allocation_ratio", host.disk_allocation_ratio),
        ] {
            values.push((format!("host.{i}.{key}"), value));
        }
    }
    for (i, flavor) in config.flavors.iter().enumerate() {
        values.push((format!("flavor.{i}.vcpus"), flavor.vcpus as f64));
        values.push((format!("flavor.{i}.memory_mb"), flavor.memory_mb as f64));
    }
    values
}

fn not_negative(config: &Config) -> Vec<(String, f64)> {
    let mut values = vec![
        ("compute.schedule".to_owned(), config.compute.schedule),
        ("compute.build".to_owned(), config.compute.build),
        ("compute.delete".to_owned(), config.compute.delete),
        ("scheduler.restart".to_owned(), config.scheduler.restart),
        ("guest.boot".to_owned(), config.guest.boot),
        ("guest.settle".to_owned(), config.guest.settle),
        ("noise.measurement".to_owned(), config.noise.measurement),
        ("noise.drift".to_owned(), config.noise.drift),
        ("noise.diurnal".to_owned(), config.noise.diurnal),
    ];
    for (i, host) in config.hosts.iter().enumerate() {
        values.push((format!("host.{i}.background"), host.background));
        values.push((format!("host.{i}.pci_devices"), host.pci_devices as f64));
        values.push((format!("host.{i}.reserved_memory_mb"), host.reserved_memory_mb as f64));
    }
    for (i, flavor) in config.flavors.iter().enumerate() {
        values.push((format!("flavor.{i}.disk_gb"), flavor.disk_gb as f64));
        values.push((format!("flavor.{i}.ephemeral_gb"), flavor.ephemeral_gb as f64));
        values.push((format!("flavor.{i}.swap_mb"), flavor.swap_mb as f64));
    }
    values
}
