//! Creates a workload's servers, one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::worker::Context;
use serde_json::json;
use uuid::Uuid;

use super::leaks::forgotten;
use super::remove::delete;
use super::spec::{Owner, ServerSpec, Workload};
use super::user_data;
use crate::wait::FIRST;
use crate::{Cloud, FlavorSize, NewServer, Server};

/// Between two looks at a server that is being built, at most.
const POLL: Duration = Duration::from_millis(500);
/// In a server's metadata: what it was made from, as a hash.
const SPEC: &str = "autoopt_spec";
/// What servers name.
const FLAVOR: &str = "flavor";
const IMAGE: &str = "image";
const NETWORK: &str = "network";

/// A server of the workload that is there.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// Its name within the workload.
    pub name: String,
    pub server: Server,
    /// Whether it was there before.
    pub reused: bool,
    /// Whether it prints a result to wait for.
    pub result: bool,
}

impl Deployed {
    /// For the outputs of a stage.
    pub fn facts(&self) -> serde_json::Value {
        json!({
            "name": self.name, "id": self.server.id, "host": self.server.host, "created": self.server.created,
            "launched": self.server.launched, "address": self.server.address(), "result": self.result,
        })
    }
}

/// Has the servers of `workload` there and active, in its order; those that are there and match are taken as they are.
///
/// A server that no host can take is `infeasible`; one that fails otherwise or is never built is `transient`; a name that the
/// cloud does not know, or a quota, is `broken`. Each is told with nova's own reason.
pub(super) async fn deploy(
    cloud: &Cloud,
    workload: &Workload,
    owner: &Owner,
    files: &Path,
    context: &Context,
) -> Result<Vec<Deployed>, Failure> {
    let found = async { Ok(cloud.servers(&owner.prefix).await?) };
    let (ids, found) = cloud.both(Ids::of(cloud, workload), found).await?;
    let mut news = Vec::new();
    // all names and files first: nothing is created for a workload that cannot be complete
    for (name, spec) in workload.each() {
        news.push(ids.server(workload, owner, files, &name, spec)?);
    }
    let groups = groups(cloud, workload, owner).await?;
    let mut found: BTreeMap<String, Server> =
        found.into_iter().map(|server| (server.name.clone(), server)).collect();
    let mut addresses = BTreeMap::new();
    let mut deployed = Vec::new();
    for ((name, spec), mut new) in workload.each().zip(news) {
        context.note.send_replace(format!("server {name}"));
        new.group = spec.group.as_ref().and_then(|group| groups.get(group).cloned());
        let old = found.remove(&new.name);
        let good = |old: &Server| {
            old.metadata.get(SPEC) == new.metadata.get(SPEC)
                && matches!(old.status.as_str(), "ACTIVE" | "BUILD")
        };
        let (server, reused) = match old {
            Some(old) if good(&old) => (built(cloud, workload, &name, old).await?, true),
            other => {
                if let Some(bad) = other {
                    delete_with_traces(cloud, &[bad.id]).await?;
                }
                if let Some(text) = &new.user_data {
                    let broken =
                        |reason| Failure::new(FailureKind::Broken, format!("server `{name}`: {reason}"));
                    new.user_data = Some(user_data::with_addresses(text, &addresses).map_err(broken)?);
                }
                let id = cloud.create_server(&new).await?;
                (built(cloud, workload, &name, cloud.server(&id).await?).await?, false)
            }
        };
        if let Some(address) = server.address() {
            addresses.insert(name.clone(), address.to_owned());
        }
        deployed.push(Deployed { name, server, reused, result: spec.result });
        if !reused {
            cloud.wait(workload.pause.0).await;
        }
    }
    // what an earlier form of the workload had and this one has not
    let strangers: Vec<String> = found.into_values().map(|server| server.id).collect();
    delete_with_traces(cloud, &strangers).await?;
    Ok(deployed)
}

/// Deletes servers with what nova may forget of them: once their workload is removed, nobody knows that they were its own.
async fn delete_with_traces(cloud: &Cloud, ids: &[String]) -> Result<(), Failure> {
    delete(cloud, ids).await?;
    forgotten(cloud, ids).await
}

/// Finds all that the workload names. The flavor of each of its servers.
pub(super) async fn look_up(
    cloud: &Cloud,
    workload: &Workload,
    owner: &Owner,
    files: &Path,
) -> Result<Vec<FlavorSize>, Failure> {
    let ids = Ids::of(cloud, workload).await?;
    let mut sizes = BTreeMap::new();
    let mut flavors = Vec::new();
    for (name, spec) in workload.each() {
        let new = ids.server(workload, owner, files, &name, spec)?;
        if !sizes.contains_key(&new.flavor) {
            sizes.insert(new.flavor.clone(), cloud.flavor_size(&new.flavor).await?);
        }
        flavors.extend(sizes.get(&new.flavor).cloned());
    }
    Ok(flavors)
}

/// Waits until a server is active, or tells why it is not.
async fn built(
    cloud: &Cloud,
    workload: &Workload,
    name: &str,
    mut server: Server,
) -> Result<Server, Failure> {
    let deadline = cloud.now() + workload.build_timeout.0;
    let pace = cloud.pace(FIRST, POLL);
    loop {
        let id = &server.id;
        match server.status.as_str() {
            "ACTIVE" => return Ok(server),
            "ERROR" => {
                let said =
                    server.fault.as_ref().map_or("nova gives no reason", |fault| fault.message.as_str());
                let kind =
                    if server.has_no_valid_host() { FailureKind::Infeasible } else { FailureKind::Transient };
                return Err(Failure::new(kind, format!("server `{name}` ({id}) could not be built: {said}")));
            }
            "BUILD" if cloud.now() < deadline => {
                cloud.look_again(&pace).await;
                server = cloud.server(id).await?;
            }
            status => {
                let task = server.task.as_deref().unwrap_or("nothing");
                let reason = format!(
                    "server `{name}` ({id}) is still {status} (doing {task}) after {}; see nova-compute's log{}",
                    workload.build_timeout,
                    server.host.map(|host| format!(" on {host}")).unwrap_or_default()
                );
                return Err(Failure::new(FailureKind::Transient, reason));
            }
        }
    }
}

async fn groups(
    cloud: &Cloud,
    workload: &Workload,
    owner: &Owner,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut ids = BTreeMap::new();
    if workload.groups.is_empty() {
        return Ok(ids);
    }
    let found = cloud.server_groups(&owner.prefix).await?;
    for (name, policy) in &workload.groups {
        let full = format!("{}{name}", owner.prefix);
        let id = match found.iter().find(|group| group.name == full) {
            Some(group) => group.id.clone(),
            None => cloud.create_server_group(&full, policy).await?,
        };
        ids.insert(name.clone(), id);
    }
    Ok(ids)
}

/// Ids of what is given by name.
struct Ids<'a> {
    cloud: &'a Cloud,
    ids: BTreeMap<(&'static str, String), String>,
}

impl<'a> Ids<'a> {
    /// Of all that the workload names, each asked for once.
    async fn of(cloud: &'a Cloud, workload: &Workload) -> Result<Self, Failure> {
        let mut names = BTreeSet::new();
        for (_, spec) in workload.each() {
            names.extend(workload.flavor(spec).map(|name| (FLAVOR, name.to_owned())));
            names.extend(workload.image(spec).map(|name| (IMAGE, name.to_owned())));
            names.extend(workload.network(spec).map(|name| (NETWORK, name.to_owned())));
        }
        let id = async |(kind, name): (&'static str, String)| {
            let id = match kind {
                FLAVOR => cloud.flavor(&name).await?,
                IMAGE => cloud.image(&name).await?,
                _ => cloud.network(&name).await?,
            };
            Ok(((kind, name), id))
        };
        let ids: Result<_, crate::Error> = cloud.together(names.into_iter().map(id).collect()).await;
        Ok(Self { cloud, ids: ids?.into_iter().collect() })
    }

    fn server(
        &self,
        workload: &Workload,
        owner: &Owner,
        files: &Path,
        name: &str,
        spec: &ServerSpec,
    ) -> Result<NewServer, Failure> {
        let broken = |reason| Failure::new(FailureKind::Broken, format!("server `{name}`: {reason}"));
        let id = |kind, name: &str| self.ids.get(&(kind, name.to_owned())).cloned();
        let mut new = NewServer {
            name: format!("{}{name}", owner.prefix),
            flavor: workload.flavor(spec).and_then(|name| id(FLAVOR, name)).unwrap_or_default(),
            image: workload.image(spec).and_then(|name| id(IMAGE, name)).unwrap_or_default(),
            networks: workload.network(spec).and_then(|name| id(NETWORK, name)).into_iter().collect(),
            zone: spec.zone.as_ref().or(workload.zone.as_ref()).or_else(|| self.cloud.zone()).cloned(),
            key: workload.key.clone(),
            user_data: user_data::assemble(files, spec).map_err(broken)?,
            metadata: owner.metadata.clone(),
            ..NewServer::default()
        };
        let text = format!(
            "{new:?} {:?} {:?}",
            spec.group,
            spec.group.as_ref().and_then(|g| workload.groups.get(g))
        );
        new.metadata.insert(SPEC.into(), Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).to_string());
        Ok(new)
    }
}
