//! A worker as a process of its own, on a virtual host of its own.

#![allow(dead_code, reason = "each test uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use autoopt_epoch::bus::amqp::{self, AmqpSettings};
use autoopt_epoch::bus::topology::{Subscription, epoch_key};
use autoopt_epoch::bus::{Bus, Incoming, Outgoing};
use autoopt_epoch::command::process::start_time;
use autoopt_epoch::id::{EpochId, MessageId};
use autoopt_epoch::message::{Epoch, Report, ReportState, Stage, decode};
use serde_json::json;

/// More than anything here takes, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Rig {
    bus: Bus,
    reports: Box<dyn Incoming>,
    program: PathBuf,
    worker: Worker,
    _vhost: Vhost,
}

struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Vhost(String);

impl Drop for Vhost {
    fn drop(&mut self) {
        let _ = Command::new("rabbitmqctl").args(["-q", "delete_vhost", &self.0]).status();
    }
}

fn rabbitmqctl(arguments: &[&str]) {
    let output = Command::new("rabbitmqctl").arg("-q").args(arguments).output().expect("rabbitmqctl starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Rig {
    /// Starts `program` in `directory` with `commands`.
    pub(crate) async fn start(
        program: impl Into<PathBuf>,
        stage: Stage,
        directory: &Path,
        commands: &str,
    ) -> Self {
        let vhost = Vhost(format!("worker-{}", MessageId::fresh()));
        rabbitmqctl(&["add_vhost", &vhost.0]);
        rabbitmqctl(&["set_permissions", "-p", &vhost.0, "guest", ".*", ".*", ".*"]);
        let url = format!("amqp://guest:guest@127.0.0.1:5672/{}", vhost.0);
        let bus = amqp::connect(AmqpSettings::new(url.clone(), "rig")).await.unwrap();
        let reports = bus.subscribe(Subscription::coordinator(64)).await.unwrap();
        // the queue first, so that what is sent is not lost
        drop(bus.subscribe(Subscription::worker(stage, "g", &["c".into()], 1)).await.unwrap());
        let settings = format!(
            "[bus]\nurl = '{url}'\n[worker]\ngroup = 'g'\nclusters = ['c']\nstate_dir = '{}'\n{commands}",
            directory.join("state").display()
        );
        std::fs::write(directory.join("autoopt.toml"), settings).unwrap();
        let program = program.into();
        let worker = spawn(&program, directory);
        Self { bus, reports, program, worker, _vhost: vhost }
    }

    /// Nothing is told to the worker, and nothing of its own is ended with it.
    pub(crate) fn kill(&mut self) {
        self.worker.0.kill().unwrap();
        self.worker.0.wait().unwrap();
    }

    pub(crate) fn restart(&mut self, directory: &Path) {
        self.worker = spawn(&self.program, directory);
    }

    /// Sends `order` and waits for its end.
    pub(crate) async fn perform(&mut self, order: &Epoch) -> Report {
        self.send(order).await;
        self.end_of(order).await
    }

    pub(crate) async fn send(&self, order: &Epoch) {
        let message = Outgoing::new(epoch_key(&order.cluster, order.stage), MessageId::fresh(), order);
        self.bus.publish(message).await.unwrap().await.unwrap();
    }

    async fn any(&mut self) -> Report {
        let delivery = tokio::time::timeout(DEADLINE, self.reports.next()).await;
        let delivery = delivery.expect("no report came").unwrap();
        delivery.verdict.ack().await;
        decode(delivery.kind.as_deref(), &delivery.body).unwrap()
    }

    /// Waits for a heartbeat: the order was accepted, and its delivery acknowledged.
    pub(crate) async fn heartbeat(&mut self) {
        loop {
            match self.any().await.state {
                ReportState::Accepted => {}
                ReportState::Heartbeat { .. } => return,
                other => panic!("it ended: {other:?}"),
            }
        }
    }

    /// The final report about `order`. One that a killed worker could not note as sent may come twice.
    pub(crate) async fn end_of(&mut self, order: &Epoch) -> Report {
        loop {
            let report = self.any().await;
            let same = (report.epoch, report.attempt) == (order.epoch, order.attempt);
            if same && !matches!(report.state, ReportState::Accepted | ReportState::Heartbeat { .. }) {
                return report;
            }
        }
    }

    pub(crate) fn worker_id(&self) -> u32 {
        self.worker.0.id()
    }

    pub(crate) async fn close(mut self) {
        self.kill();
        self.bus.close().await;
    }
}

fn spawn(program: &Path, directory: &Path) -> Worker {
    let mut command = Command::new(program);
    Worker(command.arg("--config").arg(directory.join("autoopt.toml")).spawn().unwrap())
}

pub(crate) fn order(stage: Stage, action: &str, attempt: u32) -> Epoch {
    let id = "00000000-0000-5000-8000-000000000000";
    serde_json::from_value(json!({
        "experiment": "e", "experiment_id": id, "trial": id, "number": 1, "kind": "proposed",
        "epoch": EpochId::fresh(), "cluster": "c", "step": 2, "stage": stage, "action": action, "attempt": attempt,
        "issued": "2026-01-01T00:00:00Z", "lease": "3s", "timeout": "60s",
        "backend": {"backend": "command", "settings": {"name": "x"}}, "parameters": {"x": 1},
    }))
    .unwrap()
}

/// The process ids that programs wrote into `file`, once there are `count`.
pub(crate) async fn pids(file: &Path, count: usize) -> Vec<u32> {
    wait_until("the programs have started", || read(file).len() >= count).await;
    read(file)
}

fn read(file: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // a line that is being written is not whole
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect()
}

pub(crate) fn alive(pids: &[u32]) -> usize {
    pids.iter().filter(|pid| start_time(**pid).is_some()).count()
}

pub(crate) async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}
