//! The catalogue itself.

use super::{Kind, Knob};

/// The metrics of the monitor `cpu.virt_driver` that make sense as weights. (Its `cpu.*.time` are counters that only grow.)
pub const METRICS: [&str; 6] = [
    "cpu.frequency",
    "cpu.user.percent",
    "cpu.kernel.percent",
    "cpu.idle.percent",
    "cpu.iowait.percent",
    "cpu.percent",
];

/// The multiplier of a weigher in `[filter_scheduler]`.
const fn multiplier(
    name: &'static str,
    weigher: &'static str,
    default: f64,
    since: u32,
    note: &'static str,
) -> Knob {
    Knob {
        name,
        section: "filter_scheduler",
        option: name,
        weigher: Some(weigher),
        kind: Kind::Float,
        default,
        minimum: None,
        since,
        aggregate: true,
        note,
    }
}

const fn at_least_zero(knob: Knob) -> Knob {
    Knob { minimum: Some(0.0), ..knob }
}

const fn option(name: &'static str, kind: Kind, default: f64, since: u32, note: &'static str) -> Knob {
    Knob {
        name,
        section: "filter_scheduler",
        option: name,
        weigher: None,
        kind,
        default,
        minimum: match kind {
            Kind::Int => Some(1.0),
            _ => None,
        },
        since,
        aggregate: false,
        note,
    }
}

const KNOBS: [Knob; 17] = [
    multiplier(
        "ram_weight_multiplier",
        "RAMWeigher",
        1.0,
        0,
        "free RAM, as a share of the largest; below 0 stacks",
    ),
    multiplier(
        "cpu_weight_multiplier",
        "CPUWeigher",
        1.0,
        18,
        "free vCPUs, as a share of the largest; below 0 stacks",
    ),
    multiplier(
        "disk_weight_multiplier",
        "DiskWeigher",
        1.0,
        13,
        "free disk, as a share of the largest; below 0 stacks",
    ),
    multiplier(
        "io_ops_weight_multiplier",
        "IoOpsWeigher",
        -1.0,
        0,
        "servers being built, resized or snapshotted, as a share of the largest; below 0 avoids busy hosts",
    ),
    Knob {
        section: "metrics",
        option: "weight_multiplier",
        ..multiplier(
            "metrics_weight_multiplier",
            "MetricsWeigher",
            1.0,
            0,
            "without effect while [metrics] weight_setting is empty; fix it when the ratios are tuned, for a common factor of all \
             multipliers changes nothing",
        )
    },
    at_least_zero(multiplier(
        "pci_weight_multiplier",
        "PCIWeigher",
        1.0,
        16,
        "few free PCI devices, min to max",
    )),
    at_least_zero(multiplier(
        "soft_affinity_weight_multiplier",
        "ServerGroupSoftAffinityWeigher",
        1.0,
        13,
        "members of the server's group on the host; of use with soft-affinity groups alone",
    )),
    at_least_zero(multiplier(
        "soft_anti_affinity_weight_multiplier",
        "ServerGroupSoftAntiAffinityWeigher",
        1.0,
        13,
        "the same with soft-anti-affinity groups",
    )),
    multiplier(
        "build_failure_weight_multiplier",
        "BuildFailureWeigher",
        1_000_000.0,
        18,
        "recent failed builds; outweighs everything, so that one failed server changes the next trials: 0 while measuring",
    ),
    multiplier(
        "cross_cell_move_weight_multiplier",
        "CrossCellWeigher",
        1_000_000.0,
        21,
        "for moves between cells alone",
    ),
    multiplier(
        "hypervisor_version_weight_multiplier",
        "HypervisorVersionWeigher",
        1.0,
        28,
        "new hypervisors; without effect where all have the same version",
    ),
    multiplier(
        "num_instances_weight_multiplier",
        "NumInstancesWeigher",
        0.0,
        28,
        "servers on the host, stopped ones too",
    ),
    multiplier(
        "image_props_weight_multiplier",
        "ImagePropertiesWeigher",
        0.0,
        31,
        "servers of like images; an aggregate's value is ignored while the one in nova.conf is 0",
    ),
    option(
        "host_subset_size",
        Kind::Int,
        1.0,
        0,
        "picks at random among this many best hosts: above 1 adds noise",
    ),
    option(
        "shuffle_best_same_weighed_hosts",
        Kind::Bool,
        0.0,
        17,
        "picks at random among exact ties: adds noise",
    ),
    option("max_io_ops_per_host", Kind::Int, 8.0, 0, "of effect with IoOpsFilter alone"),
    option("max_instances_per_host", Kind::Int, 50.0, 0, "of effect with NumInstancesFilter alone"),
];

/// Every knob.
///
/// Scores are sums of multiplier times normalised value, so a positive factor common to all multipliers changes no decision, nor
/// does one common to all metric ratios. `cpu.percent` is the sum of user, kernel and iowait, and idle is what is left to 100, so
/// the six ratios carry at most four independent numbers, one of which is a scale.
pub const fn all() -> &'static [Knob] {
    &KNOBS
}
