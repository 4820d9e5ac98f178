//! Compute hosts: nova-compute's record of each, and its service.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::{Cloud, Millis};
use crate::config::HostConfig;
use crate::contention::{Hardware, HostLoad, noise};
use crate::scheduler::{HostState, Inventory};

/// A compute host.
#[derive(Clone, Debug)]
pub struct Host {
    pub config: HostConfig,
    /// Its place in the file, from 0.
    pub index: usize,
    /// Of the compute node and of the resource provider.
    pub id: Uuid,
    pub service_id: Uuid,
    pub enabled: bool,
    pub disabled_reason: Option<String>,
    /// Held down by an operator.
    pub forced_down: bool,
    pub failed_builds: i64,
    /// As of its last report.
    pub metrics: BTreeMap<String, i64>,
    pub load: HostLoad,
    /// Counts changes of its Placement inventories.
    pub generation: u64,
    next_report: Millis,
}

impl Host {
    pub(super) fn new(index: usize, config: HostConfig, id: Uuid) -> Self {
        Self {
            index,
            id,
            service_id: Uuid::new_v5(&id, b"service"),
            enabled: true,
            disabled_reason: None,
            forced_down: false,
            failed_builds: 0,
            metrics: BTreeMap::new(),
            load: HostLoad::default(),
            generation: 1,
            // reports do not come all at once: a host's first is a second after the one before
            next_report: index as Millis * 1000,
            config,
        }
    }

    /// Its capacities while its speed has drifted by `drift`.
    pub fn hardware(&self, drift: f64) -> Hardware {
        Hardware {
            threads: self.config.vcpus as f64,
            speed: self.config.frequency_mhz / REFERENCE_MHZ * self.config.per_clock * drift,
            disk_iops: self.config.disk_iops * drift,
            network_gbps: self.config.network_gbps,
            memory_gbps: self.config.memory_gbps,
        }
    }

    /// nova's `cpu.virt_driver` monitor with the present load: whole per cents, and the nominal frequency.
    fn sample(&self, background: f64) -> BTreeMap<String, i64> {
        if !self.config.monitors {
            return BTreeMap::new();
        }
        let busy = 100.0 * self.load.cpu.max(background).min(1.0);
        // a tenth of what guests do is the kernel's, and moving packets costs it more
        let kernel = (1.0 + 0.1 * busy + 5.0 * self.load.network.min(1.0)).min(100.0 - 0.9 * busy);
        let user = 0.9 * busy;
        let iowait = (20.0 * self.load.disk.min(1.0)).min(100.0 - user - kernel);
        let idle = 100.0 - user - kernel - iowait;
        let percent = [
            ("cpu.user.percent", user),
            ("cpu.kernel.percent", kernel),
            ("cpu.iowait.percent", iowait),
            ("cpu.idle.percent", idle),
            ("cpu.percent", user + kernel + iowait),
        ];
        let mut metrics: BTreeMap<String, i64> = percent
            .into_iter()
            .map(|(name, value)| (name.to_owned(), as_scheduler_reads(value as i64)))
            .collect();
        metrics.insert("cpu.frequency".into(), self.config.frequency_mhz as i64);
        metrics
    }
}

/// A thread of this clock has speed 1.
const REFERENCE_MHZ: f64 = 2400.0;

/// nova stores a percentage divided by 100, and multiplies and truncates on the way back, which loses 1 of 29, 57 and 58
/// (`MonitorMetric.to_dict`, `MonitorMetricList.from_json`).
fn as_scheduler_reads(percent: i64) -> i64 {
    (percent as f64 / 100.0 * 100.0) as i64
}

impl Cloud {
    pub(super) fn report_all(&mut self) {
        for i in 0..self.hosts.len() {
            self.report(i);
        }
    }

    /// The hosts whose periodic report is due make it: the metrics, and which builds still count as I/O.
    pub(super) fn report_due(&mut self) {
        for i in 0..self.hosts.len() {
            if self.hosts[i].next_report <= self.now {
                self.report(i);
            }
        }
    }

    fn report(&mut self, i: usize) {
        let interval = ((self.config.compute.update_interval * 1000.0) as Millis).max(1);
        let background =
            noise::background(&self.config.noise, self.hosts[i].config.background, self.now as f64 / 1000.0);
        let host = &mut self.hosts[i];
        host.metrics = host.sample(background);
        let missed = (self.now.saturating_sub(host.next_report)) / interval;
        host.next_report += (missed + 1) * interval;
        for server in self.servers.values_mut().filter(|s| s.host == Some(i)) {
            server.counted_as_io = server.status == super::Status::Build;
        }
    }

    /// vCPUs, MB and GB that the servers on host `i` have claimed, and how many they are.
    pub fn usage(&self, i: usize) -> (i64, i64, i64, i64) {
        self.servers.values().filter(|s| s.host == Some(i)).fold((0, 0, 0, 0), |(v, m, d, n), s| {
            let f = &s.flavor.config;
            (v + f.vcpus, m + f.memory_mb, d + f.disk_gb + f.ephemeral_gb, n + 1)
        })
    }

    /// The Placement inventories of host `i`: VCPU, MEMORY_MB, DISK_GB.
    pub fn inventories(&self, i: usize) -> [Inventory; 3] {
        let c = &self.hosts[i].config;
        let used = self
            .allocations
            .values()
            .filter(|a| a.host == i)
            .fold((0, 0, 0), |(v, m, d), a| (v + a.vcpus, m + a.memory_mb, d + a.disk_gb));
        [
            Inventory { total: c.vcpus, reserved: 0, allocation_ratio: c.cpu_allocation_ratio, used: used.0 },
            Inventory {
                total: c.memory_mb,
                reserved: c.reserved_memory_mb,
                allocation_ratio: c.ram_allocation_ratio,
                used: used.1,
            },
            Inventory {
                total: c.disk_gb,
                reserved: 0,
                allocation_ratio: c.disk_allocation_ratio,
                used: used.2,
            },
        ]
    }

    /// What the scheduler sees of host `i`.
    pub fn host_state(&self, i: usize) -> HostState {
        let host = &self.hosts[i];
        let (vcpus_used, memory_used, disk_used, count) = self.usage(i);
        let [vcpu, memory_mb, disk_gb] = self.inventories(i);
        let on_host = || self.servers.values().filter(|s| s.host == Some(i));
        HostState {
            name: host.config.name.clone(),
            zone: self.zone_of(i).to_owned(),
            free_ram_mb: host.config.memory_mb - host.config.reserved_memory_mb - memory_used,
            free_disk_mb: (host.config.disk_gb - disk_used) * 1024,
            vcpus_total: host.config.vcpus,
            vcpus_used,
            cpu_allocation_ratio: host.config.cpu_allocation_ratio,
            num_io_ops: on_host().filter(|s| s.counted_as_io).count() as i64,
            num_instances: count,
            failed_builds: host.failed_builds,
            hypervisor_version: host.config.hypervisor_version,
            pci_free: host.config.pci_devices,
            metrics: host.metrics.clone(),
            enabled: host.enabled,
            up: !host.forced_down,
            aggregates: self.scheduler.aggregates_of(i),
            instances: on_host()
                .map(|s| (s.id, s.image.as_ref().map_or_else(Arc::default, |image| image.properties.clone())))
                .collect(),
            vcpu,
            memory_mb,
            disk_gb,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_lose_one_where_nova_does() {
        let lossy: Vec<i64> = (0..=100).filter(|p| as_scheduler_reads(*p) != *p).collect();
        // python3 -c 'print([p for p in range(101) if int(p / 100.0 * 100) != p])'
        assert_eq!(lossy, [29, 57, 58]);
    }
}
