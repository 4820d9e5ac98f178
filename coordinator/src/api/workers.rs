//! `/v1/workers`

use std::collections::HashMap;

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use autoopt_epoch::id::EpochId;
use autoopt_epoch::time::Timestamp;
use axum::extract::State;

use super::Api;
use super::error::ApiError;
use super::extract::Json;
use super::view::{WorkerList, WorkerView};
use crate::engine::{Handle, Heard};
use crate::machine::Progress;

pub(super) fn routes() -> ApiRouter<Api> {
    ApiRouter::new().api_route(
        "/v1/workers",
        get_with(list, |op| op.summary("Workers that reported since this coordinator began to lead")),
    )
}

async fn list(State(api): State<Api>) -> Result<Json<WorkerList>, ApiError> {
    let heard = api.engine.get().map(Handle::workers).unwrap_or_default();
    let mut leases: HashMap<EpochId, (String, Timestamp)> = HashMap::new();
    for experiment in api.store.experiments().await?.iter().filter(|e| e.ended.is_none()) {
        for epoch in api.store.open_epochs(experiment.id).await? {
            if let Progress::Leased { worker, lease_until, .. } = epoch.progress {
                leases.insert(epoch.id, (worker, lease_until));
            }
        }
    }
    let view = |(worker, heard): (String, Heard)| {
        let lease = heard.epoch.and_then(|epoch| leases.get(&epoch)).filter(|(holder, _)| *holder == worker);
        WorkerView {
            stage: heard.stage,
            cluster: heard.cluster,
            version: heard.version,
            heard: heard.heard,
            clock_ahead_ms: heard.said.as_millis() - heard.heard.as_millis(),
            // without the lease it is another's, or over
            epoch: heard.epoch.filter(|_| lease.is_some()),
            lease_until: lease.map(|(_, until)| *until),
            note: heard.note,
            ended_steps: heard.ended_steps,
            worker,
        }
    };
    Ok(Json(WorkerList { now: Timestamp::now(), workers: heard.into_iter().map(view).collect() }))
}
