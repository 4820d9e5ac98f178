//! The bench stage on an OpenStack cloud: creates the application's servers and waits until each has printed its result.

use autoopt_cloud::Clouds;
use autoopt_cloud::workload::{Inventory, Owner, Way};
use autoopt_epoch::command::OpenStack;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Action, Done, Epoch};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::{Backend, Context};
use serde_json::{Map, Value, json};

use crate::waiting::{self, Waiting};

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
        let given = plan.marker().map(str::to_owned);
        let waiting = Waiting { poll: plan.poll().0, marker: waiting::marker(given.as_deref())? };
        let owner = Owner::of(order);
        let cloud = self.clouds.get(&order.cluster).await?;
        waiting::nothing_left(&cloud, &owner, &order.cluster).await?;
        let before = Inventory::take(&cloud).await?;
        let there = plan.deploy(&cloud, &owner, self.clouds.files(), context).await?;
        let mut outputs = waiting.outputs(&cloud, before, &there.servers, given.as_deref(), context).await?;
        outputs.extend(there.stack.map(|stack| ("stack".to_owned(), json!(stack))));
        Ok(outputs)
    }
}

#[async_trait::async_trait]
impl Backend for Servers {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        self.clouds.cluster(&order.cluster)?;
        match order.action {
            Action::Run => {
                let plan = self.way.plan(order, self.clouds.files())?;
                waiting::marker(plan.marker()).map(drop)
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
            Action::Undo | Action::Capture => {
                context.note.send_replace("deleting the servers".into());
                self.way.remove(&self.clouds.get(&order.cluster).await?, &Owner::of(order)).await?;
                Map::new()
            }
        };
        Ok(Done { started, outputs, ..Done::default() })
    }
}
