//! The stages' backends over a simulated cloud.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use autoopt_epoch::command::Commands;
use autoopt_epoch::failure::Failure;
use autoopt_epoch::message::{Action, Done, Epoch, Stage};
use autoopt_epoch::worker::Context;
use autoopt_simulator::{Config, Simulator};
use serde_json::{Value, json};
use uuid::Uuid;

/// Prints how many servers the stage before told of.
const SEEN: &str = "printf '{\"seen\": %s}' $(grep -o '\"address\"' | wc -l)";

pub(crate) struct Rig {
    pub(crate) simulator: Arc<Simulator>,
    commands: Commands,
    files: tempfile::TempDir,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::changed(|_| ()).await
    }

    /// With another workers' configuration.
    pub(crate) async fn changed(change: impl FnOnce(&mut Value)) -> Self {
        Self::over(Config::default(), change).await
    }

    /// Over another cloud as well.
    pub(crate) async fn over(mut config: Config, change: impl FnOnce(&mut Value)) -> Self {
        let files = tempfile::tempdir().expect("a folder");
        let path = |name: &str| files.path().join(name);
        config.scheduler.config_dir = Some(files.path().to_owned());
        let simulator = Arc::new(Simulator::start(config).await.expect("a cloud"));
        std::fs::write(path("clouds.yaml"), simulator.clouds_yaml("sim")).expect("a file");
        std::fs::write(path("nova.conf"), "[metrics]\nrequired = false\n").expect("a file");
        std::fs::write(path("bench.sh"), "#!/bin/sh\n").expect("a file");
        // free a moment ago
        let listen =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("an address");
        let restart = format!("{}/control/scheduler/restart", simulator.url());
        let mut commands = json!({
            "collect": {"command": {"more": {"run": {"program": "sh", "args": ["-c", SEEN]}}}},
            "openstack": {"files": files.path(), "http": {"listen": listen, "url": format!("http://{listen}")}, "cluster": {"lab": {
                "cloud": "sim", "clouds_file": path("clouds.yaml"), "simulator": simulator.url(), "aggregate": "machineLearning",
                "scheduler": [{"snippet": path("90.conf"), "config": [path("nova.conf")],
                    "restart": {"program": "curl", "args": ["-sSfX", "POST", restart]}}],
            }}},
        });
        change(&mut commands);
        let text = toml::to_string(&commands).expect("TOML");
        std::fs::write(path("commands.toml"), text).expect("a file");
        let commands = Commands::load(&path("commands.toml")).expect("commands");
        Self { simulator, commands, files }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    pub(crate) async fn perform(&self, order: &Epoch) -> Result<Done, Failure> {
        let backends = match order.stage {
            Stage::Apply => autoopt_worker_apply::backends(&self.commands),
            Stage::Bench => autoopt_worker_bench::backends(&self.commands),
            _ => autoopt_worker_collect::backends(&self.commands),
        };
        let backend = &backends[&order.backend.backend];
        backend.check(order)?;
        backend.perform(order, &Context::alone(self.files.path())).await
    }

    /// An epoch from apply to collect; `between` happens while its benchmark is over and not yet collected.
    pub(crate) async fn epoch(&self, number: u128, between: impl FnOnce(&Self)) -> Result<Done, Failure> {
        let mut apply = order(number, Stage::Apply, "openstack", json!({}));
        apply.parameters =
            serde_json::from_value(json!({"ram_weight_multiplier": -1.0, "metrics.cpu.percent": 0.5}))
                .expect("parameters");
        let applied = self.perform(&apply).await?;
        let servers = json!({
            "flavor": "app", "image": "debian-12", "network": "external", "zone": "machineLearning",
            "servers": [{"name": "cpu", "user_data": ["bench.sh"], "variables": {"AUTOOPT_BENCHMARK": "cpu"}}],
        });
        let benched = self.perform(&order(number, Stage::Bench, "servers", servers)).await?;
        between(self);
        let mut collect = collecting(number);
        collect.outputs = BTreeMap::from([(Stage::Apply, applied.outputs), (Stage::Bench, benched.outputs)]);
        let collected = self.perform(&collect).await;
        if collected.is_err() {
            let mut undo = order(number, Stage::Bench, "servers", json!({}));
            undo.action = Action::Undo;
            undo.outputs = collect.outputs;
            self.perform(&undo).await?;
        }
        collected
    }
}

pub(crate) fn order(number: u128, stage: Stage, backend: &str, settings: Value) -> Epoch {
    let id = Uuid::from_u128(number);
    serde_json::from_value(json!({
        "experiment": "e", "experiment_id": Uuid::from_u128(1), "trial": id, "number": 1, "kind": "proposed", "epoch": id,
        "cluster": "lab", "step": 0, "stage": stage, "action": "run", "attempt": 1, "issued": "2026-01-01T00:00:00Z",
        "lease": "30s", "timeout": "300s", "parameters": {}, "backend": {"backend": backend, "settings": settings},
    }))
    .expect("an order")
}

/// An order to collect what the server `cpu` printed.
pub(crate) fn collecting(number: u128) -> Epoch {
    let mut collect = order(number, Stage::Collect, "console", json!({"name": "more"}));
    collect.measure = serde_json::from_value(json!({
        "metrics": [
            {"name": "rate", "from": "cpu", "parser": "sysbench", "field": "events_per_second"},
            {"name": "more", "from": "collect", "parser": "json", "field": "/seen"},
        ],
        "objective": {"maximize": "rate"},
    }))
    .ok();
    collect
}
