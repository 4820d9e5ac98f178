//! The apply stage on an OpenStack cloud: settings of nova-scheduler, in aggregate metadata and in its configuration.

mod aggregate;
mod dead_man;
mod in_force;
mod plan;
mod restart;
mod snippet;

use std::sync::Arc;

use autoopt_cloud::{Aggregate, Clouds, Place};
use autoopt_epoch::command::{Cluster, OpenStack as Config};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Action, Done, Epoch, TrialKind};
use autoopt_epoch::space::Parameters;
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::{Backend, Context};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use dead_man::DeadMan;
pub use in_force::InForce;
use plan::{Part, Plan};
use snippet::{Files, Wanted};

/// The backend `openstack`: each parameter of the experiment names a setting of nova-scheduler.
#[derive(Clone, Debug)]
pub struct OpenStack {
    clouds: Arc<Clouds>,
    dead_man: Arc<DeadMan>,
}

impl OpenStack {
    /// Over the clusters of `[openstack]`.
    pub fn new(config: Config) -> Self {
        Self { clouds: Arc::new(Clouds::new(config)), dead_man: Arc::default() }
    }

    async fn capture(&self, order: &Epoch) -> Result<Done, Failure> {
        let cluster = self.clouds.cluster(&order.cluster)?;
        let plan = Plan::of(order, self.clouds.config(), cluster)?;
        let owner = aggregate::owner(order);
        let target = self.target(order, cluster, &plan, &owner).await?;
        for scheduler in &cluster.scheduler {
            Files::of(scheduler).find(&owner).await?;
        }
        let in_force = InForce::read(cluster, target.clone()).await?;
        let mut captured = Parameters::new();
        let mut sources = Map::new();
        for part in plan.aggregate.iter().chain(&plan.snippet) {
            let (text, source) = in_force.of(&part.setting);
            let value = match text {
                Some(text) => part.setting.value(&text, &part.value),
                None => default(part),
            };
            let value = value.map_err(|reason| {
                Failure::new(FailureKind::Broken, format!("in force ({source}): {reason}"))
            })?;
            captured.insert(part.name.clone(), value);
            sources.insert(part.name.clone(), json!(source));
        }
        let mut outputs = facts(target.as_ref());
        outputs.insert("sources".into(), sources.into());
        Ok(Done { captured: Some(captured), outputs, ..Done::default() })
    }

    /// The aggregate to change, if there is anything to change in one.
    async fn target(
        &self,
        order: &Epoch,
        cluster: &Cluster,
        plan: &Plan,
        owner: &str,
    ) -> Result<Option<Aggregate>, Failure> {
        if plan.snippet.iter().any(|part| part.setting.aggregate()) {
            aggregate::overrides_none(&self.clouds.get(&order.cluster).await?, &plan.snippet).await?;
        }
        let Some(name) = cluster.aggregate.as_ref().filter(|_| !plan.aggregate.is_empty()) else {
            return Ok(None);
        };
        let cloud = self.clouds.get(&order.cluster).await?;
        aggregate::find(&cloud, name, &plan.aggregate, owner).await.map(Some)
    }

    async fn run(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        let cluster = self.clouds.cluster(&order.cluster)?;
        let plan = Plan::of(order, self.clouds.config(), cluster)?;
        let owner = aggregate::owner(order);
        // what closes an experiment stays
        let for_good = order.kind == TrialKind::Closing;
        let mut target = self.target(order, cluster, &plan, &owner).await?;
        if let Some(found) = &target {
            context.note.send_replace(format!("setting metadata of the aggregate {}", found.name));
            let changes = match for_good {
                true => aggregate::keeping(found, &plan.aggregate),
                false => aggregate::setting(found, &plan.aggregate, &owner),
            };
            target = Some(aggregate::change(&self.clouds.get(&order.cluster).await?, found, &changes).await?);
        }
        let mut outputs = facts(target.as_ref());
        if !plan.snippet.is_empty() {
            let wanted = match for_good {
                true => Wanted::Kept(&plan.snippet),
                false => Wanted::Values(&plan.snippet),
            };
            let restarted = self.put(order, cluster, &wanted, context, &context.cancelled).await?;
            outputs.insert("restarted".into(), json!(restarted));
        }
        // for the collect stage, which sees whether somebody changed them since
        let mut files = Vec::new();
        for scheduler in &cluster.scheduler {
            files.push(Place::of(scheduler).fingerprint(scheduler).await?);
        }
        outputs.insert("files".into(), json!(files));
        Ok(Done { outputs, ..Done::default() })
    }

    /// Writes every scheduler's snippet, and restarts those with an outstanding restart. Returns how many there were.
    async fn put(
        &self,
        order: &Epoch,
        cluster: &Cluster,
        wanted: &Wanted<'_>,
        context: &Context,
        cancelled: &CancellationToken,
    ) -> Result<usize, Failure> {
        let owner = aggregate::owner(order);
        let mut outstanding = Vec::new();
        for scheduler in &cluster.scheduler {
            let files = Files::of(scheduler);
            let (needed, text) = files.put(wanted, &owner).await?;
            if needed {
                outstanding.push((scheduler, files, text));
            }
        }
        if outstanding.is_empty() {
            return Ok(0);
        }
        let cloud = self.clouds.get(&order.cluster).await?;
        let schedulers: Vec<_> = outstanding.iter().map(|(scheduler, ..)| *scheduler).collect();
        restart::all(&cloud, cluster.scheduler.len(), &schedulers, order, context, cancelled).await?;
        for (_, files, text) in &outstanding {
            files.restarted(text.as_deref()).await?;
        }
        Ok(outstanding.len())
    }

    /// Puts back what was in force before the experiment, whatever of it was changed.
    async fn restore(
        &self,
        order: &Epoch,
        context: &Context,
        cancelled: &CancellationToken,
    ) -> Result<Done, Failure> {
        let cluster = self.clouds.cluster(&order.cluster)?;
        let owner = aggregate::owner(order);
        let mut outputs = Map::new();
        // the one does not wait for the other to work
        let metadata = async {
            let Some(name) = &cluster.aggregate else { return Ok(()) };
            let cloud = self.clouds.get(&order.cluster).await?;
            let found = aggregate::find(&cloud, name, &[], &owner).await?;
            let now = aggregate::change(&cloud, &found, &aggregate::restoring(&found)).await?;
            outputs = facts(Some(&now));
            Ok(())
        }
        .await;
        self.put(order, cluster, &Wanted::Before, context, cancelled).await?;
        metadata.map(|()| Done { outputs, ..Done::default() })
    }
}

/// For the drift check of the collect stage, and for people.
fn facts(target: Option<&Aggregate>) -> Map<String, Value> {
    let aggregate =
        target.map(|target| json!({"name": target.name, "metadata": target.metadata, "hosts": target.hosts}));
    aggregate.into_iter().map(|aggregate| ("aggregate".to_owned(), aggregate)).collect()
}

fn default(part: &Part) -> Result<autoopt_epoch::space::Value, String> {
    let number = part.setting.default();
    let text = match part.value {
        autoopt_epoch::space::Value::Bool(_) => (number != 0.0).to_string(),
        _ => number.to_string(),
    };
    part.setting.value(&text, &part.value)
}

#[async_trait::async_trait]
impl Backend for OpenStack {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        let cluster = self.clouds.cluster(&order.cluster)?;
        match order.action {
            // what was changed can be restored whatever the parameters are
            Action::Undo => Ok(()),
            Action::Capture | Action::Run => Plan::of(order, self.clouds.config(), cluster).map(drop),
        }
    }

    async fn perform(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        let started = Timestamp::now();
        self.dead_man.hold(&order.cluster).await;
        let done = match order.action {
            Action::Capture => self.capture(order).await,
            Action::Run => {
                let result = self.run(order, context).await;
                if let Err(failure) = &result
                    && order.kind != TrialKind::Closing
                {
                    context.note.send_replace("restoring after a failure".into());
                    // it has to run although the order was cancelled
                    if let Err(second) = self.restore(order, context, &CancellationToken::new()).await {
                        tracing::error!(
                            epoch = %order.epoch, cluster = order.cluster, failure = failure.reason, reason = second.reason,
                            "the values in force before could not be restored after a failure"
                        );
                    }
                }
                result
            }
            Action::Undo => self.restore(order, context, &context.cancelled).await,
        };
        self.note(order, done.is_ok(), context);
        done.map(|done| Done { started, ..done })
    }

    async fn resume(&self, context: &Context) {
        for order in dead_man::in_force(&context.state_dir) {
            self.arm(order, context);
        }
    }
}
