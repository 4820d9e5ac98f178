//! The coordinator's HTTP API, as this command line uses it.

use std::path::PathBuf;
use std::time::Duration;

use autoopt_epoch::message::Event;
use autoopt_epoch::problem::Problem;
use futures::StreamExt;
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::fault::{Fault, Kind};
use crate::sse::Reader;

/// Where the coordinator is, and how to prove who asks.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Server {
    /// Address of the coordinator
    #[arg(
        long,
        global = true,
        env = "AUTOOPT_SERVER",
        default_value = "http://127.0.0.1:7771",
        value_name = "URL"
    )]
    server: String,
    /// File that holds the API's token
    #[arg(long, global = true, env = "AUTOOPT_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// A connection to the coordinator.
pub(crate) struct Client {
    http: reqwest::Client,
    server: String,
    token: Option<String>,
}

/// `{"error": …}` as the API answers.
#[derive(Deserialize)]
struct Refusal {
    error: Explanation,
}

#[derive(Deserialize)]
struct Explanation {
    message: String,
    #[serde(default)]
    problems: Vec<Problem>,
}

impl Client {
    /// Reads the token; nothing is sent yet.
    pub(crate) fn new(server: &Server) -> Result<Self, Fault> {
        let token = match &server.token_file {
            None => None,
            Some(path) => Some(
                std::fs::read_to_string(path)
                    .map_err(|e| {
                        Fault::failed(format!("cannot read the token file `{}`", path.display())).because(e)
                    })?
                    .trim()
                    .to_owned(),
            ),
        };
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .build()
            .map_err(|e| Fault::failed("cannot prepare the HTTP client").because(e))?;
        Ok(Self { http, server: server.server.trim_end_matches('/').to_owned(), token })
    }

    /// Posts to `path` and gives the answer back; an empty answer is null.
    pub(crate) async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Fault> {
        let mut request = self.request(Method::POST, path).timeout(Duration::from_secs(30));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = self.checked(request).await?;
        let bytes = response.bytes().await.map_err(|e| self.broken_off(e))?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes)
            .map_err(|e| Fault::failed("the coordinator's answer is not JSON").because(e))
    }

    /// Gives each event after `after` to `each`, for ever; takes the stream up again where it broke off.
    pub(crate) async fn follow(&self, after: Option<i64>, mut each: impl FnMut(Event)) -> Result<(), Fault> {
        let mut last = after.map(|seq| seq.to_string());
        // the first connection has to work; only one that broke off is tried again
        let mut response = self.stream(last.as_deref()).await?;
        loop {
            let mut reader = Reader::default();
            let mut bytes = response.bytes_stream();
            while let Some(Ok(piece)) = bytes.next().await {
                for record in reader.take(&piece) {
                    let event = serde_json::from_str(&record.data)
                        .map_err(|e| Fault::failed("the event stream holds what is no event").because(e))?;
                    last = record.id.or(last);
                    each(event);
                }
            }
            response = loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                match self.stream(last.as_deref()).await {
                    Err(fault) if fault.is_unreachable() => {}
                    other => break other?,
                }
            };
        }
    }

    async fn stream(&self, last: Option<&str>) -> Result<Response, Fault> {
        let mut request = self.request(Method::GET, "/v1/events/stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        self.checked(request).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.server));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends, and turns every refusal into a fault.
    async fn checked(&self, request: reqwest::RequestBuilder) -> Result<Response, Fault> {
        let response = request.send().await.map_err(|e| self.broken_off(e))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let refusal: Option<Refusal> = response.json().await.ok();
        let (message, problems) = match refusal {
            Some(Refusal { error }) => (error.message, error.problems),
            None => (format!("{} answered {status}", self.server), Vec::new()),
        };
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Fault::new(Kind::Unauthorised, message)
                .next("name the file with the coordinator's token: --token-file FILE, or AUTOOPT_TOKEN_FILE"),
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
                Fault::new(Kind::Input, message).with_problems(problems)
            }
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                Fault::new(Kind::Unreachable, message)
            }
            _ => Fault::failed(message).with_problems(problems),
        })
    }

    fn broken_off(&self, error: reqwest::Error) -> Fault {
        Fault::new(Kind::Unreachable, format!("no coordinator answers at {}", self.server))
            .because(error.without_url())
            .next("start autoopt-coordinator, or name its address: --server URL, or AUTOOPT_SERVER")
    }
}
