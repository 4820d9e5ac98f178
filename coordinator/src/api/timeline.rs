//! `/v1/timeline`: what each cluster did lately and does now.

use std::collections::BTreeMap;

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use autoopt_epoch::id::EpochId;
use autoopt_epoch::time::Timestamp;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::error::ApiError;
use super::experiments::find;
use super::extract::{Json, Query};
use super::view::{SpanState, SpanView, Timeline};
use crate::machine::{Attempt, Ending, Epoch, Progress};

/// How far back, in seconds, unless the request says otherwise, and at most.
const WINDOW: u32 = 15 * 60;
const MAX_WINDOW: u32 = 7 * 24 * 60 * 60;
/// Epochs in one answer, at most.
const MAX_EPOCHS: usize = 500;

pub(super) fn routes() -> ApiRouter<Api> {
    ApiRouter::new().api_route(
        "/v1/timeline",
        get_with(show, |op| op.summary("What each cluster did lately, attempt by attempt, and does now")),
    )
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Window {
    /// How far back, in seconds: 900 unless given, 604,800 at most.
    #[serde(default = "window")]
    seconds: u32,
    /// Only this experiment's: its name or its id.
    experiment: Option<String>,
}

const fn window() -> u32 {
    WINDOW
}

async fn show(State(api): State<Api>, Query(window): Query<Window>) -> Result<Json<Timeline>, ApiError> {
    let now = Timestamp::now();
    let back = i64::from(window.seconds.min(MAX_WINDOW)) * 1000;
    let mut since = Timestamp::from_millis(now.as_millis() - back);
    let position = api.store.last_event().await?;
    let experiments = match &window.experiment {
        Some(named) => vec![find(&api, named).await?],
        None => api.store.experiments().await?,
    };
    let mut epochs = Vec::new();
    for experiment in experiments.iter().filter(|e| e.ended.is_none_or(|ended| ended >= since)) {
        epochs.extend(api.store.recent_epochs(experiment.id, since, MAX_EPOCHS as u64).await?);
    }
    if epochs.len() >= MAX_EPOCHS {
        epochs.sort_by_key(|e| std::cmp::Reverse(e.started));
        epochs.truncate(MAX_EPOCHS);
        since = epochs.last().map_or(since, |oldest| oldest.started.max(since));
    }
    let mut attempts: BTreeMap<EpochId, Vec<Attempt>> = BTreeMap::new();
    for attempt in api.store.attempts_of(&epochs).await? {
        attempts.entry(attempt.epoch).or_default().push(attempt);
    }
    let of = |epoch: &Epoch| spans(epoch, attempts.get(&epoch.id).map(Vec::as_slice).unwrap_or_default());
    let mut spans: Vec<SpanView> = epochs.iter().flat_map(of).collect();
    spans.sort_by(|a, b| (&a.cluster, a.began).cmp(&(&b.cluster, b.began)));
    Ok(Json(Timeline { now, position, since, spans }))
}

/// An epoch's attempts, one after the other, and the one that is open.
///
/// A worker's clock may be minutes off. Its word for when the work began counts only where it lies between the instants that
/// the coordinator knows: the end of the step before, and the end of this one.
fn spans(epoch: &Epoch, attempts: &[Attempt]) -> Vec<SpanView> {
    let mut begin = epoch.started;
    let mut spans = Vec::new();
    for attempt in attempts {
        let began = attempt.started.filter(|s| (begin..=attempt.ended).contains(s)).unwrap_or(begin);
        let (state, reason) = match &attempt.ending {
            Ending::Done => (SpanState::Done, None),
            Ending::Failed { reason, .. } => (SpanState::Failed, Some(reason.clone())),
            Ending::Superseded { reason } => (SpanState::Superseded, Some(reason.clone())),
        };
        spans.push(SpanView {
            step: attempt.step,
            attempt: attempt.attempt,
            stage: attempt.stage,
            action: attempt.action,
            state,
            began,
            ended: Some(attempt.ended),
            worker: attempt.worker.clone(),
            reason,
            ..blank(epoch)
        });
        begin = attempt.ended.max(begin);
    }
    let Some(step) = epoch.step() else { return spans };
    let (state, began, worker) = match &epoch.progress {
        Progress::Handed { since } => (SpanState::Handed, *since, None),
        Progress::Leased { since, worker, .. } => (SpanState::Running, *since, Some(worker.clone())),
        Progress::BackingOff { .. } => (SpanState::Waiting, begin, None),
        Progress::Ended { .. } => return spans,
    };
    spans.push(SpanView { stage: step.stage, action: step.action, state, began, worker, ..blank(epoch) });
    spans
}

/// The current step of an epoch, before anything is said of it.
fn blank(epoch: &Epoch) -> SpanView {
    SpanView {
        cluster: epoch.cluster.clone(),
        experiment_id: epoch.experiment,
        trial: epoch.trial,
        number: epoch.number,
        kind: epoch.kind,
        epoch: epoch.id,
        step: epoch.at,
        attempt: epoch.attempt,
        stage: autoopt_epoch::message::Stage::Apply,
        action: autoopt_epoch::message::Action::Run,
        state: SpanState::Handed,
        began: epoch.started,
        ended: None,
        worker: None,
        reason: None,
    }
}
