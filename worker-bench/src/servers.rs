//! The bench stage on an OpenStack cloud: creates the application's servers and waits until each has printed its result.

use std::path::PathBuf;

use autoopt_cloud::Clouds;
use autoopt_cloud::workload::{Inventory, Owner, Workload, deploy, remove};
use autoopt_epoch::command::OpenStack;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Action, Done, Epoch};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::{Backend, Context};
use serde_json::{Map, Value};

use crate::waiting::{self, Waiting};

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
        let marker = waiting::marker(workload.marker.as_deref())?;
        let owner = Owner::of(order);
        let cloud = self.clouds.get(&order.cluster).await?;
        waiting::nothing_left(&cloud, &owner, &order.cluster).await?;
        let before = Inventory::take(&cloud).await?;
        let files = self.clouds.config().files.clone().unwrap_or_else(|| PathBuf::from("."));
        let deployed = deploy(&cloud, &workload, &owner, &files, context).await?;
        let waiting = Waiting { poll: workload.poll.0, marker };
        waiting.outputs(&cloud, before, &deployed, workload.marker.as_deref(), context).await
    }
}

#[async_trait::async_trait]
impl Backend for Servers {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        self.clouds.cluster(&order.cluster)?;
        match order.action {
            Action::Run => {
                Workload::of(order).and_then(|workload| waiting::marker(workload.marker.as_deref())).map(drop)
            }
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
