//! The event stream: what happens, as it happens.

use std::time::Duration;

use autoopt_coordinator::api::view::EventView;
use futures::StreamExt;
use reqwest::{Method, Response};

use super::Client;
use super::sse::Reader;
use crate::fault::Fault;

/// Between two tries to take a stream up again.
const PAUSE: Duration = Duration::from_secs(1);
/// The coordinator sends a comment at least every 15 s; a stream that is silent for longer has lost its other end.
const SILENCE: Duration = Duration::from_secs(60);

/// A stream that has begun: nothing that happens from now on is missed.
pub(crate) struct EventStream<'a> {
    client: &'a Client,
    experiment: Option<String>,
    /// The position of the last event, for taking the stream up again.
    last: Option<String>,
    response: Response,
}

impl<'a> EventStream<'a> {
    /// Begins after the position `after`, or with what happens from now on.
    pub(crate) async fn open(
        client: &'a Client,
        experiment: Option<&str>,
        after: Option<i64>,
    ) -> Result<Self, Fault> {
        let last = after.map(|seq| seq.to_string());
        let response = connect(client, experiment, last.as_deref()).await?;
        Ok(Self { client, experiment: experiment.map(str::to_owned), last, response })
    }

    /// Gives each event to `each`, for ever; takes the stream up again where it broke off.
    pub(crate) async fn follow(self, mut each: impl FnMut(EventView)) -> Result<(), Fault> {
        let Self { client, experiment, mut last, mut response } = self;
        loop {
            let mut reader = Reader::default();
            let mut bytes = response.bytes_stream();
            while let Ok(Some(Ok(piece))) = tokio::time::timeout(SILENCE, bytes.next()).await {
                for record in reader.take(&piece) {
                    last = record.id.or(last);
                    let Some(data) = record.data else { continue };
                    let event = serde_json::from_str(&data)
                        .map_err(|e| Fault::failed("the event stream holds what is no event").because(e))?;
                    each(event);
                }
            }
            response = loop {
                tokio::time::sleep(PAUSE).await;
                match connect(client, experiment.as_deref(), last.as_deref()).await {
                    Err(fault) if fault.is_unreachable() => {}
                    other => break other?,
                }
            };
        }
    }
}

async fn connect(client: &Client, experiment: Option<&str>, last: Option<&str>) -> Result<Response, Fault> {
    let query: Vec<(&str, &str)> = experiment.map(|x| ("experiment", x)).into_iter().collect();
    let mut request = client.request(Method::GET, &["v1", "events", "stream"], &query);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    client.checked(request).await
}
