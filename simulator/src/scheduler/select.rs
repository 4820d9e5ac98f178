//! One scheduling request: filter, weigh, pick, consume, and again for its next server.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;
use uuid::Uuid;

use super::filters::passes;
use super::weighers::{MetricMissing, Score, weigh};
use super::{HostState, Settings};

/// A server group's policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Affinity,
    AntiAffinity,
    SoftAffinity,
    SoftAntiAffinity,
}

impl Policy {
    pub const ALL: [Self; 4] =
        [Self::Affinity, Self::AntiAffinity, Self::SoftAffinity, Self::SoftAntiAffinity];

    /// As in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Affinity => "affinity",
            Self::AntiAffinity => "anti-affinity",
            Self::SoftAffinity => "soft-affinity",
            Self::SoftAntiAffinity => "soft-anti-affinity",
        }
    }
}

/// The server group of a request.
#[derive(Clone, Debug)]
pub struct Group {
    pub policy: Policy,
    pub members: Vec<Uuid>,
    /// Hosts that hold members already.
    pub hosts: Vec<String>,
    pub max_server_per_host: usize,
}

/// What a server needs and wishes (nova's `RequestSpec`).
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub project: String,
    pub flavor: String,
    pub extra_specs: BTreeMap<String, String>,
    pub vcpus: i64,
    pub memory_mb: i64,
    /// Root and ephemeral disk.
    pub disk_gb: i64,
    /// Counted by Placement, but not by the host's free disk.
    pub swap_gb: i64,
    pub zone: Option<String>,
    /// The only host to be considered, if any (`AZ:HOST`, or `host` of microversion 2.74).
    pub force_host: Option<String>,
    pub image_properties: BTreeMap<String, String>,
    pub group: Option<Group>,
    pub same_host: Vec<Uuid>,
    pub different_host: Vec<Uuid>,
}

/// Where one server goes.
#[derive(Clone, Debug)]
pub struct Choice {
    pub host: String,
    /// Hosts to try next if the build fails there, best first.
    pub alternates: Vec<String>,
    /// How every candidate scored, best first.
    pub scores: Vec<Score>,
}

/// Why a request cannot be placed, in nova's words.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Placement offered nothing.
    #[error("No valid host was found. ")]
    NoCandidates,
    /// Filters, or the claims of the request's other servers, left nothing.
    #[error("No valid host was found. There are not enough hosts available.")]
    NotEnoughHosts,
    #[error(transparent)]
    Metric(#[from] MetricMissing),
}

/// Places the servers `ids`, all alike, on `hosts`, as one request of nova does.
///
/// Each pick is consumed on its host before the next (RAM, disk, vCPUs, one I/O operation, one instance; the group's member), and
/// the hosts keep the order of the pick before, which decides among equals. Random picks (`host_subset_size`,
/// `shuffle_best_same_weighed_hosts`) are drawn from `rng`, which is not touched where nova would have no choice.
pub fn select(
    settings: &Settings,
    hosts: Vec<HostState>,
    request: &Request,
    ids: &[Uuid],
    rng: &mut Xoshiro256PlusPlus,
) -> Result<Vec<Choice>, Refusal> {
    let mut request = request.clone();
    let mut hosts: Vec<HostState> = hosts.into_iter().filter(|h| is_candidate(h, &request)).collect();
    hosts.truncate(settings.max_placement_results);
    if hosts.is_empty() {
        return Err(Refusal::NoCandidates);
    }
    let mut choices: Vec<Choice> = Vec::with_capacity(ids.len());
    for (i, id) in ids.iter().enumerate() {
        let mut filtered: Vec<HostState> =
            hosts.into_iter().filter(|h| passes(settings, h, &request, *id, i == 0)).collect();
        let mut scores = weigh(settings, &filtered, &request)?;
        // stable, as in Python; and -0.0 equals 0.0
        scores.sort_by(|a, b| b.total.partial_cmp(&a.total).unwrap_or(Ordering::Equal));
        order_the_best(settings, &mut scores, rng);
        filtered = take_in_order(filtered, &scores);
        let chosen = filtered.iter().position(|h| fits(h, &request)).ok_or(Refusal::NotEnoughHosts)?;
        consume(&mut filtered[chosen], &request, *id);
        if let Some(group) = &mut request.group {
            group.hosts.push(filtered[chosen].name.clone());
        }
        choices.push(Choice { host: filtered[chosen].name.clone(), alternates: Vec::new(), scores });
        hosts = filtered;
    }
    for choice in &mut choices {
        let others = hosts.iter().filter(|h| h.name != choice.host && fits(h, &request));
        choice.alternates =
            others.take(settings.max_attempts.saturating_sub(1)).map(|h| h.name.clone()).collect();
    }
    Ok(choices)
}

/// What Placement answers for: enabled, in the zone, with room.
fn is_candidate(host: &HostState, request: &Request) -> bool {
    host.enabled
        && request.zone.as_ref().is_none_or(|zone| *zone == host.zone)
        && request.force_host.as_ref().is_none_or(|name| *name == host.name)
        && fits(host, request)
}

fn fits(host: &HostState, request: &Request) -> bool {
    host.vcpu.fits(request.vcpus)
        && host.memory_mb.fits(request.memory_mb)
        && host.disk_gb.fits(request.disk_gb + request.swap_gb)
}

/// `_get_sorted_hosts`: shuffles the best if they are equal, then moves one of the first `host_subset_size` to the front.
fn order_the_best(settings: &Settings, scores: &mut [Score], rng: &mut Xoshiro256PlusPlus) {
    let Some(best) = scores.first().map(|s| s.total) else { return };
    if settings.shuffle_best_same_weighed_hosts {
        let equal = scores.iter().take_while(|s| s.total == best).count();
        scores[..equal].shuffle(rng);
    }
    let subset = settings.host_subset_size.min(scores.len());
    if subset > 1 {
        let chosen = rng.random_range(0..subset);
        scores[..=chosen].rotate_right(1);
    }
}

fn take_in_order(hosts: Vec<HostState>, scores: &[Score]) -> Vec<HostState> {
    let mut hosts: Vec<Option<HostState>> = hosts.into_iter().map(Some).collect();
    scores.iter().filter_map(|score| hosts[score.host].take()).collect()
}

/// `HostState.consume_from_request` and the claim in Placement.
fn consume(host: &mut HostState, request: &Request, id: Uuid) {
    host.free_ram_mb -= request.memory_mb;
    host.free_disk_mb -= request.disk_gb * 1024;
    host.vcpus_used += request.vcpus;
    host.num_instances += 1;
    host.num_io_ops += 1;
    host.vcpu.used += request.vcpus;
    host.memory_mb.used += request.memory_mb;
    host.disk_gb.used += request.disk_gb + request.swap_gb;
    if request.group.is_some() {
        host.instances.entry(id).or_default();
    }
}
