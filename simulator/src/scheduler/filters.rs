//! nova's filters that say something about this cloud (`nova/scheduler/filters/`).

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{HostState, Policy, Request, Settings};

/// A filter that may be named in `enabled_filters`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filter {
    AllHosts,
    Compute,
    /// Passes every host: no simulated flavor has `capabilities:` extra specs.
    ComputeCapabilities,
    /// Passes every host: all simulated hosts run the same hypervisor.
    ImageProperties,
    ServerGroupAntiAffinity,
    ServerGroupAffinity,
    SameHost,
    DifferentHost,
    NumInstances,
    AggregateNumInstances,
    IoOps,
    AggregateIoOps,
    AggregateInstanceExtraSpecs,
    AggregateMultiTenancyIsolation,
    AggregateTypeAffinity,
    Metrics,
}

impl Filter {
    /// By the name that `enabled_filters` has, or a dotted path that ends with it.
    pub fn named(name: &str) -> Option<Self> {
        let class = name.rsplit('.').next().unwrap_or(name);
        Some(match class {
            "AllHostsFilter" => Self::AllHosts,
            "ComputeFilter" => Self::Compute,
            "ComputeCapabilitiesFilter" => Self::ComputeCapabilities,
            "ImagePropertiesFilter" => Self::ImageProperties,
            "ServerGroupAntiAffinityFilter" => Self::ServerGroupAntiAffinity,
            "ServerGroupAffinityFilter" => Self::ServerGroupAffinity,
            "SameHostFilter" => Self::SameHost,
            "DifferentHostFilter" => Self::DifferentHost,
            "NumInstancesFilter" => Self::NumInstances,
            "AggregateNumInstancesFilter" => Self::AggregateNumInstances,
            "IoOpsFilter" => Self::IoOps,
            "AggregateIoOpsFilter" => Self::AggregateIoOps,
            "AggregateInstanceExtraSpecsFilter" => Self::AggregateInstanceExtraSpecs,
            "AggregateMultiTenancyIsolation" => Self::AggregateMultiTenancyIsolation,
            "AggregateTypeAffinityFilter" => Self::AggregateTypeAffinity,
            "MetricsFilter" => Self::Metrics,
            _ => return None,
        })
    }

    /// nova's `run_filter_once_per_request`: asked for the first server of a request only.
    fn once_per_request(self) -> bool {
        matches!(
            self,
            Self::Compute
                | Self::SameHost
                | Self::DifferentHost
                | Self::AggregateInstanceExtraSpecs
                | Self::AggregateMultiTenancyIsolation
                | Self::AggregateTypeAffinity
        )
    }
}

/// Whether `host` passes all filters of `settings` for the server `id`; `first` if it is its request's first server.
pub fn passes(settings: &Settings, host: &HostState, request: &Request, id: Uuid, first: bool) -> bool {
    settings
        .enabled_filters
        .iter()
        .filter(|filter| first || !filter.once_per_request())
        .all(|filter| host_passes(*filter, settings, host, request, id))
}

fn host_passes(filter: Filter, settings: &Settings, host: &HostState, request: &Request, id: Uuid) -> bool {
    match filter {
        Filter::AllHosts | Filter::ComputeCapabilities | Filter::ImageProperties => true,
        Filter::Compute => host.enabled && host.up,
        Filter::ServerGroupAntiAffinity => anti_affinity(host, request, id),
        Filter::ServerGroupAffinity => match &request.group {
            Some(group) if group.policy == Policy::Affinity && !group.hosts.is_empty() => {
                group.hosts.contains(&host.name)
            }
            _ => true,
        },
        Filter::SameHost => request.same_host.is_empty() || overlaps(host, &request.same_host),
        Filter::DifferentHost => !overlaps(host, &request.different_host),
        Filter::NumInstances => host.num_instances < settings.max_instances_per_host,
        Filter::AggregateNumInstances => {
            host.num_instances
                < host.aggregate_number("max_instances_per_host", settings.max_instances_per_host)
        }
        Filter::IoOps => host.num_io_ops < settings.max_io_ops_per_host,
        Filter::AggregateIoOps => {
            host.num_io_ops < host.aggregate_number("max_io_ops_per_host", settings.max_io_ops_per_host)
        }
        Filter::AggregateInstanceExtraSpecs => extra_specs(host, request),
        Filter::AggregateMultiTenancyIsolation => tenants(host, request),
        Filter::AggregateTypeAffinity => {
            let values = host.aggregate_values("instance_type");
            values.is_empty()
                || values.iter().any(|value| value.split(',').any(|name| name.trim() == request.flavor))
        }
        Filter::Metrics => settings.weight_setting.iter().all(|(name, _)| host.metrics.contains_key(name)),
    }
}

fn overlaps(host: &HostState, ids: &[Uuid]) -> bool {
    ids.iter().any(|id| host.instances.contains_key(id))
}

fn anti_affinity(host: &HostState, request: &Request, id: Uuid) -> bool {
    let Some(group) = request.group.as_ref().filter(|g| g.policy == Policy::AntiAffinity) else {
        return true;
    };
    host.instances.contains_key(&id)
        || group.members.iter().filter(|member| host.instances.contains_key(member)).count()
            < group.max_server_per_host
}

/// Compares as equal text; the operators (`<in>`, `s==` …) of nova's `extra_specs_ops` are not simulated.
fn extra_specs(host: &HostState, request: &Request) -> bool {
    request.extra_specs.iter().all(|(key, wanted)| {
        let key = match key.split_once(':') {
            Some(("aggregate_instance_extra_specs", key)) => key,
            Some(_) => return true,
            None => key,
        };
        host.aggregate_values(key).iter().any(|value| value.split(',').any(|v| v.trim() == wanted))
    })
}

fn tenants(host: &HostState, request: &Request) -> bool {
    let allowed: BTreeSet<&str> = host
        .aggregates
        .iter()
        .flat_map(|aggregate| &aggregate.metadata)
        .filter(|(key, _)| key.starts_with("filter_tenant_id"))
        .flat_map(|(_, value)| value.split(',').map(str::trim))
        .collect();
    allowed.is_empty() || allowed.contains(request.project.as_str())
}
