//! `/v1/experiments/X/effects`: what the optimizer's model thinks, asked for over the bus. Nobody waits for the answer: it is
//! kept, and shown until a newer one is there.

use std::time::Duration;

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use autoopt_epoch::bus::topology::{EXPLAIN, ask_key};
use autoopt_epoch::bus::{Bus, BusError, Outgoing};
use autoopt_epoch::id::{AskId, MessageId};
use autoopt_epoch::message::Ask;
use autoopt_epoch::time::Timestamp;
use axum::extract::State;

use super::Api;
use super::error::ApiError;
use super::experiments::{ExperimentPath, find};
use super::extract::{Json, Path};
use super::view::{Effects, EffectsState};

/// The model is asked this often at most, however fast results come.
const PAUSE: Duration = Duration::from_secs(5);
/// An answer that has not come by then is asked for again.
const SILENCE: Duration = Duration::from_secs(300);

pub(super) fn routes() -> ApiRouter<Api> {
    ApiRouter::new().api_route(
        "/v1/experiments/{experiment}/effects",
        get_with(show, |op| {
            op.summary("What the optimizer's model thinks each parameter does").description(
                "The latest answer of the optimizer at once, whatever its age; where results have come since, it is asked \
                 for a new one, and `state` is `computing` until that is there.",
            )
        }),
    )
}

async fn show(State(api): State<Api>, Path(path): Path<ExperimentPath>) -> Result<Json<Effects>, ApiError> {
    let mut experiment = find(&api, &path.experiment).await?;
    let explanations = api.engine().await?.explanations();
    let (id, now) = (experiment.id, Timestamp::now());
    let trials = api.store.result_count(id).await?;
    let due = match explanations.of(id) {
        None => true,
        Some(known) if known.answered() => known.trials != trials && now.since(known.asked) >= PAUSE,
        Some(known) => now.since(known.asked) >= if known.problem.is_some() { PAUSE } else { SILENCE },
    };
    if due && trials > 0 {
        experiment.results = api.store.results(id).await?;
        let results = u32::try_from(experiment.results.len()).unwrap_or(u32::MAX);
        explanations.asked(id, now, results, trials);
        let ask = crate::machine::question(
            &experiment,
            AskId::derived(id.0, &format!("explain/{results}")),
            Vec::new(),
        );
        let (bus, explanations) = (api.bus.clone(), explanations.clone());
        tokio::spawn(async move {
            if let Err(error) = publish(&bus, &ask).await {
                explanations.failed(id, unexplained(&error));
            }
        });
    }
    let Some(known) = explanations.of(id) else {
        return Ok(Json(Effects {
            state: EffectsState::Current,
            results: 0,
            problem: None,
            explanation: None,
        }));
    };
    let state = match &known.problem {
        None if known.answered() && known.trials == trials => EffectsState::Current,
        None => EffectsState::Computing,
        Some(_) => EffectsState::Failed,
    };
    let results = if state == EffectsState::Current { known.results } else { trials };
    let explanation = known.explanation.as_deref().cloned();
    Ok(Json(Effects { state, results, problem: known.problem, explanation }))
}

async fn publish(bus: &Bus, ask: &Ask) -> Result<(), BusError> {
    let message = Outgoing::new(ask_key(EXPLAIN), MessageId::fresh(), ask);
    bus.publish(message).await?.await
}

fn unexplained(error: &BusError) -> String {
    match error {
        BusError::Unroutable { .. } => {
            "no optimizer that explains was ever started; start autoopt-optimizer, or use `autoopt explain`"
                .into()
        }
        other => format!("the optimizer was not asked: {other}"),
    }
}
