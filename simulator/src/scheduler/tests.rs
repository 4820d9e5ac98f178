//! nova's arithmetic with numbers worked out by hand, and what holds for any numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use uuid::Uuid;

use super::conf::Options;
use super::weighers::{normalise, weigh};
use super::*;

fn host(name: &str, vcpus: i64, ram: i64, disk_gb: i64) -> HostState {
    let inventory = |total, ratio| Inventory { total, reserved: 0, allocation_ratio: ratio, used: 0 };
    HostState {
        name: name.into(),
        zone: "nova".into(),
        free_ram_mb: ram,
        free_disk_mb: disk_gb * 1024,
        vcpus_total: vcpus,
        vcpus_used: 0,
        cpu_allocation_ratio: 4.0,
        num_io_ops: 0,
        num_instances: 0,
        failed_builds: 0,
        hypervisor_version: 7_000_000,
        pci_free: 0,
        metrics: BTreeMap::new(),
        enabled: true,
        up: true,
        aggregates: Vec::new(),
        instances: BTreeMap::new(),
        vcpu: inventory(vcpus, 4.0),
        memory_mb: inventory(ram, 1.0),
        disk_gb: inventory(disk_gb, 1.0),
    }
}

fn aggregate(entries: &[(&str, &str)]) -> Arc<Aggregate> {
    let metadata = entries.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Arc::new(Aggregate { name: "a".into(), metadata })
}

fn small() -> Request {
    Request { vcpus: 2, memory_mb: 1000, disk_gb: 10, ..Request::default() }
}

fn settings(conf: &str) -> Settings {
    let mut options = Options::default();
    options.add("test", conf).unwrap();
    Settings::read(&options, 26).unwrap()
}

/// All multipliers 0 but those of `conf`.
fn only(conf: &str) -> Settings {
    Weigher::ALL.into_iter().fold(settings(conf), |s, w| {
        let given = s.multiplier(w);
        let default = w.facts().default;
        s.with_multiplier(w, if given == default { 0.0 } else { given })
    })
}

fn ids(n: u8) -> Vec<Uuid> {
    (1..=n).map(|i| Uuid::from_bytes([i; 16])).collect()
}

fn placed(
    settings: &Settings,
    hosts: Vec<HostState>,
    request: &Request,
    n: u8,
) -> Result<Vec<String>, Refusal> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    Ok(select(settings, hosts, request, &ids(n), &mut rng)?.into_iter().map(|c| c.host).collect())
}

#[test]
fn defaults_are_x_over_max_for_ram_cpu_and_disk() {
    // a: 8·4 = 32 of 48 vCPUs, 8000 of 8000 MB, 100 of 400 GB → 2/3 + 1 + 1/4; b: 1 + 1/2 + 1
    let hosts = [host("a", 8, 8000, 100), host("b", 12, 4000, 400)];
    let scores = weigh(&settings(""), &hosts, &small()).unwrap();
    assert!((scores[0].total - (2.0 / 3.0 + 1.0 + 0.25)).abs() < 1e-12);
    assert!((scores[1].total - 2.5).abs() < 1e-12);
    assert_eq!(placed(&settings(""), hosts.to_vec(), &small(), 1).unwrap(), ["b"]);
}

#[test]
fn negative_free_memory_counts_as_none() {
    let mut a = host("a", 8, -500, 100);
    a.memory_mb.total = 100_000;
    let scores =
        weigh(&only("[filter_scheduler]\nram_weight_multiplier=2"), &[a, host("b", 8, 4000, 100)], &small());
    let totals: Vec<f64> = scores.unwrap().iter().map(|s| s.total).collect();
    assert_eq!(totals, [0.0, 2.0]);
}

#[test]
fn io_operations_and_failed_builds_repel() {
    let (mut a, mut b) = (host("a", 8, 4000, 100), host("b", 8, 4000, 100));
    a.num_io_ops = 2;
    b.num_io_ops = 1;
    let io = weigh(&settings(""), &[a.clone(), b.clone()], &small()).unwrap();
    // −1 · 2/2 and −1 · 1/2 beside 1 + 1 + 1
    assert_eq!((io[0].total, io[1].total), (2.0, 2.5));
    b.failed_builds = 3;
    a.failed_builds = 1;
    let failed = weigh(&settings(""), &[a, b], &small()).unwrap();
    // min-max: 0 and 1, times −10⁶
    assert_eq!((failed[0].total, failed[1].total), (2.0, 2.5 - 1e6));
}

#[test]
fn metrics_are_summed_raw_and_then_stretched() {
    let (mut a, mut b, mut c) = (host("a", 8, 1, 1), host("b", 8, 1, 1), host("c", 8, 1, 1));
    for (host, user, frequency) in [(&mut a, 50, 2000), (&mut b, 10, 2400), (&mut c, 30, 3000)] {
        host.metrics =
            BTreeMap::from([("cpu.user.percent".into(), user), ("cpu.frequency".into(), frequency)]);
    }
    let settings =
        only("[metrics]\nweight_multiplier=3\nweight_setting=cpu.user.percent=-1.0, cpu.frequency=0.1");
    let scores = weigh(&settings, &[a, b, c], &small()).unwrap();
    // −50 + 200 = 150, −10 + 240 = 230, −30 + 300 = 270 → 0, 80/120, 1, times 3
    let raw: Vec<f64> =
        scores.iter().map(|s| s.parts.iter().find(|p| p.weigher == Weigher::Metrics).unwrap().raw).collect();
    assert_eq!(raw, [150.0, 230.0, 270.0]);
    assert!((scores[1].total - 2.0).abs() < 1e-12);
    assert_eq!((scores[0].total, scores[2].total), (0.0, 3.0));
}

#[test]
fn a_missing_metric_fails_the_request_or_weighs_ten_thousand_less() {
    let (a, mut b) = (host("a", 8, 4000, 100), host("b", 8, 4000, 100));
    b.metrics.insert("cpu.percent".into(), 40);
    let required = "[metrics]\nweight_setting=cpu.percent=0.5";
    let refused = placed(&settings(required), vec![a.clone(), b.clone()], &small(), 1).unwrap_err();
    assert_eq!(refused.to_string(), "Metric cpu.percent could not be found on the compute host node a.a.");
    // one host is not weighed, so nothing is missed
    assert_eq!(placed(&settings(required), vec![a.clone()], &small(), 1).unwrap(), ["a"]);
    let raw = |conf: &str| {
        let scores = weigh(&settings(conf), &[a.clone(), b.clone()], &small()).unwrap();
        scores
            .iter()
            .map(|s| s.parts.iter().find(|p| p.weigher == Weigher::Metrics).unwrap().raw)
            .collect::<Vec<_>>()
    };
    assert_eq!(raw("[metrics]\nrequired=false\nweight_setting=cpu.percent=0.5"), [-10_000.0, 20.0]);
    assert_eq!(raw("[metrics]\nrequired=false\nweight_setting=cpu.percent=0"), [0.0, 0.0]);
    assert_eq!(
        raw("[metrics]\nrequired=false\nweight_multiplier=0\nweight_setting=cpu.percent=1"),
        [0.0, 40.0]
    );
}

#[test]
fn aggregates_override_multipliers_by_the_least_of_their_numbers() {
    let (mut a, mut b) = (host("a", 8, 4000, 100), host("b", 8, 2000, 100));
    a.aggregates = vec![
        aggregate(&[("ram_weight_multiplier", "0.5")]),
        aggregate(&[("ram_weight_multiplier", " -1.5 ")]),
    ];
    b.aggregates =
        vec![aggregate(&[("ram_weight_multiplier", "3")]), aggregate(&[("ram_weight_multiplier", "x")])];
    let scores = weigh(&only("[filter_scheduler]\nram_weight_multiplier=2"), &[a, b], &small()).unwrap();
    // a: −1.5 · 1; b: not a number among them, so the configured 2 · 1/2
    assert_eq!((scores[0].total, scores[1].total), (-1.5, 1.0));
}

#[test]
fn metrics_and_build_failures_have_their_own_aggregate_keys() {
    let (mut a, mut b) = (host("a", 8, 1, 1), host("b", 8, 1, 1));
    for (host, metric, failed) in [(&mut a, 10, 2), (&mut b, 0, 0)] {
        host.metrics.insert("cpu.percent".into(), metric);
        host.failed_builds = failed;
        host.aggregates = vec![aggregate(&[
            ("metrics_weight_multiplier", "4"),
            ("build_failure_weight_multiplier", "1.5"),
        ])];
    }
    let scores = weigh(&only("[metrics]\nweight_setting=cpu.percent=1"), &[a, b], &small()).unwrap();
    // 4 · 1 − 1.5 · 1
    assert_eq!((scores[0].total, scores[1].total), (2.5, 0.0));
}

#[test]
fn each_pick_is_consumed_before_the_next() {
    // 32 vCPUs each; RAM only: 4000 against 3500; after one pick 3000 against 3500, after two 3000 against 2500 …
    let hosts = vec![host("a", 8, 4000, 100), host("b", 8, 3500, 100)];
    let settings = only("[filter_scheduler]\nram_weight_multiplier=2");
    assert_eq!(placed(&settings, hosts.clone(), &small(), 5).unwrap(), ["a", "b", "a", "b", "a"]);
    // 7 servers of 1000 MB is all there is room for
    assert_eq!(placed(&settings, hosts.clone(), &small(), 7).unwrap().len(), 7);
    assert_eq!(placed(&settings, hosts, &small(), 8), Err(Refusal::NotEnoughHosts));
}

#[test]
fn equals_fall_to_the_first_and_then_stay_in_the_last_order() {
    let hosts = vec![host("a", 8, 4000, 100), host("b", 8, 4000, 100)];
    // nothing weighs: the chosen host stays in front
    assert_eq!(placed(&only(""), hosts, &small(), 3).unwrap(), ["a", "a", "a"]);
}

#[test]
fn soft_affinity_counts_members_on_the_host() {
    let members = ids(3);
    let (mut a, mut b, c) = (host("a", 8, 4000, 100), host("b", 8, 4000, 100), host("c", 8, 4000, 100));
    a.instances = members[..2].iter().map(|id| (*id, Arc::default())).collect();
    b.instances = members[2..].iter().map(|id| (*id, Arc::default())).collect();
    let scores = |policy| {
        let group = Group { policy, members: members.clone(), hosts: Vec::new(), max_server_per_host: 1 };
        let request = Request { group: Some(group), ..small() };
        let settings = settings(
            "[filter_scheduler]\nsoft_affinity_weight_multiplier=4\nsoft_anti_affinity_weight_multiplier=2\nram_weight_multiplier=0\ncpu_weight_multiplier=0\ndisk_weight_multiplier=0",
        );
        weigh(&settings, &[a.clone(), b.clone(), c.clone()], &request)
            .unwrap()
            .iter()
            .map(|s| s.total)
            .collect::<Vec<_>>()
    };
    assert_eq!(scores(Policy::SoftAffinity), [4.0, 2.0, 0.0]);
    // raw −2, −1, −0 → 0, 1/2, 1
    assert_eq!(scores(Policy::SoftAntiAffinity), [0.0, 1.0, 2.0]);
}

#[test]
fn anti_affinity_and_affinity_hold_within_a_request() {
    let hosts: Vec<HostState> = ["a", "b", "c"].map(|n| host(n, 8, 8000, 100)).into();
    let group = |policy| Group { policy, members: ids(4), hosts: Vec::new(), max_server_per_host: 1 };
    let request = |policy| Request { group: Some(group(policy)), ..small() };
    let settings = settings("");
    let apart = placed(&settings, hosts.clone(), &request(Policy::AntiAffinity), 3).unwrap();
    assert_eq!(apart.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
    assert_eq!(
        placed(&settings, hosts.clone(), &request(Policy::AntiAffinity), 4),
        Err(Refusal::NotEnoughHosts)
    );
    let together = placed(&settings, hosts, &request(Policy::Affinity), 4).unwrap();
    assert_eq!(together.iter().collect::<std::collections::BTreeSet<_>>().len(), 1);
}

#[test]
fn placement_offers_what_is_enabled_in_the_zone_and_has_room() {
    let mut hosts: Vec<HostState> = ["a", "b", "c", "d"].map(|n| host(n, 8, 8000, 100)).into();
    hosts[0].enabled = false;
    hosts[1].zone = "other".into();
    hosts[2].vcpu.used = 31;
    let request = Request { zone: Some("nova".into()), ..small() };
    assert_eq!(placed(&settings(""), hosts.clone(), &request, 1).unwrap(), ["d"]);
    hosts[3].up = false;
    assert_eq!(placed(&settings(""), hosts.clone(), &request, 1), Err(Refusal::NotEnoughHosts));
    hosts.truncate(3);
    let refused = placed(&settings(""), hosts, &request, 1).unwrap_err();
    assert_eq!(refused.to_string(), "No valid host was found. ");
}

#[test]
fn later_weighers_are_there_from_their_release_on() {
    let options = Options::default();
    let names = |release| Settings::read(&options, release).unwrap().weighers.len();
    assert_eq!((names(26), names(28), names(31)), (10, 12, 13));
    let (mut a, b) = (host("a", 8, 4000, 100), host("b", 8, 4000, 100));
    a.hypervisor_version = 8_000_000;
    let of = |release| {
        let scores =
            weigh(&Settings::read(&options, release).unwrap(), &[a.clone(), b.clone()], &small()).unwrap();
        scores[0].total - scores[1].total
    };
    assert_eq!((of(26), of(28)), (0.0, 1.0));
}

#[test]
fn options_are_read_as_oslo_config_reads_them() {
    let mut options = Options::default();
    options.add("a", "[filter_scheduler]\nram_weight_multiplier = 1.5\n# no\nenabled_filters = ComputeFilter,\n  nova.scheduler.filters.NumInstancesFilter\n").unwrap();
    options.add("b", "[DEFAULT]\nram_weight_multiplier = 9\n[filter_scheduler]\nhost_subset_size: 3\n[metrics]\nweight_setting = a=1, b, =2, c=x, d=-0.5\n").unwrap();
    let read = Settings::read(&options, 26).unwrap();
    assert_eq!(read.multiplier(Weigher::Ram), 1.5);
    assert_eq!(read.host_subset_size, 3);
    assert_eq!(read.enabled_filters, [filters::Filter::Compute, filters::Filter::NumInstances]);
    assert_eq!(read.weight_setting, [("a".to_owned(), 1.0), ("d".to_owned(), -0.5)]);
    for wrong in [
        "pci_weight_multiplier=-1",
        "ram_weight_multiplier=many",
        "enabled_filters=NoFilter",
        "host_subset_size=0",
    ] {
        let mut options = Options::default();
        options.add("c", &format!("[filter_scheduler]\n{wrong}")).unwrap();
        assert!(Settings::read(&options, 26).is_err(), "{wrong}");
    }
    assert!(options.add("d", "[open\n").is_err() && options.add("e", "word\n").is_err());
}

#[test]
fn a_subset_is_chosen_from_and_shuffled_equals_are_all_met() {
    let hosts: Vec<HostState> = (0..4).map(|i| host(&i.to_string(), 8, 8000 - 100 * i, 100)).collect();
    let chosen = |conf: &str, hosts: &[HostState]| {
        let settings = settings(conf);
        (0..64)
            .map(|seed| {
                let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
                select(&settings, hosts.to_vec(), &small(), &ids(1), &mut rng).unwrap()[0].host.clone()
            })
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(
        chosen("[filter_scheduler]\nhost_subset_size=2", &hosts),
        BTreeMap::from([("0", ()), ("1", ())]).into_keys().map(str::to_owned).collect()
    );
    let equal: Vec<HostState> = (0..3).map(|i| host(&i.to_string(), 8, 8000, 100)).collect();
    assert_eq!(chosen("[filter_scheduler]\nshuffle_best_same_weighed_hosts=true", &equal).len(), 3);
}

fn any_hosts() -> impl Strategy<Value = Vec<HostState>> {
    prop::collection::vec((1..64i64, 1000..200_000i64, 10..4000i64, 0..4i64, 0..100i64), 2..7).prop_map(
        |hosts| {
            let make = |(i, (vcpus, ram, disk, io, user)): (usize, (i64, i64, i64, i64, i64))| {
                let mut state = host(&format!("h{i}"), vcpus, ram, disk);
                state.num_io_ops = io;
                state.metrics = BTreeMap::from([("cpu.user.percent".into(), user)]);
                state
            };
            hosts.into_iter().enumerate().map(make).collect()
        },
    )
}

fn weights(factor: f64, w: &[f64]) -> Settings {
    let kinds = [Weigher::Ram, Weigher::Cpu, Weigher::Disk, Weigher::IoOps, Weigher::Metrics];
    let base = settings("[metrics]\nweight_setting=cpu.user.percent=1.0");
    kinds.into_iter().zip(w).fold(base, |s, (kind, value)| s.with_multiplier(kind, factor * value))
}

proptest! {
    #[test]
    fn normalised_values_lie_between_zero_and_one(values in prop::collection::vec(-1e6..1e6f64, 1..9)) {
        let n = normalise(&values, None);
        prop_assert!(n.iter().all(|v| (0.0..=1.0).contains(v)));
        let distinct = values.iter().any(|v| *v != values[0]);
        prop_assert_eq!(n.contains(&1.0) && n.contains(&0.0), distinct);
    }

    /// A power of two scales without rounding, so that even ties stay.
    #[test]
    fn a_common_factor_changes_no_decision(hosts in any_hosts(), w in prop::collection::vec(-1.0..1.0f64, 5)) {
        prop_assert_eq!(placed(&weights(1.0, &w), hosts.clone(), &small(), 3), placed(&weights(8.0, &w), hosts, &small(), 3));
    }

    #[test]
    fn an_override_on_all_hosts_is_the_same_as_the_option(hosts in any_hosts(), w in prop::collection::vec(-1.0..1.0f64, 5)) {
        let keys = ["ram_weight_multiplier", "cpu_weight_multiplier", "disk_weight_multiplier", "io_ops_weight_multiplier", "metrics_weight_multiplier"];
        let texts: Vec<String> = w.iter().map(f64::to_string).collect();
        let entries: Vec<(&str, &str)> = keys.into_iter().zip(texts.iter().map(String::as_str)).collect();
        let tuned: Vec<HostState> =
            hosts.iter().cloned().map(|mut h| { h.aggregates = vec![aggregate(&entries)]; h }).collect();
        let by_option = placed(&weights(1.0, &w), hosts, &small(), 3);
        prop_assert_eq!(by_option, placed(&weights(1.0, &[0.0; 5]), tuned, &small(), 3));
    }

    #[test]
    fn no_host_is_ever_given_more_than_it_has(hosts in any_hosts(), n in 1..12u8) {
        if let Ok(names) = placed(&settings("[metrics]\nrequired=false"), hosts.clone(), &small(), n) {
            for host in &hosts {
                let count = names.iter().filter(|name| **name == host.name).count() as i64;
                prop_assert!(host.vcpu.fits(2 * count) || count == 0 || 2 * count > host.vcpus_total);
                prop_assert!((2 * count) as f64 <= host.vcpus_total as f64 * 4.0 && 1000 * count <= host.memory_mb.total && 10 * count <= host.disk_gb.total);
            }
        }
    }
}
