//! What an administrator sees of a cloud's hosts: hypervisors, compute services, limits.

use serde::Deserialize;

use crate::Cloud;
use crate::call::{Call, Service};
use crate::error::Error;

/// A hypervisor, as <https://docs.openstack.org/api-ref/compute/#hypervisors-os-hypervisors> shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Hypervisor {
    pub id: String,
    pub hypervisor_hostname: String,
    /// `up` or `down`.
    pub state: String,
    /// `enabled` or `disabled`.
    pub status: String,
    #[serde(default)]
    pub running_vms: u32,
    /// As nova counts it; 7002000 is QEMU 7.2.0.
    pub hypervisor_version: i64,
    /// Hardware threads.
    pub vcpus: i64,
    /// In MiB.
    pub memory_mb: i64,
    /// In GiB.
    pub local_gb: i64,
    pub service: HypervisorService,
}

/// The nova-compute of a hypervisor.
#[derive(Clone, Debug, Deserialize)]
pub struct HypervisorService {
    /// Its name in aggregates.
    pub host: String,
}

/// A service of nova, as <https://docs.openstack.org/api-ref/compute/#compute-services-os-services> shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct ComputeService {
    pub id: String,
    /// `nova-scheduler`, `nova-compute`, ….
    pub binary: String,
    pub host: String,
    /// `up` or `down`.
    pub state: String,
    /// `enabled` or `disabled`.
    pub status: String,
    /// When it last reported, as nova's own text.
    #[serde(default)]
    pub updated_at: Option<String>,
}

/// What the project may use and uses; -1 stands for no limit.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    pub max_total_instances: i64,
    pub total_instances_used: i64,
    pub max_total_cores: i64,
    pub total_cores_used: i64,
    /// In MiB.
    #[serde(rename = "maxTotalRAMSize")]
    pub max_total_ram: i64,
    /// In MiB.
    #[serde(rename = "totalRAMUsed")]
    pub total_ram_used: i64,
}

impl Cloud {
    /// All hypervisors.
    pub async fn hypervisors(&self) -> Result<Vec<Hypervisor>, Error> {
        self.list(Service::Compute, &["os-hypervisors", "detail"], "hypervisors", &[]).await
    }

    /// The services of nova called `binary`.
    pub async fn compute_services(&self, binary: &str) -> Result<Vec<ComputeService>, Error> {
        let query = [("binary", binary)];
        let call = Call::get(Service::Compute, &["os-services"]).query(&query);
        self.fetch(&call, "services").await
    }

    /// The project's limits.
    pub async fn limits(&self) -> Result<Limits, Error> {
        #[derive(Deserialize)]
        struct Answer {
            absolute: Limits,
        }
        let answer: Answer = self.fetch(&Call::get(Service::Compute, &["limits"]), "limits").await?;
        Ok(answer.absolute)
    }
}
