//! The load stage on an OpenStack cloud: has the load's servers there, as they are described.

use autoopt_cloud::Clouds;
use autoopt_cloud::workload::{Owner, Way};
use autoopt_epoch::command::OpenStack;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Action, Done, Epoch};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::{Backend, Context};
use serde_json::{Map, Value, json};

/// The backends `servers` and `heat`.
#[derive(Debug)]
pub struct Servers {
    clouds: Clouds,
    way: Way,
}

impl Servers {
    /// Over the clusters of `[openstack]`.
    pub fn new(config: OpenStack, way: Way) -> Self {
        Self { clouds: Clouds::new(config), way }
    }

    async fn run(&self, order: &Epoch, context: &Context) -> Result<Map<String, Value>, Failure> {
        let plan = self.way.plan(order, self.clouds.files())?;
        let settle = plan.settle();
        let cloud = self.clouds.get(&order.cluster).await?;
        let there = plan.deploy(&cloud, &Owner::of(order), self.clouds.files(), context).await?;
        let reused = there.servers.iter().all(|server| server.reused);
        if !reused {
            context.note.send_replace("waiting for the load to settle".into());
            tokio::select! {
                () = cloud.wait(settle.0) => {}
                () = context.cancelled.cancelled() => {
                    return Err(Failure::new(FailureKind::Abandoned, "cancelled while the load settled"));
                }
            }
        }
        if let Some(server) = there.servers.iter().find(|server| server.server.status != "ACTIVE") {
            let reason =
                format!("server `{}` of the load is {}, not active", server.name, server.server.status);
            return Err(Failure::new(FailureKind::Transient, reason));
        }
        let servers: Value = there.servers.iter().map(|server| server.facts()).collect();
        let mut outputs = Map::new();
        outputs.insert("servers".into(), servers);
        outputs.extend(there.stack.map(|stack| ("stack".to_owned(), json!(stack))));
        outputs.insert("reused".into(), json!(reused));
        Ok(outputs)
    }
}

#[async_trait::async_trait]
impl Backend for Servers {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        self.clouds.cluster(&order.cluster)?;
        match order.action {
            Action::Run => self.way.plan(order, self.clouds.files()).map(drop),
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
            Action::Undo | Action::Capture => {
                context.note.send_replace("deleting the load's servers".into());
                self.way.remove(&self.clouds.get(&order.cluster).await?, &Owner::of(order)).await?;
                Map::new()
            }
        };
        Ok(Done { started, outputs, ..Done::default() })
    }
}
