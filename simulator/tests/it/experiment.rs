//! The proof of concept's experiment on the default cloud: four load servers, six application servers, eight weights.

use std::collections::BTreeMap;

use autoopt_simulator::cloud::server::Phase;
use autoopt_simulator::cloud::{Create, NetworkWish, Status};
use autoopt_simulator::scheduler::{Settings, Weigher};
use autoopt_simulator::{Cloud, Config};
use jiff::Timestamp;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use uuid::Uuid;

const LOADS: [&str; 4] = ["cpu=80", "cpu=30 fileio=10", "cpu=40 network=6000", "cpu=60 memory=50"];
const BENCHMARKS: [&str; 6] = ["rabbitmq", "mysql", "fileio", "cpu", "iperf_s", "iperf_c"];
const METRICS: [&str; 6] = [
    "cpu.user.percent",
    "cpu.kernel.percent",
    "cpu.iowait.percent",
    "cpu.idle.percent",
    "cpu.percent",
    "cpu.frequency",
];

/// Ratios of RAM, disk and the six metrics; `None` is nova's defaults.
type Weights = Option<[f64; 8]>;

fn settings(weights: Weights) -> Settings {
    let mut settings = Settings::defaults(26);
    settings.metrics_required = false;
    let Some(w) = weights else { return settings };
    settings.weight_setting = METRICS.iter().zip(&w[2..]).map(|(n, r)| ((*n).to_owned(), *r)).collect();
    settings.with_multiplier(Weigher::Ram, w[0]).with_multiplier(Weigher::Disk, w[1])
}

fn boot(cloud: &mut Cloud, name: &str, flavor: &str, user_data: &str) -> Uuid {
    let create = Create {
        name: name.into(),
        flavor: cloud.flavor(flavor).unwrap().clone(),
        image: None,
        networks: vec![NetworkWish::Network { id: cloud.networks[0].id, address: None }],
        metadata: BTreeMap::new(),
        tags: Vec::new(),
        zone: None,
        force_host: None,
        group: None,
        same_host: Vec::new(),
        different_host: Vec::new(),
        key_name: None,
        config_drive: false,
        user_data: Some(("".into(), user_data.into())),
        count: 1,
        request_id: String::new(),
    };
    let id = cloud.create(&create).unwrap()[0];
    // the next one when this is up and the hosts have reported
    cloud.advance(cloud.now() + 45_000, Timestamp::UNIX_EPOCH);
    assert_eq!(cloud.servers[&id].status, Status::Active);
    id
}

/// A cloud with the background load on it, placed by nova's defaults.
fn loaded() -> Cloud {
    let mut config = Config::default();
    // an application server's benchmark waits for the next one, 45 s later
    config.guest.settle = 90.0;
    let mut cloud = Cloud::new(config, Timestamp::UNIX_EPOCH);
    for (i, words) in LOADS.iter().enumerate() {
        boot(&mut cloud, &format!("load-{i}"), "load", &format!("AUTOOPT_LOAD=\"{words}\""));
    }
    cloud
}

/// One trial: the hosts chosen, and the logarithm of the geometric mean of the five scores.
fn trial(cloud: &mut Cloud, weights: Weights) -> (Vec<String>, f64) {
    cloud.scheduler.settings = settings(weights);
    let ids: Vec<Uuid> = BENCHMARKS
        .iter()
        .map(|b| boot(cloud, &format!("app-{b}"), "app", &format!("AUTOOPT_BENCHMARK={b}")))
        .collect();
    cloud.advance(cloud.now() + 300_000, Timestamp::UNIX_EPOCH);
    let mut score = 0.0;
    let mut hosts = Vec::new();
    for (id, name) in ids.iter().zip(BENCHMARKS) {
        let server = &cloud.servers[id];
        hosts.push(cloud.hosts[server.host.unwrap()].config.name.clone());
        let Phase::Finished(outcome) = &server.phase else { panic!("{name} has not finished") };
        score += match name {
            "iperf_s" => 0.0,
            "iperf_c" => (outcome.rates.rate / (outcome.rates.retransmits * 60.0 + 1.0).powf(0.1)).ln(),
            _ => (outcome.rates.rate / outcome.rates.latency).ln(),
        } / 5.0;
    }
    for id in &ids {
        assert!(cloud.delete_server(*id, ""));
    }
    cloud.advance(cloud.now() + 60_000, Timestamp::UNIX_EPOCH);
    (hosts, score)
}

#[test]
fn good_weights_measure_clearly_better_than_the_defaults_and_bad_ones_worse() {
    let mut cloud = loaded();
    let (_, baseline) = trial(&mut cloud, None);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let mut gains: Vec<(f64, [f64; 8], Vec<String>)> = (0..150)
        .map(|_| {
            let weights: [f64; 8] = std::array::from_fn(|_| rng.random_range(-1.0..1.0));
            let (hosts, score) = trial(&mut cloud, Some(weights));
            ((score - baseline).exp(), weights, hosts)
        })
        .collect();
    gains.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (gain, weights, hosts) in gains.iter().step_by(15) {
        println!("{gain:.3} {weights:.2?} {hosts:?}");
    }
    let placements: std::collections::BTreeSet<&Vec<String>> =
        gains.iter().map(|(_, _, hosts)| hosts).collect();
    println!("{} placements", placements.len());
    // a tenth of the box is at least 15 % better, so that a search has something to find; and some of it is worse
    assert!(gains[14].0 > 1.15, "{}", gains[14].0);
    assert!(gains[149].0 < 0.95, "{}", gains[149].0);
    assert!(placements.len() > 10);
    assert_eq!((cloud.servers.len(), cloud.ports.len(), cloud.allocations.len()), (4, 4, 4));
}

#[test]
fn the_same_seed_and_requests_give_the_same_results_and_another_seed_others() {
    let run = |seed: u64| {
        let mut cloud = loaded();
        cloud.config.seed = seed;
        trial(&mut cloud, Some([0.3, -0.7, 0.1, 0.9, -0.2, 0.4, 0.8, -1.0]))
    };
    assert_eq!(run(5), run(5));
    let ((hosts, score), (others, other)) = (run(5), run(6));
    assert_eq!(hosts, others);
    assert!(score != other && (score - other).abs() < 0.1, "{score} {other}");
}
