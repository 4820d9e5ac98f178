//! The bench stage by a Heat stack: creates it, and waits until its servers have printed their results.

use std::path::PathBuf;

use autoopt_cloud::Clouds;
use autoopt_cloud::workload::{HeatWorkload, Inventory, Owner, deploy_stack, remove_stacks};
use autoopt_epoch::command::OpenStack;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Action, Done, Epoch};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::{Backend, Context};
use serde_json::{Map, Value, json};

use crate::waiting::{self, Waiting};

/// The backend `heat`.
#[derive(Debug)]
pub struct Heat {
    clouds: Clouds,
}

impl Heat {
    /// Over the clusters of `[openstack]`.
    pub fn new(config: OpenStack) -> Self {
        Self { clouds: Clouds::new(config) }
    }

    fn files(&self) -> PathBuf {
        self.clouds.config().files.clone().unwrap_or_else(|| PathBuf::from("."))
    }

    async fn run(&self, order: &Epoch, context: &Context) -> Result<Map<String, Value>, Failure> {
        let (workload, gathered) = HeatWorkload::of(order, &self.files())?;
        let marker = waiting::marker(workload.marker.as_deref())?;
        let owner = Owner::of(order);
        let cloud = self.clouds.get(&order.cluster).await?;
        let before = Inventory::take(&cloud).await?;
        let (stack, deployed) = deploy_stack(&cloud, &workload, gathered, &owner, context).await?;
        let waiting = Waiting { poll: workload.poll.0, marker };
        let mut outputs =
            waiting.outputs(&cloud, before, &deployed, workload.marker.as_deref(), context).await?;
        outputs.insert("stack".into(), json!(stack.id));
        Ok(outputs)
    }
}

#[async_trait::async_trait]
impl Backend for Heat {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        self.clouds.cluster(&order.cluster)?;
        match order.action {
            Action::Run => {
                let (workload, _) = HeatWorkload::of(order, &self.files())?;
                waiting::marker(workload.marker.as_deref()).map(drop)
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
                context.note.send_replace("deleting the stack".into());
                remove_stacks(&self.clouds.get(&order.cluster).await?, &Owner::of(order)).await?;
                Map::new()
            }
        };
        Ok(Done { started, outputs, ..Done::default() })
    }
}
