//! The load stage by a Heat stack: has it there, as it is described.

use std::path::PathBuf;

use autoopt_cloud::Clouds;
use autoopt_cloud::workload::{HeatWorkload, Owner, deploy_stack, remove_stacks};
use autoopt_epoch::command::OpenStack;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Action, Done, Epoch};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::{Backend, Context};
use serde_json::{Map, Value, json};

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
        let cloud = self.clouds.get(&order.cluster).await?;
        let (stack, deployed) = deploy_stack(&cloud, &workload, gathered, &Owner::of(order), context).await?;
        let reused = deployed.iter().all(|server| server.reused);
        if !reused {
            context.note.send_replace("waiting for the load to settle".into());
            tokio::select! {
                () = tokio::time::sleep(workload.settle.0) => {}
                () = context.cancelled.cancelled() => {
                    return Err(Failure::new(FailureKind::Abandoned, "cancelled while the load settled"));
                }
            }
        }
        if let Some(server) = deployed.iter().find(|server| server.server.status != "ACTIVE") {
            let reason =
                format!("server `{}` of the load is {}, not active", server.name, server.server.status);
            return Err(Failure::new(FailureKind::Transient, reason));
        }
        let servers: Value = deployed.iter().map(|server| server.facts()).collect();
        let mut outputs = Map::new();
        outputs.insert("servers".into(), servers);
        outputs.insert("stack".into(), json!(stack.id));
        outputs.insert("reused".into(), json!(reused));
        Ok(outputs)
    }
}

#[async_trait::async_trait]
impl Backend for Heat {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        self.clouds.cluster(&order.cluster)?;
        match order.action {
            Action::Run => HeatWorkload::of(order, &self.files()).map(drop),
            // what was created is found by its name
            Action::Undo => Ok(()),
            Action::Capture => {
                Err(Failure::new(FailureKind::Abandoned, "the load stage has nothing to capture"))
            }
        }
    }

    async fn perform(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        let started = Timestamp::now();
        let outputs = match order.action {
            Action::Run => self.run(order, context).await?,
            _ => {
                context.note.send_replace("deleting the load's stack".into());
                remove_stacks(&self.clouds.get(&order.cluster).await?, &Owner::of(order)).await?;
                Map::new()
            }
        };
        Ok(Done { started, outputs, ..Done::default() })
    }
}
