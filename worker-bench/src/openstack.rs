//! The bench stage on an OpenStack cloud: creates the application's servers and waits until each has printed its result.

use std::sync::Arc;

use autoopt_cloud::Clouds;
use autoopt_cloud::workload::{Owner, Plan, Way, still_there};
use autoopt_epoch::command::OpenStack;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Action, Done, Epoch, Stage};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::{Backend, Context};
use serde_json::json;
use tokio::sync::OnceCell;

use crate::before;
use crate::inbox::Inbox;
use crate::waiting::{self, Waiting};

/// The backends `servers` and `heat`.
#[derive(Debug)]
pub struct Servers {
    clouds: Clouds,
    way: Way,
    /// Opened when it is first needed.
    inbox: OnceCell<Arc<Inbox>>,
}

impl Servers {
    /// Over the clusters of `[openstack]`.
    pub fn new(config: OpenStack, way: Way) -> Self {
        Self { clouds: Clouds::new(config), way, inbox: OnceCell::new() }
    }

    async fn run(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        let mut plan = self.way.plan(order, self.clouds.files())?;
        let owner = Owner::of(order);
        let inbox = match &mut plan {
            Plan::Servers(workload) if workload.http => {
                let inbox = self.inbox(context).await?;
                workload.post_to(&owner, |server| inbox.address(server));
                Some(inbox)
            }
            _ => None,
        };
        let given = plan.marker().map(str::to_owned);
        let waiting = Waiting { poll: plan.poll().0, marker: waiting::marker(given.as_deref())?, inbox };
        let cloud = self.clouds.get(&order.cluster).await?;
        let nothing_left = waiting::nothing_left(&cloud, &owner, &order.cluster);
        let ((), before) = cloud.both(nothing_left, before::of(&cloud, order, context)).await?;
        let there = plan.deploy(&cloud, &owner, self.clouds.files(), context).await?;
        let mut outputs = waiting.outputs(&cloud, before, &there.servers, given.as_deref(), context).await?;
        outputs.extend(there.stack.map(|stack| ("stack".to_owned(), json!(stack))));
        Ok(Done { outputs, artifacts: waiting.posted(&there.servers), ..Done::default() })
    }

    async fn undo(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        context.note.send_replace("deleting the servers".into());
        let cloud = self.clouds.get(&order.cluster).await?;
        let owner = Owner::of(order);
        // the collect stage may have deleted them, and failed before it had looked for what nova forgot; as may this one
        let mut deleted: Vec<String> = told(order).collect();
        if deleted.is_empty() {
            deleted = before::doomed(order, context, self.way.server_ids(&cloud, &owner).await?)?;
        }
        self.way.remove(&cloud, &owner).await?;
        let mut leaks = still_there(&cloud, &order.leaks).await?;
        if let Some(before) = before::known(order, context) {
            leaks.extend(before.leaks(&cloud, &owner, deleted).await?);
        }
        Ok(Done { leaks, ..Done::default() })
    }

    async fn inbox(&self, context: &Context) -> Result<&Arc<Inbox>, Failure> {
        let config = self.clouds.config().http.as_ref().ok_or_else(|| {
            Failure::new(
                FailureKind::Broken,
                "[bench] settings.http: this worker's configuration has no [openstack.http] with `listen` and `url`",
            )
        })?;
        self.inbox.get_or_try_init(|| Inbox::open(config, &context.state_dir)).await
    }
}

/// The ids of the epoch's servers, as this stage's outputs have them.
fn told(order: &Epoch) -> impl Iterator<Item = String> {
    let servers = order.outputs.get(&Stage::Bench).and_then(|bench| bench.get("servers")?.as_array());
    servers.into_iter().flatten().filter_map(|server| server["id"].as_str().map(str::to_owned))
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
        let done = match order.action {
            Action::Run => self.run(order, context).await?,
            Action::Undo | Action::Capture => self.undo(order, context).await?,
        };
        Ok(Done { started, ..done })
    }
}
