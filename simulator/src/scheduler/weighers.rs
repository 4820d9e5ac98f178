//! nova's weighers (`nova/scheduler/weights/`) and how their values become scores (`nova/weights.py`).

use std::collections::BTreeMap;

use super::{HostState, Policy, Request, Settings};

/// An in-tree weigher, in the order in which their scores are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weigher {
    SoftAffinity,
    SoftAntiAffinity,
    BuildFailure,
    Cpu,
    CrossCell,
    Disk,
    HypervisorVersion,
    ImageProperties,
    IoOps,
    Metrics,
    NumInstances,
    Pci,
    Ram,
}

/// What is fixed about a weigher.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub class: &'static str,
    /// Section and key of the multiplier in nova.conf.
    pub section: &'static str,
    pub option: &'static str,
    pub default: f64,
    /// Whether nova refuses a multiplier below 0.
    pub non_negative: bool,
    /// The first nova (major version) that has it; 0 if it is older than any that is simulated.
    pub since: u32,
}

impl Weigher {
    pub const ALL: [Self; 13] = [
        Self::SoftAffinity,
        Self::SoftAntiAffinity,
        Self::BuildFailure,
        Self::Cpu,
        Self::CrossCell,
        Self::Disk,
        Self::HypervisorVersion,
        Self::ImageProperties,
        Self::IoOps,
        Self::Metrics,
        Self::NumInstances,
        Self::Pci,
        Self::Ram,
    ];

    pub fn facts(self) -> Facts {
        let of = |class, option, default| Facts {
            class,
            section: "filter_scheduler",
            option,
            default,
            non_negative: false,
            since: 0,
        };
        match self {
            Self::SoftAffinity => Facts {
                non_negative: true,
                ..of("ServerGroupSoftAffinityWeigher", "soft_affinity_weight_multiplier", 1.0)
            },
            Self::SoftAntiAffinity => Facts {
                non_negative: true,
                ..of("ServerGroupSoftAntiAffinityWeigher", "soft_anti_affinity_weight_multiplier", 1.0)
            },
            Self::BuildFailure => of("BuildFailureWeigher", "build_failure_weight_multiplier", 1_000_000.0),
            Self::Cpu => of("CPUWeigher", "cpu_weight_multiplier", 1.0),
            Self::CrossCell => of("CrossCellWeigher", "cross_cell_move_weight_multiplier", 1_000_000.0),
            Self::Disk => of("DiskWeigher", "disk_weight_multiplier", 1.0),
            Self::HypervisorVersion => Facts {
                since: 28,
                ..of("HypervisorVersionWeigher", "hypervisor_version_weight_multiplier", 1.0)
            },
            Self::ImageProperties => {
                Facts { since: 31, ..of("ImagePropertiesWeigher", "image_props_weight_multiplier", 0.0) }
            }
            Self::IoOps => of("IoOpsWeigher", "io_ops_weight_multiplier", -1.0),
            Self::Metrics => Facts { section: "metrics", ..of("MetricsWeigher", "weight_multiplier", 1.0) },
            Self::NumInstances => {
                Facts { since: 28, ..of("NumInstancesWeigher", "num_instances_weight_multiplier", 0.0) }
            }
            Self::Pci => Facts { non_negative: true, ..of("PCIWeigher", "pci_weight_multiplier", 1.0) },
            Self::Ram => of("RAMWeigher", "ram_weight_multiplier", 1.0),
        }
    }

    /// The key of an aggregate's metadata that overrides the multiplier for the aggregate's hosts.
    pub fn aggregate_key(self) -> &'static str {
        match self {
            Self::Metrics => "metrics_weight_multiplier",
            other => other.facts().option,
        }
    }

    /// The weigher's own lower bound (`minval`): smaller values are raised to it and the normalisation starts at it.
    fn floor(self) -> Option<f64> {
        matches!(self, Self::Ram | Self::Cpu | Self::Disk | Self::IoOps).then_some(0.0)
    }

    fn multiplier(self, settings: &Settings, host: &HostState) -> f64 {
        let value = host.aggregate_number(self.aggregate_key(), settings.multiplier(self));
        if self == Self::BuildFailure { -value } else { value }
    }

    fn raw(self, settings: &Settings, host: &HostState, request: &Request) -> Result<f64, MetricMissing> {
        Ok(match self {
            Self::SoftAffinity => group_members(host, request, Policy::SoftAffinity),
            Self::SoftAntiAffinity => -group_members(host, request, Policy::SoftAntiAffinity),
            Self::BuildFailure => host.failed_builds as f64,
            Self::Cpu => host.vcpus_total as f64 * host.cpu_allocation_ratio - host.vcpus_used as f64,
            // one cell, and no moves between cells
            Self::CrossCell => 0.0,
            Self::Disk => host.free_disk_mb as f64,
            Self::HypervisorVersion => host.hypervisor_version as f64,
            Self::ImageProperties => image_properties(settings, host, request),
            Self::IoOps => host.num_io_ops as f64,
            Self::Metrics => return metrics(settings, host),
            Self::NumInstances => host.num_instances as f64,
            Self::Pci => (MAX_DEVICES - host.pci_free.min(MAX_DEVICES - 1)) as f64,
            Self::Ram => host.free_ram_mb as f64,
        })
    }
}

/// `MAX_DEVS` of nova's PCIWeigher.
const MAX_DEVICES: i64 = 100;

/// What one weigher said of one host: score = multiplier × normalised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    pub weigher: Weigher,
    pub raw: f64,
    pub normalised: f64,
    pub multiplier: f64,
}

/// One host's score.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Index among the hosts that were weighed.
    pub host: usize,
    pub name: String,
    pub total: f64,
    /// Empty where only one host was left: nova then does not weigh.
    pub parts: Vec<Part>,
}

/// The metrics weigher needs a metric that a host does not report, and `[metrics] required` is true: the request fails.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("Metric {metric} could not be found on the compute host node {host}.{host}.")]
pub struct MetricMissing {
    pub metric: String,
    pub host: String,
}

/// Scores `hosts` for `request`, in their order.
pub fn weigh(
    settings: &Settings,
    hosts: &[HostState],
    request: &Request,
) -> Result<Vec<Score>, MetricMissing> {
    let mut scores: Vec<Score> = hosts
        .iter()
        .enumerate()
        .map(|(host, state)| Score { host, name: state.name.clone(), total: 0.0, parts: Vec::new() })
        .collect();
    if hosts.len() <= 1 {
        return Ok(scores);
    }
    for weigher in &settings.weighers {
        let raw = hosts
            .iter()
            .map(|host| Ok(clamp(weigher.raw(settings, host, request)?, weigher.floor())))
            .collect::<Result<Vec<f64>, MetricMissing>>()?;
        let normalised = normalise(&raw, weigher.floor());
        for (i, score) in scores.iter_mut().enumerate() {
            let multiplier = weigher.multiplier(settings, &hosts[i]);
            score.total += multiplier * normalised[i];
            score.parts.push(Part { weigher: *weigher, raw: raw[i], normalised: normalised[i], multiplier });
        }
    }
    Ok(scores)
}

fn clamp(value: f64, floor: Option<f64>) -> f64 {
    floor.map_or(value, |floor| value.max(floor))
}

/// (value − low) / (high − low), where low is the weigher's own bound if it has one, else the least value; all 0 if high = low.
pub fn normalise(values: &[f64], floor: Option<f64>) -> Vec<f64> {
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let low = floor.unwrap_or_else(|| values.iter().copied().fold(f64::INFINITY, f64::min));
    if high == low {
        return vec![0.0; values.len()];
    }
    values.iter().map(|value| (value - low) / (high - low)).collect()
}

fn group_members(host: &HostState, request: &Request, policy: Policy) -> f64 {
    request.group.as_ref().filter(|group| group.policy == policy).map_or(0.0, |group| {
        group.members.iter().filter(|member| host.instances.contains_key(member)).count() as f64
    })
}

/// Σ ratio · metric. A metric that is not there fails the request, or (not `required`) makes the whole value
/// `weight_of_unavailable`, unless ratio or multiplier is 0.
fn metrics(settings: &Settings, host: &HostState) -> Result<f64, MetricMissing> {
    let mut value = 0.0;
    for (name, ratio) in &settings.weight_setting {
        match host.metrics.get(name) {
            Some(metric) => value += *metric as f64 * ratio,
            None if settings.metrics_required => {
                return Err(MetricMissing { metric: name.clone(), host: host.name.clone() });
            }
            None if ratio * Weigher::Metrics.multiplier(settings, host) != 0.0 => {
                return Ok(settings.weight_of_unavailable);
            }
            None => {}
        }
    }
    Ok(value)
}

/// How often the image's properties occur among the servers there. Nova skips this while the configured multiplier is 0,
/// whatever an aggregate says.
fn image_properties(settings: &Settings, host: &HostState, request: &Request) -> f64 {
    if settings.multiplier(Weigher::ImageProperties) == 0.0 {
        return 0.0;
    }
    let ratios: BTreeMap<&str, f64> =
        settings.image_props_weight_setting.iter().map(|(name, ratio)| (name.as_str(), *ratio)).collect();
    let mut value = 0.0;
    for (name, wanted) in &request.image_properties {
        let count = host.instances.values().filter(|properties| properties.get(name) == Some(wanted)).count();
        let ratio = if ratios.is_empty() { 1.0 } else { ratios.get(name.as_str()).copied().unwrap_or(0.0) };
        value += ratio * count as f64;
    }
    value
}
