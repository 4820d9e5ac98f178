//! The lab, for one test at a time: what its project has is compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use autoopt_cloud::Cloud;
use autoopt_epoch::command::{Cluster, Commands, OpenStack};
use autoopt_epoch::failure::Failure;
use autoopt_epoch::message::{Done, Epoch, Stage};
use autoopt_epoch::worker::Context;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

/// The lab's availability zone, and the aggregate of all its hosts.
pub(crate) const ZONE: &str = "machineLearning";
pub(crate) const IMAGE: &str = "bionic-server-cloudimg-amd64-cloud-pipeline";
pub(crate) const FLAVOR: &str = "U04-RAM04-DISK-36";

/// Within one process; .config/nextest.toml has the tests of several processes wait for each other.
static ONE: Mutex<()> = Mutex::const_new(());

pub(crate) struct Lab {
    /// Its own.
    pub(crate) directory: PathBuf,
    pub(crate) cloud: Cloud,
    /// `openstack.files` of the workers; their state is beside it.
    files: tempfile::TempDir,
    state: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// Nothing, and a word about it, where it is not up.
#[expect(clippy::print_stdout, reason = "a skipped test has to say so")]
pub(crate) async fn lab() -> Option<Lab> {
    let directory = std::env::var_os("OPENSTACK_LAB_DIR").unwrap_or_else(|| "/var/lib/openstack-lab".into());
    let directory = PathBuf::from(directory);
    if std::net::TcpStream::connect("127.0.0.1:5000").is_err() || !directory.join("clouds.yaml").exists() {
        println!("SKIPPED: the lab is not up (deploy/lab/openstack-lab up)");
        return None;
    }
    let alone = ONE.lock().await;
    let cloud = Cloud::connect("lab", &cluster(&directory)).await.expect("the lab takes its own clouds.yaml");
    let folder = || tempfile::tempdir().expect("a directory");
    Some(Lab { directory, cloud, files: folder(), state: folder(), _alone: alone })
}

/// The lab, with nothing to apply to.
fn cluster(directory: &Path) -> Cluster {
    Cluster {
        cloud: Some("lab".into()),
        clouds_file: Some(directory.join("clouds.yaml")),
        ..Cluster::default()
    }
}

impl Lab {
    pub(crate) fn cluster(&self) -> Cluster {
        cluster(&self.directory)
    }

    /// `openstack-lab`.
    pub(crate) fn script() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/lab/openstack-lab")
    }

    /// Puts a file, which may be in a folder, where experiments name it.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.files.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// What the worker of the order's stage does.
    pub(crate) async fn perform(&self, order: &Epoch) -> Result<Done, Failure> {
        self.perform_on(&self.cluster(), order).await
    }

    /// The same, the cluster being described like this.
    pub(crate) async fn perform_on(&self, cluster: &Cluster, order: &Epoch) -> Result<Done, Failure> {
        let openstack = OpenStack {
            files: Some(self.files.path().to_owned()),
            cluster: BTreeMap::from([(order.cluster.clone(), cluster.clone())]),
            ..OpenStack::default()
        };
        let commands = Commands { openstack, ..Commands::default() };
        let backends = match order.stage {
            Stage::Apply => autoopt_worker_apply::backends(&commands),
            Stage::Load => autoopt_worker_load::backends(&commands),
            Stage::Bench => autoopt_worker_bench::backends(&commands),
            Stage::Collect => autoopt_worker_collect::backends(&commands),
        };
        let backend = &backends[&order.backend.backend];
        backend.check(order)?;
        backend.perform(order, &Context::alone(self.state.path())).await
    }
}

/// A step of an epoch of its own.
pub(crate) fn order(stage: Stage, action: &str, backend: &str, settings: Value) -> Epoch {
    let id = Uuid::new_v5(&Uuid::nil(), format!("{}/{backend}", std::process::id()).as_bytes());
    serde_json::from_value(json!({
        "experiment": "lab-test", "experiment_id": id, "trial": id, "number": 1, "kind": "proposed", "epoch": id,
        "cluster": "lab", "step": 2, "stage": stage, "action": action, "attempt": 1, "issued": "2026-01-01T00:00:00Z",
        "lease": "30s", "timeout": "300s", "backend": {"backend": backend, "settings": settings},
    }))
    .expect("an order")
}

/// The collect order that follows `bench`, which ended with `done`.
pub(crate) fn collecting(bench: &Epoch, done: &Done) -> Epoch {
    let mut order = order(Stage::Collect, "run", "console", json!({}));
    order.epoch = bench.epoch;
    order.outputs = BTreeMap::from([(Stage::Bench, done.outputs.clone())]);
    order.measure = serde_json::from_value(json!({
        "metrics": [{"name": "rate", "from": "cpu", "parser": "sysbench", "field": "events_per_second"}],
        "objective": {"maximize": "rate"},
    }))
    .expect("a measure");
    order
}
