//! What the scheduler knows of a host.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

/// A host aggregate as the scheduler holds it in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub name: String,
    /// Values are text, as in the API; weighers read numbers from them.
    pub metadata: BTreeMap<String, String>,
}

/// One resource class of a resource provider in Placement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inventory {
    pub total: i64,
    pub reserved: i64,
    pub allocation_ratio: f64,
    pub used: i64,
}

impl Inventory {
    /// Whether Placement would allocate `amount` more: `used + amount ≤ (total − reserved) · ratio`, and no more than `total` at once
    /// (nova sets `max_unit` to the total).
    pub fn fits(&self, amount: i64) -> bool {
        amount <= self.total
            && (self.used + amount) as f64 <= (self.total - self.reserved) as f64 * self.allocation_ratio
    }
}

/// A server that is on a host, as far as filters and weighers ask.
pub type Properties = Arc<BTreeMap<String, String>>;

/// One host for the time of one request (nova's `HostState`), with what Placement says of it.
#[derive(Clone, Debug)]
pub struct HostState {
    pub name: String,
    pub zone: String,
    /// In MB; negative when overcommitted.
    pub free_ram_mb: i64,
    /// The lesser of what is not claimed and what the hypervisor says is available.
    pub free_disk_mb: i64,
    pub vcpus_total: i64,
    pub vcpus_used: i64,
    pub cpu_allocation_ratio: f64,
    /// Servers building, resizing, being snapshotted … as of the host's last report.
    pub num_io_ops: i64,
    pub num_instances: i64,
    pub failed_builds: i64,
    pub hypervisor_version: i64,
    pub pci_free: i64,
    /// As nova holds them: integers, percentages as 0..100.
    pub metrics: BTreeMap<String, i64>,
    pub enabled: bool,
    pub up: bool,
    pub aggregates: Vec<Arc<Aggregate>>,
    /// The servers on the host, with their images' properties.
    pub instances: BTreeMap<Uuid, Properties>,
    pub vcpu: Inventory,
    pub memory_mb: Inventory,
    pub disk_gb: Inventory,
}

impl HostState {
    /// The values that the host's aggregates give `key`, each once (`aggregate_values_from_key`).
    pub fn aggregate_values(&self, key: &str) -> Vec<&str> {
        let mut values: Vec<&str> =
            self.aggregates.iter().filter_map(|a| a.metadata.get(key)).map(String::as_str).collect();
        values.sort_unstable();
        values.dedup();
        values
    }

    /// The least number that the host's aggregates give `key`; `default` if none does, or if any of them is not a number
    /// (`validate_num_values`, of which nova logs a warning and goes on).
    pub fn aggregate_number<T: std::str::FromStr + PartialOrd + Copy>(&self, key: &str, default: T) -> T {
        let mut least = None;
        for value in self.aggregate_values(key) {
            let Ok(number) = value.trim().parse::<T>() else { return default };
            if least.is_none_or(|l| number < l) {
                least = Some(number);
            }
        }
        least.unwrap_or(default)
    }
}
