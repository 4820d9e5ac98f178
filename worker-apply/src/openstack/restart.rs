//! Restarting nova-schedulers, and waiting until each serves again.

use std::collections::BTreeMap;
use std::time::Duration;

use autoopt_cloud::{Cloud, ComputeService, Place};
use autoopt_epoch::command::{self, Call, Scheduler};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::Epoch;
use autoopt_epoch::worker::Context;
use tokio_util::sync::CancellationToken;

/// nova's services report every 10 s (`report_interval`), the first time a few seconds after their start.
const BACK_WITHIN: Duration = Duration::from_secs(120);
const FIRST: Duration = Duration::from_millis(100);
/// Between two looks at the service records, at most.
const POLL: Duration = Duration::from_millis(500);
const BINARY: &str = "nova-scheduler";

/// Restarts these schedulers, of `configured` in all, one after the other.
///
/// Each program returns when the old process is gone. What a service record says from then on comes from the new one.
pub(super) async fn all(
    cloud: &Cloud,
    configured: usize,
    schedulers: &[&Scheduler],
    order: &Epoch,
    context: &Context,
    cancelled: &CancellationToken,
) -> Result<(), Failure> {
    let services = cloud.compute_services(BINARY).await?;
    let running = up(&services).len();
    // fewer may be up if the last restart did not work
    if running > configured {
        let reason = format!(
            "{running} nova-schedulers are up, but [openstack.cluster.{}] has {configured} `scheduler`: the others would go on \
             with their old settings",
            order.cluster
        );
        return Err(Failure::new(FailureKind::Broken, reason));
    }
    for scheduler in schedulers {
        context.note.send_replace(format!("restarting {BINARY}"));
        let program = Place::of(scheduler).program(&scheduler.restart);
        let call =
            Call { order, parameters: &order.parameters, state_dir: &context.state_dir, action: "restart" };
        command::run(&program, &call, cancelled, &context.on_start).await?;
    }
    context.note.send_replace(format!("waiting for {BINARY} to report"));
    tokio::select! {
        result = wait(cloud, configured) => result,
        () = cancelled.cancelled() => Err(Failure::new(FailureKind::Abandoned, "cancelled while nova-scheduler was restarted")),
    }
}

/// Until as many as are configured have reported since this began.
async fn wait(cloud: &Cloud, configured: usize) -> Result<(), Failure> {
    let before: BTreeMap<String, Option<String>> = cloud
        .compute_services(BINARY)
        .await?
        .into_iter()
        .map(|service| (service.id, service.updated_at))
        .collect();
    let deadline = cloud.now() + BACK_WITHIN;
    let pace = cloud.pace(FIRST, POLL);
    loop {
        let now = cloud.compute_services(BINARY).await?;
        let reported =
            up(&now).into_iter().filter(|service| before.get(&service.id) != Some(&service.updated_at));
        if reported.count() >= configured {
            return Ok(());
        }
        if cloud.now() > deadline {
            let reason =
                format!("{BINARY} did not report within {BACK_WITHIN:?} after its restart; see its log");
            return Err(Failure::new(FailureKind::Broken, reason));
        }
        cloud.look_again(&pace).await;
    }
}

fn up(services: &[ComputeService]) -> Vec<&ComputeService> {
    services.iter().filter(|service| service.state == "up" && service.status == "enabled").collect()
}
