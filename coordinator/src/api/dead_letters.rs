//! `/v1/dead-letters`

use std::time::Duration;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use autoopt_epoch::bus::{BusError, DeadLetter};
use autoopt_epoch::id::MessageId;
use autoopt_epoch::message::{Event, EventKind};
use autoopt_epoch::time::Timestamp;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::Api;
use super::auth::Person;
use super::error::ApiError;
use super::extract::{Json, Path};
use super::view::{DeadLetterList, DeadLetterView};

/// Letters in one answer, at most.
const MOST: usize = 100;
/// Of a letter's content, in characters.
const EXCERPT: usize = 2000;
/// A broker that takes longer is away.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn routes() -> ApiRouter<Api> {
    ApiRouter::new()
        .api_route(
            "/v1/dead-letters",
            get_with(list, |op| op.summary("Messages that nobody could use, the oldest first")),
        )
        .api_route(
            "/v1/dead-letters/{letter}/requeue",
            post_with(requeue, |op| op.summary("Send one again, once the cause is gone")),
        )
}

#[derive(Deserialize, JsonSchema)]
struct LetterPath {
    /// Its `key`.
    letter: MessageId,
}

async fn list(State(api): State<Api>) -> Result<Json<DeadLetterList>, ApiError> {
    Ok(Json(all(&api).await?))
}

async fn requeue(
    State(api): State<Api>,
    person: Person,
    Path(path): Path<LetterPath>,
) -> Result<Json<DeadLetterList>, ApiError> {
    let engine = api.engine().await?;
    let sent = soon(api.bus.requeue_dead_letters(Some(path.letter))).await?;
    let Some(letter) = sent.first() else {
        return Err(ApiError::not_found(format!(
            "no dead letter that can be sent again has the key {}",
            path.letter
        )));
    };
    let message = format!("a dead letter for `{}` was sent again by a person", letter.routing_key);
    let detail = json!({"routing_key": letter.routing_key, "reason": letter.reason, "key": path.letter});
    let event = Event::new(Timestamp::now(), EventKind::MessageRequeued, message, detail);
    engine.note(event, person.0).await?;
    Ok(Json(all(&api).await?))
}

async fn all(api: &Api) -> Result<DeadLetterList, ApiError> {
    let letters = soon(api.bus.dead_letters(MOST)).await?;
    Ok(DeadLetterList { letters: letters.into_iter().map(view).collect() })
}

async fn soon<T>(work: impl Future<Output = Result<T, BusError>>) -> Result<T, ApiError> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done.map_err(|error| ApiError::unavailable(error.to_string())),
        Err(_) => Err(ApiError::unavailable("the broker does not answer; try again once it does")),
    }
}

fn view(letter: DeadLetter) -> DeadLetterView {
    let text = String::from_utf8_lossy(&letter.body);
    DeadLetterView {
        key: letter.key(),
        content: text.chars().take(EXCERPT).collect(),
        routing_key: letter.routing_key,
        reason: letter.reason,
        at: letter.at,
    }
}
