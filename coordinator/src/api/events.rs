//! `/v1/events`, in pages and as a stream.

use std::convert::Infallible;
use std::time::Duration;

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::message::Event;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::broadcast::{self, error::RecvError};

use super::Api;
use super::error::ApiError;
use super::experiments::find;
use super::extract::{Json, Query};
use super::view::EventList;
use crate::store::{Store, StoreError};

/// Events in one answer, unless the request says otherwise, and at most.
const PAGE: u64 = 100;
const MAX_PAGE: u64 = 1000;
/// Without an event, a comment is sent this often, so that whatever is between does not take the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) fn routes() -> ApiRouter<Api> {
    ApiRouter::new()
        .api_route("/v1/events", get_with(list, |op| op.summary("What happened, the oldest first")))
        .api_route(
            "/v1/events/stream",
            get_with(stream, |op| {
                op.summary("What happens, as it happens (server-sent events)")
                    .description(
                        "Each `data` is one event in JSON, each `id` its position. With `Last-Event-ID` (or `after`) the \
                         stream begins after that position, else with what happens from now on.",
                    )
                    .response_with::<200, String, _>(|answer| answer.description("text/event-stream"))
            }),
        )
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EventPage {
    /// Only those after this position.
    #[serde(default)]
    after: i64,
    /// How many at most: 100 unless given, 1,000 at most.
    #[serde(default = "page")]
    limit: u64,
    /// Only this experiment's: its name or its id.
    experiment: Option<String>,
}

const fn page() -> u64 {
    PAGE
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct From {
    /// Begin after this position; the header `Last-Event-ID` wins.
    after: Option<i64>,
    /// Only this experiment's: its name or its id.
    experiment: Option<String>,
}

async fn list(State(api): State<Api>, Query(page): Query<EventPage>) -> Result<Json<EventList>, ApiError> {
    let experiment = only(&api, page.experiment.as_deref()).await?;
    let events = api.store.events(experiment, page.after, page.limit.min(MAX_PAGE)).await?;
    Ok(Json(EventList { events }))
}

async fn only(api: &Api, experiment: Option<&str>) -> Result<Option<ExperimentId>, ApiError> {
    match experiment {
        Some(named) => Ok(Some(find(api, named).await?.id)),
        None => Ok(None),
    }
}

async fn stream(
    State(api): State<Api>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let header = headers.get("last-event-id").map(|value| {
        let seq = value.to_str().ok().and_then(|text| text.trim().parse::<i64>().ok());
        seq.ok_or_else(|| ApiError::malformed("`Last-Event-ID` has to be a position of the log, a number"))
    });
    let after = header.transpose()?.or(from.after);
    let only = only(&api, from.experiment.as_deref()).await?;
    // before the position is read, so that nothing falls between the two
    let live = api.engine().await?.events();
    let (last, behind) = match after {
        Some(after) => (after, true),
        None => (api.store.last_event().await?, false),
    };
    let tail = Tail { store: api.store.clone(), live, only, last, behind, page: Vec::new().into_iter() };
    let events = futures::stream::unfold(tail, |mut tail| async {
        let event = tail.next().await?;
        Some((Ok::<_, Infallible>(frame(&event)), tail))
    });
    // a client that loses the stream before its first event knows where to go on
    let position = sse::Event::default().id(last.to_string());
    let events = futures::stream::once(async { Ok(position) }).chain(events);
    let events = events.take_until(api.stopping.clone().cancelled_owned());
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn frame(event: &Event) -> sse::Event {
    let data = serde_json::to_string(event).unwrap_or_default();
    sse::Event::default().id(event.seq.to_string()).data(data)
}

/// The log from a position on, first from the store, then live; back to the store whenever the listener fell behind.
struct Tail {
    store: Store,
    live: broadcast::Receiver<Event>,
    only: Option<ExperimentId>,
    /// Position of the last event given out.
    last: i64,
    /// Whether the store may hold more than was given out.
    behind: bool,
    page: std::vec::IntoIter<Event>,
}

impl Tail {
    /// The next event; `None` once there will be no more, or the store fails: the client comes again with its position.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.page.next() {
                self.last = event.seq;
                return Some(event);
            }
            if self.behind {
                if let Err(error) = self.read().await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "an event stream ends");
                    return None;
                }
                continue;
            }
            match self.live.recv().await {
                Ok(event) if event.seq <= self.last => {}
                Ok(event) => {
                    self.last = event.seq;
                    if self.only.is_none_or(|id| event.experiment_id == Some(id)) {
                        return Some(event);
                    }
                }
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    async fn read(&mut self) -> Result<(), StoreError> {
        let page = self.store.events(self.only, self.last, MAX_PAGE).await?;
        self.behind = page.len() as u64 == MAX_PAGE;
        self.page = page.into_iter();
        Ok(())
    }
}
