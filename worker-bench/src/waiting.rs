//! From servers that are there to what they printed; the same for servers of our own and those of a stack.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use autoopt_cloud::workload::{Deployed, Inventory, Owner, leftovers};
use autoopt_cloud::{Cloud, Server, console};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::Artifact;
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::Context;
use regex::Regex;
use serde_json::{Map, Value, json};

use crate::inbox::Inbox;

/// How results are waited for.
pub(crate) struct Waiting<'a> {
    /// Between two looks, at most.
    pub(crate) poll: Duration,
    pub(crate) marker: Regex,
    /// Where servers post, if they do not print.
    pub(crate) inbox: Option<&'a Arc<Inbox>>,
}

/// Refuses to begin beside servers of an earlier epoch.
pub(crate) async fn nothing_left(cloud: &Cloud, owner: &Owner, cluster: &str) -> Result<(), Failure> {
    let left = leftovers(cloud, owner).await?;
    if left.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "servers of an earlier epoch are still on `{cluster}`: {}. Delete them (`openstack server delete …`), then resume it",
        left.join(", ")
    );
    Err(Failure::new(FailureKind::Broken, reason))
}

/// The marker of the settings, or the usual one.
pub(crate) fn marker(given: Option<&str>) -> Result<Regex, Failure> {
    let pattern = given.unwrap_or(console::MARKER);
    let broken =
        |reason: String| Failure::new(FailureKind::Broken, format!("[bench] settings.marker: {reason}"));
    let marker = Regex::new(pattern).map_err(|error| broken(error.to_string()))?;
    match marker.captures_len() {
        2 => Ok(marker),
        _ => Err(broken(format!("`{pattern}` needs one group, which is the log's name"))),
    }
}

impl Waiting<'_> {
    /// What a server has printed or posted so far.
    async fn text(&self, cloud: &Cloud, server: &Server) -> Result<String, Failure> {
        match self.inbox {
            Some(inbox) => Ok(inbox.posted(&server.name)),
            None => Ok(cloud.console(&server.id).await?),
        }
    }

    /// What was posted, for the collect stage; what is printed, it reads itself.
    pub(crate) fn posted(&self, deployed: &[Deployed]) -> Vec<Artifact> {
        let Some(inbox) = self.inbox else { return Vec::new() };
        let results = deployed.iter().filter(|server| server.result);
        results
            .map(|server| {
                let text = inbox.posted(&server.server.name);
                Artifact::new(format!("{}.console", server.name), text.as_bytes(), false)
            })
            .collect()
    }

    /// Waits for all results. The outputs are what collect needs, and where each server landed.
    pub(crate) async fn outputs(
        &self,
        cloud: &Cloud,
        mut before: Inventory,
        deployed: &[Deployed],
        marker: Option<&str>,
        context: &Context,
    ) -> Result<Map<String, Value>, Failure> {
        // an earlier attempt's servers are no part of what was there before
        for server in deployed.iter().filter(|server| server.reused) {
            before.servers.remove(&server.server.id);
            before.ports = without_ports_of(cloud, before.ports, &server.server.id).await?;
        }
        let ended = tokio::select! {
            result = self.results(cloud, deployed, context) => result?,
            () = context.cancelled.cancelled() => {
                return Err(Failure::new(FailureKind::Abandoned, "cancelled while the benchmark ran"));
            }
        };
        let servers = deployed.iter().map(|server| {
            let mut facts = server.facts();
            facts["ended"] = json!(ended.get(&server.server.id));
            facts
        });
        let placement: Map<String, Value> =
            deployed.iter().map(|server| (server.name.clone(), json!(server.server.host))).collect();
        let mut outputs = Map::new();
        outputs.insert("servers".into(), servers.collect());
        outputs.insert("placement".into(), placement.into());
        outputs.insert("before".into(), json!(before));
        outputs.insert("marker".into(), json!(marker));
        Ok(outputs)
    }

    /// Waits until every server has printed a result. Returns when each had, by its id and the worker's clock.
    ///
    /// A frame has an end. A log after a marker, and a frame that came out damaged, have ended once nothing more is printed
    /// between two looks.
    async fn results(
        &self,
        cloud: &Cloud,
        deployed: &[Deployed],
        context: &Context,
    ) -> Result<BTreeMap<String, Timestamp>, Failure> {
        let mut ended = BTreeMap::new();
        let pace = cloud.pace(self.poll / 4, self.poll);
        let mut last: BTreeMap<&str, String> = BTreeMap::new();
        let expected = deployed.iter().filter(|server| server.result).count();
        loop {
            // what may be still printing is given the whole time between two looks
            let mut unsure = false;
            let outstanding: Vec<&Deployed> = deployed
                .iter()
                .filter(|server| server.result && !ended.contains_key(&server.server.id))
                .collect();
            let texts = cloud
                .together(outstanding.iter().map(|server| self.text(cloud, &server.server)).collect())
                .await?;
            let mut silent = Vec::new();
            for (server, text) in outstanding.into_iter().zip(texts) {
                let id = server.server.id.as_str();
                let printed = console::read(&text, &self.marker);
                let whole = printed.framed && !printed.results.is_empty() && printed.damaged.is_empty();
                let something = !printed.results.is_empty() || !printed.damaged.is_empty();
                if whole || (something && last.get(id) == Some(&text)) {
                    ended.insert(id.to_owned(), Timestamp::now());
                    continue;
                }
                unsure |= something;
                last.insert(id, text);
                silent.push(still_there(cloud, &server.name, id));
            }
            cloud.together(silent).await?;
            context.note.send_replace(format!("{} of {expected} results", ended.len()));
            if ended.len() == expected {
                return Ok(ended);
            }
            match unsure {
                true => cloud.wait(self.poll).await,
                false => cloud.look_again(&pace).await,
            }
        }
    }
}

async fn without_ports_of(
    cloud: &Cloud,
    mut ports: BTreeSet<String>,
    id: &str,
) -> Result<BTreeSet<String>, Failure> {
    for port in cloud.ports_of(id).await? {
        ports.remove(&port.id);
    }
    Ok(ports)
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
