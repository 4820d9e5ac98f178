//! The bench stage on an OpenStack cloud: creates the application's servers and waits until each has printed its result.

use std::collections::BTreeMap;
use std::path::PathBuf;

use autoopt_cloud::workload::{Deployed, Inventory, Owner, Workload, deploy, leftovers, remove};
use autoopt_cloud::{Cloud, Clouds, console};
use autoopt_epoch::command::OpenStack;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Action, Done, Epoch};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::{Backend, Context};
use regex::Regex;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

/// The backend `servers`.
#[derive(Debug)]
pub struct Servers {
    clouds: Clouds,
}

impl Servers {
    /// Over the clusters of `[openstack]`.
    pub fn new(config: OpenStack) -> Self {
        Self { clouds: Clouds::new(config) }
    }

    async fn run(&self, order: &Epoch, context: &Context) -> Result<Map<String, Value>, Failure> {
        let workload = Workload::of(order)?;
        let marker = marker(&workload)?;
        let owner = Owner::of(order);
        let cloud = self.clouds.get(&order.cluster).await?;
        let left = leftovers(&cloud, &owner).await?;
        if !left.is_empty() {
            let reason = format!(
                "servers of an earlier epoch are still on `{}`: {}. Delete them (`openstack server delete …`), then resume it",
                order.cluster,
                left.join(", ")
            );
            return Err(Failure::new(FailureKind::Broken, reason));
        }
        let mut before = Inventory::take(&cloud).await?;
        let files = self.clouds.config().files.clone().unwrap_or_else(|| PathBuf::from("."));
        let deployed = deploy(&cloud, &workload, &owner, &files, context).await?;
        // an earlier attempt's servers are no part of what was there before
        for server in &deployed {
            before.servers.remove(&server.server.id);
        }
        before.ports = own_ports_removed(&cloud, before.ports, &deployed).await?;
        let ended = tokio::select! {
            result = results(&cloud, &workload, &marker, &deployed, context) => result?,
            () = context.cancelled.cancelled() => {
                return Err(Failure::new(FailureKind::Abandoned, "cancelled while the benchmark ran"));
            }
        };
        let servers = deployed.iter().map(|server| {
            let mut facts = server.facts();
            facts["ended"] = json!(ended.get(&server.name));
            facts
        });
        let placement: Map<String, Value> =
            deployed.iter().map(|server| (server.name.clone(), json!(server.server.host))).collect();
        let mut outputs = Map::new();
        outputs.insert("servers".into(), servers.collect());
        outputs.insert("placement".into(), placement.into());
        outputs.insert("before".into(), json!(before));
        outputs.insert("marker".into(), json!(workload.marker));
        Ok(outputs)
    }
}

async fn own_ports_removed(
    cloud: &Cloud,
    mut ports: std::collections::BTreeSet<String>,
    deployed: &[Deployed],
) -> Result<std::collections::BTreeSet<String>, Failure> {
    for server in deployed.iter().filter(|server| server.reused) {
        for port in cloud.ports_of(&server.server.id).await? {
            ports.remove(&port.id);
        }
    }
    Ok(ports)
}

fn marker(workload: &Workload) -> Result<Regex, Failure> {
    let pattern = workload.marker.as_deref().unwrap_or(console::MARKER);
    let broken =
        |reason: String| Failure::new(FailureKind::Broken, format!("[bench] settings.marker: {reason}"));
    let marker = Regex::new(pattern).map_err(|error| broken(error.to_string()))?;
    match marker.captures_len() {
        2 => Ok(marker),
        _ => Err(broken(format!("`{pattern}` needs one group, which is the log's name"))),
    }
}

/// Waits until every server has printed a result. Returns when each had, by the worker's clock.
///
/// A frame has an end. A log after a marker, and a frame that came out damaged, have ended once nothing more is printed
/// between two looks.
async fn results(
    cloud: &Cloud,
    workload: &Workload,
    marker: &Regex,
    deployed: &[Deployed],
    context: &Context,
) -> Result<BTreeMap<String, Timestamp>, Failure> {
    let mut ended = BTreeMap::new();
    let mut last: BTreeMap<&str, String> = BTreeMap::new();
    let expected = deployed.iter().filter(|server| server.result).count();
    loop {
        for server in deployed.iter().filter(|server| server.result) {
            let (name, id) = (server.name.as_str(), server.server.id.as_str());
            if ended.contains_key(name) {
                continue;
            }
            let text = cloud.console(id).await?;
            let printed = console::read(&text, marker);
            let whole = printed.framed && !printed.results.is_empty() && printed.damaged.is_empty();
            let something = !printed.results.is_empty() || !printed.damaged.is_empty();
            if whole || (something && last.get(name) == Some(&text)) {
                ended.insert(name.to_owned(), Timestamp::now());
                continue;
            }
            last.insert(name, text);
            still_there(cloud, name, id).await?;
        }
        context.note.send_replace(format!("{} of {expected} results", ended.len()));
        if ended.len() == expected {
            return Ok(ended);
        }
        sleep(workload.poll.0).await;
    }
}

async fn still_there(cloud: &Cloud, name: &str, id: &str) -> Result<(), Failure> {
    let server = cloud.server(id).await?;
    if server.status == "ACTIVE" {
        return Ok(());
    }
    let said = server.fault.map(|fault| format!(": {}", fault.message)).unwrap_or_default();
    let reason =
        format!("server `{name}` ({id}) became {} before it had printed a result{said}", server.status);
    Err(Failure::new(FailureKind::Transient, reason))
}

#[async_trait::async_trait]
impl Backend for Servers {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        self.clouds.cluster(&order.cluster)?;
        match order.action {
            Action::Run => Workload::of(order).and_then(|workload| marker(&workload)).map(drop),
            // what was created is found by its name
            Action::Undo => Ok(()),
            Action::Capture => {
                Err(Failure::new(FailureKind::Abandoned, "the bench stage has nothing to capture"))
            }
        }
    }

    async fn perform(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        let started = Timestamp::now();
        let outputs = match order.action {
            Action::Run => self.run(order, context).await?,
            _ => {
                context.note.send_replace("deleting the servers".into());
                remove(&self.clouds.get(&order.cluster).await?, &Owner::of(order)).await?;
                Map::new()
            }
        };
        Ok(Done { started, outputs, ..Done::default() })
    }
}
