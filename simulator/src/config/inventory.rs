//! What a cloud consists of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A compute host: what nova sees of it, and how fast it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostConfig {
    pub name: String,
    /// Hardware threads; nova's vCPUs before the allocation ratio.
    pub vcpus: i64,
    pub memory_mb: i64,
    pub disk_gb: i64,
    /// Nominal, in MHz (`cpu.frequency`); a thread's speed is in proportion to it, times `per_clock`.
    pub frequency_mhz: f64,
    /// Work per clock cycle, relative to the reference core.
    #[serde(default = "one")]
    pub per_clock: f64,
    /// Random 16 KiB reads and writes a second that its disks do.
    pub disk_iops: f64,
    /// Of its network interface, each way.
    pub network_gbps: f64,
    /// Bandwidth of its memory, in GB/s.
    pub memory_gbps: f64,
    /// What other tenants use of the CPUs on average, 0..1; nova does not know of it, its metrics do.
    #[serde(default)]
    pub background: f64,
    #[serde(default = "four")]
    pub cpu_allocation_ratio: f64,
    #[serde(default = "one")]
    pub ram_allocation_ratio: f64,
    #[serde(default = "one")]
    pub disk_allocation_ratio: f64,
    #[serde(default = "reserved_memory")]
    pub reserved_memory_mb: i64,
    #[serde(default = "hypervisor_version")]
    pub hypervisor_version: i64,
    #[serde(default)]
    pub pci_devices: i64,
    /// Whether nova-compute runs with `compute_monitors = cpu.virt_driver`.
    #[serde(default = "yes")]
    pub monitors: bool,
}

/// A flavor.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlavorConfig {
    pub name: String,
    pub vcpus: i64,
    pub memory_mb: i64,
    pub disk_gb: i64,
    #[serde(default)]
    pub ephemeral_gb: i64,
    #[serde(default)]
    pub swap_mb: i64,
    #[serde(default)]
    pub extra_specs: BTreeMap<String, String>,
}

/// An image; its bytes do not exist.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageConfig {
    pub name: String,
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

/// A host aggregate that is there from the start.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AggregateConfig {
    pub name: String,
    pub hosts: Vec<String>,
    /// The availability zone it makes, if any.
    #[serde(default)]
    pub zone: Option<String>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// A network with one IPv4 subnet.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    pub name: String,
    /// `a.b.c.d/n`, n ≤ 29.
    pub cidr: String,
    #[serde(default)]
    pub external: bool,
}

/// Limits of the project; −1 is none.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    pub instances: i64,
    pub cores: i64,
    pub memory_mb: i64,
    pub ports: i64,
    pub server_groups: i64,
}

impl Default for Quota {
    fn default() -> Self {
        Self { instances: 50, cores: 200, memory_mb: 400_000, ports: 500, server_groups: 100 }
    }
}

fn one() -> f64 {
    1.0
}

/// nova's `initial_cpu_allocation_ratio` since Antelope.
fn four() -> f64 {
    4.0
}

fn yes() -> bool {
    true
}

/// nova's `reserved_host_memory_mb`.
fn reserved_memory() -> i64 {
    512
}

/// QEMU 7.2.0 as libvirt counts.
fn hypervisor_version() -> i64 {
    7_002_000
}
