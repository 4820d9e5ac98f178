//! A workload that is a Heat stack of the user's own template.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::Epoch;
use autoopt_epoch::time::Period;
use autoopt_epoch::worker::Context;
use serde::Deserialize;
use uuid::Uuid;

use super::deploy::Deployed;
use super::spec::Owner;
use crate::template::{Gathered, gather};
use crate::wait::FIRST;
use crate::{Cloud, NewStack, Stack, StackEvent};

/// Between two looks at a stack, at most.
const POLL: Duration = Duration::from_secs(1);
/// A stack that is still there after this long is not being deleted.
const GONE_WITHIN: Duration = Duration::from_secs(600);

/// The settings of the `heat` backends of load and bench.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeatWorkload {
    /// A file of the worker's `openstack.files`.
    pub template: String,
    /// Another.
    #[serde(default)]
    pub environment: Option<String>,
    #[serde(default)]
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// A stack that takes longer to be created is given up.
    #[serde(default = "half_an_hour")]
    pub build_timeout: Period,
    /// load: how long after its creation the load counts as settled.
    #[serde(default = "no_time")]
    pub settle: Period,
    /// bench: the names of the servers that print a result; all, if none is named.
    #[serde(default)]
    pub results: Vec<String>,
    /// bench: between two looks at a console, at most.
    #[serde(default = "two_seconds")]
    pub poll: Period,
    /// bench and collect: as for the backend `servers`.
    #[serde(default)]
    pub marker: Option<String>,
}

const fn half_an_hour() -> Period {
    Period::seconds(1800)
}
const fn no_time() -> Period {
    Period::seconds(0)
}
const fn two_seconds() -> Period {
    Period::seconds(2)
}

impl HeatWorkload {
    /// The settings of an order, and all that its template refers to.
    pub fn of(order: &Epoch, files: &Path) -> Result<(Self, Gathered), Failure> {
        let stage = order.stage;
        let broken =
            |reason: String| Failure::new(FailureKind::Broken, format!("[{stage}] settings: {reason}"));
        let settings = serde_json::Value::Object(order.backend.settings.clone());
        let workload: Self = serde_json::from_value(settings).map_err(|error| broken(error.to_string()))?;
        let gathered = gather(files, &workload.template, workload.environment.as_deref()).map_err(broken)?;
        Ok((workload, gathered))
    }
}

/// Has the stack there and complete, and returns its servers in the order of their names. `reused`: it was there before.
pub(super) async fn deploy_stack(
    cloud: &Cloud,
    workload: &HeatWorkload,
    gathered: Gathered,
    owner: &Owner,
    context: &Context,
) -> Result<(Stack, Vec<Deployed>), Failure> {
    let text = format!("{gathered:?} {:?}", workload.parameters);
    let tag = format!("autoopt-{}", Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()));
    let name = format!("{}stack", owner.prefix);
    let mut reused = false;
    if let Some(old) = cloud.stack(&name).await? {
        reused = old.tags.iter().flatten().any(|known| *known == tag)
            && matches!(old.status.as_str(), "CREATE_COMPLETE" | "CREATE_IN_PROGRESS");
        if !reused {
            remove_stacks(cloud, owner).await?;
        }
    }
    if !reused {
        let new = NewStack {
            name: name.clone(),
            template: gathered.template,
            environment: gathered.environment,
            files: gathered.files,
            parameters: workload.parameters.clone(),
            tags: vec![tag],
            timeout_minutes: workload.build_timeout.0.as_secs().div_ceil(60).max(1),
        };
        cloud.create_stack(&new).await?;
    }
    let stack = created(cloud, workload, &name, context).await?;
    let mut deployed = Vec::new();
    for resource in cloud.stack_resources(&stack).await? {
        let Some(id) = resource.physical_id.filter(|_| resource.kind == "OS::Nova::Server") else { continue };
        let server = cloud.server(&id).await?;
        let result = workload.results.is_empty() || workload.results.contains(&server.name);
        deployed.push(Deployed { name: server.name.clone(), server, reused, result });
    }
    deployed.sort_by(|a, b| (&a.name, &a.server.id).cmp(&(&b.name, &b.server.id)));
    let absent = workload.results.iter().find(|name| deployed.iter().all(|server| server.name != **name));
    match absent {
        None => Ok((stack, deployed)),
        Some(absent) => {
            let known: Vec<&str> = deployed.iter().map(|server| server.name.as_str()).collect();
            let known = autoopt_epoch::problem::list(&known);
            let reason =
                format!("`results` has `{absent}`, which is no server of the stack; they are {known}");
            Err(Failure::new(FailureKind::Broken, reason))
        }
    }
}

async fn created(
    cloud: &Cloud,
    workload: &HeatWorkload,
    name: &str,
    context: &Context,
) -> Result<Stack, Failure> {
    let deadline = cloud.now() + workload.build_timeout.0;
    let pace = cloud.pace(FIRST, POLL);
    let mut told = 0;
    loop {
        let stack = cloud.stack(name).await?.ok_or_else(|| {
            Failure::new(FailureKind::Transient, format!("stack `{name}` was deleted while it was created"))
        })?;
        let said = stack.reason.clone().unwrap_or_default();
        let events = cloud.stack_events(&stack).await?;
        let note = match events.get(told..) {
            None | Some([]) => format!("stack {}", stack.status),
            Some(new) => new.iter().map(told_of).collect::<Vec<_>>().join("; "),
        };
        told = events.len();
        context.note.send_replace(note);
        match stack.status.as_str() {
            "CREATE_COMPLETE" => return Ok(stack),
            "CREATE_IN_PROGRESS" if cloud.now() < deadline => cloud.look_again(&pace).await,
            "CREATE_FAILED" => {
                let kind = match said.to_lowercase() {
                    said if said.contains("no valid host") => FailureKind::Infeasible,
                    said if said.contains("quota") => FailureKind::Broken,
                    _ => FailureKind::Transient,
                };
                return Err(Failure::new(kind, format!("stack `{name}`: {said}")));
            }
            status => {
                let reason = format!("stack `{name}` is {status} after {}: {said}", workload.build_timeout);
                return Err(Failure::new(FailureKind::Transient, reason));
            }
        }
    }
}

fn told_of(event: &StackEvent) -> String {
    let why = event.resource_status_reason.as_deref().filter(|_| event.resource_status.ends_with("FAILED"));
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{} {}{why}", event.resource_name, event.resource_status)
}

/// The ids of the servers of the owner's stacks.
pub(super) async fn stack_servers(cloud: &Cloud, owner: &Owner) -> Result<Vec<String>, Failure> {
    let mut servers = Vec::new();
    for stack in cloud.stacks(&owner.prefix).await? {
        servers.extend(servers_of(cloud, &stack).await?);
    }
    Ok(servers)
}

async fn servers_of(cloud: &Cloud, stack: &Stack) -> Result<impl Iterator<Item = String>, Failure> {
    let resources = cloud.stack_resources(stack).await?.into_iter();
    Ok(resources.filter(|r| r.kind == "OS::Nova::Server").filter_map(|r| r.physical_id))
}

/// Deletes the owner's stacks and waits until they are gone; one whose deletion failed is deleted once more. Returns the ids
/// of their servers.
pub(super) async fn remove_stacks(cloud: &Cloud, owner: &Owner) -> Result<Vec<String>, Failure> {
    let mut servers = Vec::new();
    for stack in cloud.stacks(&owner.prefix).await? {
        servers.extend(servers_of(cloud, &stack).await?);
        cloud.delete_stack(&stack).await?;
        gone(cloud, &stack).await?;
    }
    Ok(servers)
}

async fn gone(cloud: &Cloud, stack: &Stack) -> Result<(), Failure> {
    let deadline = cloud.now() + GONE_WITHIN;
    let pace = cloud.pace(FIRST, POLL);
    let mut again = true;
    loop {
        let now = cloud.stack(&stack.name).await?;
        // one in DELETE_COMPLETE still has its name for a moment
        let Some(now) = now.filter(|now| now.id == stack.id) else { return Ok(()) };
        let failed = now.status == "DELETE_FAILED";
        if failed && again {
            again = false;
            cloud.delete_stack(stack).await?;
        } else if failed || cloud.now() > deadline {
            let reason = format!(
                "stack `{}` cannot be deleted, it is {}: {}; see `openstack stack failures list {}`",
                stack.name,
                now.status,
                now.reason.unwrap_or_default(),
                stack.name
            );
            return Err(Failure::new(FailureKind::Broken, reason));
        }
        cloud.look_again(&pace).await;
    }
}
