//! The two ways to a workload: server by server, or by a Heat stack.

use std::path::Path;

use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::Epoch;
use autoopt_epoch::time::Period;
use autoopt_epoch::worker::Context;

use super::deploy::{Deployed, deploy, look_up};
use super::remove::remove;
use super::spec::{Owner, Workload};
use super::stack::{HeatWorkload, deploy_stack, remove_stacks, stack_servers};
use crate::template::Gathered;
use crate::{Cloud, FlavorSize};

/// How a workload comes to be; the names of the backends of load and bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The backend `servers`: created one after the other through Nova.
    Servers,
    /// The backend `heat`: the user's own template.
    Heat,
}

impl Way {
    /// What the order's settings describe, read and checked; `files` is the worker's `openstack.files`.
    pub fn plan(self, order: &Epoch, files: &Path) -> Result<Plan, Failure> {
        match self {
            Self::Servers => Workload::of(order).map(Plan::Servers),
            Self::Heat => {
                HeatWorkload::of(order, files).map(|(workload, gathered)| Plan::Heat(workload, gathered))
            }
        }
    }

    /// The ids of the owner's servers.
    pub async fn server_ids(self, cloud: &Cloud, owner: &Owner) -> Result<Vec<String>, Failure> {
        match self {
            Self::Servers => Ok(cloud.server_ids(&owner.prefix).await?),
            Self::Heat => stack_servers(cloud, owner).await,
        }
    }

    /// Deletes what the owner has, and waits until it is gone. Returns the servers' ids.
    pub async fn remove(self, cloud: &Cloud, owner: &Owner) -> Result<Vec<String>, Failure> {
        match self {
            Self::Servers => remove(cloud, owner).await,
            Self::Heat => remove_stacks(cloud, owner).await,
        }
    }
}

/// A workload before it is there.
#[derive(Clone, Debug)]
pub enum Plan {
    Servers(Workload),
    Heat(HeatWorkload, Gathered),
}

/// A workload that is there.
#[derive(Clone, Debug)]
pub struct Deployment {
    pub servers: Vec<Deployed>,
    /// The stack's id, if there is one.
    pub stack: Option<String>,
}

impl Plan {
    /// What a workload of servers needs to be there by name, and the sizes of its servers; nothing is created. What a template
    /// needs, Heat alone knows.
    pub async fn look_up(
        &self,
        cloud: &Cloud,
        owner: &Owner,
        files: &Path,
    ) -> Result<Vec<FlavorSize>, Failure> {
        match self {
            Self::Servers(workload) => look_up(cloud, workload, owner, files).await,
            Self::Heat(..) => Ok(Vec::new()),
        }
    }

    /// load: how long after its creation it counts as settled.
    pub const fn settle(&self) -> Period {
        match self {
            Self::Servers(workload) => workload.settle,
            Self::Heat(workload, _) => workload.settle,
        }
    }

    /// bench: between two looks at a console.
    pub const fn poll(&self) -> Period {
        match self {
            Self::Servers(workload) => workload.poll,
            Self::Heat(workload, _) => workload.poll,
        }
    }

    /// bench and collect: the pattern of the older form's marker line, if it is not the usual one.
    pub fn marker(&self) -> Option<&str> {
        match self {
            Self::Servers(workload) => workload.marker.as_deref(),
            Self::Heat(workload, _) => workload.marker.as_deref(),
        }
    }

    /// Has it there; what is there already and matches is taken as it is.
    pub async fn deploy(
        self,
        cloud: &Cloud,
        owner: &Owner,
        files: &Path,
        context: &Context,
    ) -> Result<Deployment, Failure> {
        let created = async {
            match self {
                Self::Servers(workload) => {
                    let servers = deploy(cloud, &workload, owner, files, context).await?;
                    Ok(Deployment { servers, stack: None })
                }
                Self::Heat(workload, gathered) => {
                    let (stack, servers) = deploy_stack(cloud, &workload, gathered, owner, context).await?;
                    Ok(Deployment { servers, stack: Some(stack.id) })
                }
            }
        };
        tokio::select! {
            result = created => result,
            () = context.cancelled.cancelled() => {
                Err(Failure::new(FailureKind::Abandoned, "cancelled while the workload was created"))
            }
        }
    }
}
