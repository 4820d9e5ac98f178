//! The collect stage on an OpenStack cloud: reads each server's result from its console, then deletes the application and
//! looks for what it left behind.

use std::path::Path;

use autoopt_cloud::workload::{Inventory, Owner, Way};
use autoopt_cloud::{Cloud, Clouds, console};
use autoopt_epoch::command::OpenStack;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::measure::measure;
use autoopt_epoch::message::{Action, Artifact, Done, Epoch, Stage};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::{Backend, Context};
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Command, drift, readings};

/// The backend `console`. An experiment may name a program of `[collect.command]`, which fetches more from the servers while
/// they are there.
#[derive(Debug)]
pub struct Console {
    clouds: Clouds,
    programs: Command,
}

/// What the bench stage said of a server.
#[derive(Debug, Deserialize)]
struct Benched {
    name: String,
    id: String,
    result: bool,
}

/// What was read before the servers were deleted, in case this worker dies in between.
#[derive(Serialize, Deserialize)]
struct Kept {
    epoch: String,
    artifacts: Vec<Artifact>,
}

impl Console {
    /// Over the clusters of `[openstack]` and the programs of `[collect.command]`.
    pub fn new(config: OpenStack, programs: Command) -> Self {
        Self { clouds: Clouds::new(config), programs }
    }

    async fn run(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        let asked = asked(order)?;
        let bench: &Map<String, Value> =
            order.outputs.get(&Stage::Bench).ok_or_else(|| from_bench("outputs"))?;
        let cloud = self.clouds.get(&order.cluster).await?;
        let keep = context.state_dir.join(format!("collect-{}.json", order.cluster));
        let artifacts = match kept(&keep, order) {
            Some(artifacts) => artifacts,
            None => {
                context.note.send_replace("reading consoles".into());
                let mut artifacts = read(&cloud, order, bench).await?;
                artifacts.extend(self.programs.collect(order, context).await?);
                let cluster = self.clouds.cluster(&order.cluster)?;
                drift::none(&cloud, cluster, order).await.map_err(|failure| with(failure, &artifacts))?;
                let text = serde_json::to_vec(&Kept {
                    epoch: order.epoch.to_string(),
                    artifacts: artifacts.clone(),
                });
                let text = text.map_err(|error| broken(error.to_string()))?;
                std::fs::write(&keep, text)
                    .map_err(|error| broken(format!("{}: {error}", keep.display())))?;
                artifacts
            }
        };
        let measurement = readings::raw_values(asked, &artifacts).and_then(|values| measure(asked, &values));
        let measurement = measurement.map_err(|failure| with(failure, &artifacts))?;
        context.note.send_replace("deleting the servers".into());
        let owner = Owner::of(order);
        let way = if bench.contains_key("stack") { Way::Heat } else { Way::Servers };
        let deleted = way.remove(&cloud, &owner).await?;
        let before: Inventory = serde_json::from_value(bench.get("before").cloned().unwrap_or_default())
            .map_err(|_| from_bench("outputs.before"))?;
        // this worker may have deleted them and died
        let known = benched(bench)?.into_iter().map(|server| server.id);
        let leaks = before.leaks(&cloud, &owner, deleted.into_iter().chain(known)).await?;
        Ok(Done { measurement: Some(measurement), artifacts, leaks, ..Done::default() })
    }
}

/// Every server's console, and its results: `NAME` for the server NAME, or `NAME.RESULT` where it printed several.
async fn read(cloud: &Cloud, order: &Epoch, bench: &Map<String, Value>) -> Result<Vec<Artifact>, Failure> {
    let servers = benched(bench)?;
    let pattern = bench.get("marker").and_then(Value::as_str).unwrap_or(console::MARKER);
    let marker = Regex::new(pattern).map_err(|error| broken(error.to_string()))?;
    let mut artifacts = Vec::new();
    let mut missing = Vec::new();
    let servers: Vec<Benched> = servers.into_iter().filter(|server| server.result).collect();
    let text = async |server: &Benched| {
        let name = console_of(server);
        // what was posted, the bench stage has taken
        match order.artifacts.iter().any(|artifact| artifact.name == name) {
            true => Ok((readings::text(&name, &order.artifacts).map_err(broken)?, true)),
            false => Ok::<_, Failure>((cloud.console(&server.id).await?, false)),
        }
    };
    let texts = cloud.together(servers.iter().map(text).collect()).await?;
    for (server, (text, posted)) in servers.iter().zip(texts) {
        if !posted {
            artifacts.push(Artifact::new(console_of(server), text.as_bytes(), false));
        }
        let printed = console::read(&text, &marker);
        missing.extend(
            printed
                .damaged
                .iter()
                .map(|(name, why)| format!("result `{name}` of server `{}`: {why}", server.name)),
        );
        if printed.results.is_empty() && printed.damaged.is_empty() {
            missing.push(format!(
                "server `{}` printed no result ({} bytes on its console)",
                server.name,
                text.len()
            ));
        }
        let several = printed.results.len() > 1;
        for (name, content) in printed.results {
            let name = if several { format!("{}.{name}", server.name) } else { server.name.clone() };
            artifacts.push(Artifact::new(name, content.as_bytes(), false));
        }
    }
    match missing.is_empty() {
        true => Ok(artifacts),
        false => Err(with(Failure::new(FailureKind::Invalid, missing.join("; ")), &artifacts)),
    }
}

fn console_of(server: &Benched) -> String {
    format!("{}.console", server.name)
}

fn benched(bench: &Map<String, Value>) -> Result<Vec<Benched>, Failure> {
    serde_json::from_value(bench.get("servers").cloned().unwrap_or_default())
        .map_err(|_| from_bench("outputs.servers"))
}

fn kept(path: &Path, order: &Epoch) -> Option<Vec<Artifact>> {
    let kept: Kept = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    (kept.epoch == order.epoch.to_string()).then_some(kept.artifacts)
}

fn with(failure: Failure, artifacts: &[Artifact]) -> Failure {
    artifacts.iter().cloned().fold(failure, Failure::with_artifact)
}

fn asked(order: &Epoch) -> Result<&autoopt_epoch::message::Measure, Failure> {
    order.measure.as_ref().ok_or_else(|| {
        Failure::new(FailureKind::Invalid, "the order does not say what to measure (`measure` is missing)")
    })
}

fn from_bench(what: &str) -> Failure {
    broken(format!(
        "the bench stage gave no `{what}`; the backend `console` goes with the bench backends `servers` and `heat`"
    ))
}

fn broken(reason: String) -> Failure {
    Failure::new(FailureKind::Broken, reason)
}

#[async_trait::async_trait]
impl Backend for Console {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        self.clouds.cluster(&order.cluster)?;
        self.programs.check(order)
    }

    async fn perform(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        let started = Timestamp::now();
        match order.action {
            Action::Run => tokio::select! {
                done = self.run(order, context) => done.map(|done| Done { started, ..done }),
                () = context.cancelled.cancelled() => {
                    Err(Failure::new(FailureKind::Abandoned, "cancelled while results were collected"))
                }
            },
            // what bench left is bench's to remove
            Action::Undo => Ok(Done { started, ..Done::default() }),
            Action::Capture => {
                Err(Failure::new(FailureKind::Abandoned, "the collect stage has nothing to capture"))
            }
        }
    }
}
