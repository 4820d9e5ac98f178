//! The simulated nova-scheduler against the real one: hosts alike, loaded alike, the same
//! weights applied by the apply stage, the same requests; each server has to go to the same host.
//!
//! The real nova-scheduler is asked over its RPC interface as nova-conductor asks it (`openstack-lab ask`), so that nothing
//! has to be built for an answer.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use autoopt_cloud::{Cloud, NewServer};
use autoopt_epoch::command::{Cluster, OpenStack as Config};
use autoopt_epoch::message::Epoch;
use autoopt_epoch::worker::{Backend, Context};
use autoopt_simulator::Simulator;
use autoopt_simulator::scheduler::select::{Group, Policy, Request, select};
use autoopt_worker_apply::OpenStack;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::rig::{IMAGE, Lab, ZONE, lab};

const FLAVORS: [(&str, i64, i64, i64); 3] = [
    ("U04-RAM04-DISK-36", 4, 4096, 36),
    ("U06-RAM12-DISK-64", 6, 12288, 64),
    ("U14-RAM12-DISK-64", 14, 12288, 64),
];
/// What occupies the hosts meanwhile: host, flavor, and how much of the CPU it takes, in per cent.
const LOADS: [(usize, usize, u32); 4] = [(0, 2, 60), (1, 0, 90), (3, 1, 30), (3, 0, 80)];
/// Weight vectors whose multipliers are in the aggregate and whose ratios are in the snippet: so many groups, each with
/// ratios of its own, of so many.
const BOTH_WAYS: (usize, usize) = (10, 20);
/// Weight vectors of which everything is in the snippet: a restart for each, which takes some 8 s.
/// `AUTOOPT_PARITY_SNIPPET` says another number.
const SNIPPET_ALONE: usize = 20;
const SEED: u64 = 20;

const MULTIPLIERS: [&str; 6] = [
    "ram_weight_multiplier",
    "cpu_weight_multiplier",
    "disk_weight_multiplier",
    "io_ops_weight_multiplier",
    "metrics_weight_multiplier",
    "build_failure_weight_multiplier",
];
/// nova does not start with less than 0.
const NON_NEGATIVE: [&str; 2] = ["soft_affinity_weight_multiplier", "soft_anti_affinity_weight_multiplier"];
const RATIOS: [&str; 6] = [
    "metrics.cpu.frequency",
    "metrics.cpu.user.percent",
    "metrics.cpu.kernel.percent",
    "metrics.cpu.idle.percent",
    "metrics.cpu.iowait.percent",
    "metrics.cpu.percent",
];

/// A request for servers.
#[derive(Clone, Debug)]
struct Wish {
    flavor: usize,
    count: usize,
    policy: Option<Policy>,
}

/// What nova-scheduler knows of a host.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Record {
    metrics: BTreeMap<String, f64>,
    num_io_ops: i64,
    vcpus_used: i64,
    running_vms: i64,
    hypervisor_version: i64,
    cpu_allocation_ratio: f64,
    ram_allocation_ratio: f64,
    disk_allocation_ratio: f64,
}

#[derive(Deserialize)]
struct Size {
    vcpus: i64,
    memory_mb: i64,
    local_gb: i64,
    frequency: i64,
}

/// `openstack-lab ask`, running.
struct Nova {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Nova {
    fn start(script: &Path) -> Self {
        let mut child = Command::new(script)
            .arg("ask")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the lab's script");
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        Self { child, input, output: BufReader::new(output) }
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.input, "{question}").expect("it reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{question} was answered with {line:?}: {e}"))
    }

    fn records(&mut self) -> BTreeMap<String, Record> {
        serde_json::from_value(self.ask(&json!({"records": true}))["records"].take()).expect("records")
    }

    /// Where the servers would go, and what the scheduler knew; nothing if they fit nowhere.
    fn place(&mut self, wish: &Wish) -> (BTreeMap<String, Record>, Option<Vec<String>>) {
        let question = json!({"flavor": FLAVORS[wish.flavor].0, "zone": ZONE, "count": wish.count, "group": wish.policy.map(Policy::name)});
        for _ in 0..50 {
            let before = self.records();
            let answer = self.ask(&question);
            // hosts report every few seconds: what was known at the answer is what was known before and after it
            if self.records() == before {
                assert!(answer["hosts"].is_array() || answer["refused"].is_string(), "{answer}");
                return (before, serde_json::from_value(answer["hosts"].clone()).ok());
            }
        }
        panic!("the hosts' records never stay the same");
    }
}

impl Drop for Nova {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cluster(clouds: &Path, name: &str, config: &Path, directory: &Path, restart: Value) -> Cluster {
    let scheduler =
        json!({"snippet": directory.join("90-parity-test.conf"), "config": [config], "restart": restart});
    Cluster {
        cloud: Some(name.into()),
        clouds_file: Some(clouds.into()),
        aggregate: Some(ZONE.into()),
        scheduler: vec![serde_json::from_value(scheduler).expect("a scheduler")],
        ..Cluster::default()
    }
}

/// A cloud with the lab's hosts and configuration.
fn twin(lab: &Path, records: &BTreeMap<String, Record>, config_dir: &Path) -> autoopt_simulator::Config {
    let sizes = std::fs::read_to_string(lab.join("computes.json")).expect("the lab's hosts");
    let sizes: BTreeMap<String, Size> = serde_json::from_str(&sizes).expect("the lab's hosts");
    let conf = std::fs::read_to_string(lab.join("etc/nova.conf")).expect("nova.conf");
    let hosts = sizes.iter().map(|(name, size)| {
        let record = &records[name];
        json!({"name": name, "vcpus": size.vcpus, "memory_mb": size.memory_mb, "disk_gb": size.local_gb,
            "frequency_mhz": size.frequency, "disk_iops": 10000, "network_gbps": 10, "memory_gbps": 50,
            "reserved_memory_mb": 0, "hypervisor_version": record.hypervisor_version,
            "cpu_allocation_ratio": record.cpu_allocation_ratio, "ram_allocation_ratio": record.ram_allocation_ratio,
            "disk_allocation_ratio": record.disk_allocation_ratio})
    });
    let flavors = FLAVORS.map(
        |(name, vcpus, memory, disk)| json!({"name": name, "vcpus": vcpus, "memory_mb": memory, "disk_gb": disk}),
    );
    let config = json!({
        "scheduler": {"release": 26, "conf": conf, "config_dir": config_dir}, "host": hosts.collect::<Value>(), "flavor": flavors,
        "image": [{"name": IMAGE}], "network": [{"name": "external", "cidr": "10.20.0.0/16"}],
        "aggregate": [{"name": ZONE, "zone": ZONE, "hosts": sizes.keys().collect::<Vec<_>>()}],
    });
    autoopt_simulator::Config::from_toml(&toml::to_string(&config).expect("TOML")).expect("a cloud")
}

/// The same request on the twin, its hosts' metrics and I/O being those of `records`.
fn simulated(simulator: &Simulator, records: &BTreeMap<String, Record>, wish: &Wish) -> Option<Vec<String>> {
    simulator.with(|cloud| {
        let mut hosts: Vec<_> = (0..cloud.hosts.len()).map(|i| cloud.host_state(i)).collect();
        for host in &mut hosts {
            let record = &records[&host.name];
            assert_eq!((host.num_instances, host.vcpus_used), (record.running_vms, record.vcpus_used));
            host.num_io_ops = record.num_io_ops;
            let metrics = record.metrics.iter().map(|(name, value)| {
                let whole = if name.ends_with(".percent") { value * 100.0 } else { *value };
                (name.clone(), whole as i64)
            });
            host.metrics = metrics.collect();
        }
        let (flavor, vcpus, memory_mb, disk_gb) = FLAVORS[wish.flavor];
        let ids: Vec<Uuid> = (1..=wish.count).map(|i| Uuid::from_u128(i as u128)).collect();
        let group =
            |policy| Group { policy, members: ids.clone(), hosts: Vec::new(), max_server_per_host: 1 };
        let request = Request {
            flavor: flavor.into(),
            vcpus,
            memory_mb,
            disk_gb,
            zone: Some(ZONE.into()),
            group: wish.policy.map(group),
            ..Request::default()
        };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let choices = select(&cloud.scheduler.settings, hosts, &request, &ids, &mut rng).ok()?;
        Some(choices.into_iter().map(|choice| choice.host).collect())
    })
}

/// The apply stage's step `action` with these weights.
async fn apply(cluster: &Cluster, action: &str, via: &str, weights: &Map<String, Value>) {
    let id = Uuid::from_u128(0x7061_7269_7479);
    let order: Epoch = serde_json::from_value(json!({
        "experiment": "parity-test", "experiment_id": id, "trial": id, "number": 1, "kind": "proposed", "epoch": id,
        "cluster": "cloud", "step": 0, "stage": "apply", "action": action, "attempt": 1,
        "issued": "2026-01-01T00:00:00Z", "lease": "30s", "timeout": "300s",
        "backend": {"backend": "openstack", "settings": {"via": via}}, "parameters": weights,
    }))
    .expect("an order");
    let config =
        Config { cluster: BTreeMap::from([("cloud".to_owned(), cluster.clone())]), ..Config::default() };
    let backend = OpenStack::new(config);
    let done = backend.perform(&order, &Context::alone(&std::env::temp_dir())).await;
    done.unwrap_or_else(|failure| panic!("{action} of {weights:?}: {failure}"));
}

/// The load's servers, each on its host.
async fn occupy(cloud: &Cloud, name: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for (i, (host, flavor, cpu)) in LOADS.iter().enumerate() {
        let new = NewServer {
            name: format!("parity-test-{i}"),
            flavor: cloud.flavor(FLAVORS[*flavor].0).await.expect("the flavor"),
            image: cloud.image(IMAGE).await.expect("the image"),
            networks: vec![cloud.network("external").await.expect("the network")],
            zone: Some(format!("{ZONE}:compute-{host}")),
            user_data: Some(format!("#!/bin/sh\nAUTOOPT_LOAD='cpu={cpu}'\n")),
            ..NewServer::default()
        };
        let id = cloud.create_server(&new).await.expect("a server");
        for look in 0.. {
            let server = cloud.server(&id).await.expect("the server");
            if server.status == "ACTIVE" {
                break;
            }
            assert!(server.status == "BUILD" && look < 200, "on {name}: {server:?}");
            cloud.wait(Duration::from_millis(500)).await;
        }
        ids.push(id);
    }
    ids
}

struct Sides<'a> {
    real: &'a Cluster,
    twin: &'a Cluster,
    simulator: &'a Simulator,
    nova: Nova,
    rng: Xoshiro256PlusPlus,
    vectors: usize,
    requests: usize,
    refused: usize,
    placements: BTreeMap<Vec<String>, usize>,
}

impl Sides<'_> {
    fn numbers(&mut self, names: &[&str], range: std::ops::Range<f64>) -> Map<String, Value> {
        names.iter().map(|name| ((*name).to_owned(), json!(self.rng.random_range(range.clone())))).collect()
    }

    fn multipliers(&mut self) -> Map<String, Value> {
        let mut all = self.numbers(&MULTIPLIERS, -1.0..1.0);
        all.extend(self.numbers(&NON_NEGATIVE, 0.0..1.0));
        all
    }

    /// One weight vector, applied on both sides, and some requests.
    async fn compare(&mut self, via: &str, weights: &Map<String, Value>) {
        apply(self.real, "run", via, weights).await;
        apply(self.twin, "run", via, weights).await;
        self.vectors += 1;
        for _ in 0..2 {
            let policy = self.rng.random_range(0..8);
            let wish = Wish {
                flavor: self.rng.random_range(0..FLAVORS.len()),
                count: self.rng.random_range(1..=5),
                policy: Policy::ALL.get(policy).copied(),
            };
            let (records, real) = self.nova.place(&wish);
            let simulated = simulated(self.simulator, &records, &wish);
            assert_eq!(real, simulated, "{wish:?} with {weights:#?} in {via}, the hosts being {records:#?}");
            self.requests += 1;
            match real {
                Some(hosts) => *self.placements.entry(hosts).or_default() += 1,
                None => self.refused += 1,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_places_servers_where_nova_does() {
    let Some(lab) = lab().await else { return };
    let (cloud, script) = (&lab.cloud, Lab::script());
    let lab = lab.directory.as_path();
    let mut nova = Nova::start(&script);
    let files = tempfile::tempdir().expect("a directory");
    let config_dir = files.path().join("nova-scheduler.conf.d");
    std::fs::create_dir(&config_dir).expect("a directory");
    let simulator =
        Simulator::start(twin(lab, &nova.records(), &config_dir)).await.expect("the simulated cloud");
    let clouds = files.path().join("clouds.yaml");
    std::fs::write(&clouds, simulator.clouds_yaml("twin")).expect("a file");
    let conf = lab.join("etc/nova.conf");
    let restart = json!({"program": script, "args": ["restart", "nova-scheduler"]});
    let real =
        cluster(&lab.join("clouds.yaml"), "lab", &conf, &lab.join("etc/nova-scheduler.conf.d"), restart);
    let url = format!("{}/control/scheduler/restart", simulator.url());
    let restart = json!({"program": "curl", "args": ["-sSfX", "POST", url]});
    let twin =
        Cluster { simulator: Some(simulator.url()), ..cluster(&clouds, "twin", &conf, &config_dir, restart) };
    let before = cloud.aggregate(ZONE).await.expect("the aggregate").metadata;
    let loads = occupy(cloud, "the lab").await;
    occupy(&Cloud::connect("twin", &twin).await.expect("the twin"), "the twin").await;

    let rng = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let placements = BTreeMap::new();
    let mut sides = Sides {
        real: &real,
        twin: &twin,
        simulator: &simulator,
        nova,
        rng,
        vectors: 0,
        requests: 0,
        refused: 0,
        placements,
    };
    for _ in 0..BOTH_WAYS.0 {
        let ratios = sides.numbers(&RATIOS, -1.0..1.0);
        for _ in 0..BOTH_WAYS.1 {
            let mut weights = sides.multipliers();
            weights.extend(ratios.clone());
            sides.compare("auto", &weights).await;
        }
    }
    apply(&real, "undo", "auto", &Map::new()).await;
    apply(&twin, "undo", "auto", &Map::new()).await;
    let wanted = std::env::var("AUTOOPT_PARITY_SNIPPET").ok();
    let snippet_alone = wanted.map_or(SNIPPET_ALONE, |text| text.parse().expect("a number of vectors"));
    for _ in 0..snippet_alone {
        let mut weights = sides.multipliers();
        weights.extend(sides.numbers(&RATIOS, -1.0..1.0));
        sides.compare("config-dir", &weights).await;
    }
    apply(&real, "undo", "config-dir", &Map::new()).await;
    println!(
        "{} weight vectors, {} requests, {} refused, {} different placements: all alike",
        sides.vectors,
        sides.requests,
        sides.refused,
        sides.placements.len()
    );
    assert!(sides.vectors >= 200 && sides.placements.len() > 20);
    for id in loads {
        cloud.delete_server(&id).await.expect("it can be deleted");
    }
    assert_eq!(cloud.aggregate(ZONE).await.expect("the aggregate").metadata, before);
}
