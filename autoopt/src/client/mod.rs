//! The coordinator's HTTP API, as this command line uses it.

mod api;
mod sse;
mod stream;

pub(crate) use stream::EventStream;

use std::path::{Path, PathBuf};
use std::time::Duration;

use autoopt_coordinator::api::view::{ErrorBody, ErrorView};
use reqwest::header::HeaderValue;
use reqwest::{Method, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fault::{Fault, Kind};

/// What stands behind the `?` of an address.
pub(crate) type Query<'a> = &'a [(&'a str, &'a str)];

/// A coordinator that is busy answers later; one that hangs does not hold up a person for long.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Where the coordinator is, and how to prove who asks.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Coordinator")]
pub(crate) struct Server {
    /// Address of the coordinator [default: http://127.0.0.1:7771]
    #[arg(long, global = true, env = "AUTOOPT_SERVER", value_name = "URL")]
    server: Option<String>,
    /// File that holds the API's token
    #[arg(long, global = true, env = "AUTOOPT_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

const DEFAULT_SERVER: &str = "http://127.0.0.1:7771";

impl Server {
    /// What the coordinator's own configuration says, where the command line says nothing.
    pub(crate) fn or(mut self, listen: Option<&str>, token_file: Option<&Path>) -> Self {
        self.server = self.server.or_else(|| listen.map(|listen| format!("http://{listen}")));
        self.token_file = self.token_file.or_else(|| token_file.map(Path::to_path_buf));
        self
    }
}

/// A connection to the coordinator.
pub(crate) struct Client {
    http: reqwest::Client,
    server: Url,
    token: Option<String>,
    /// For the log, where no token of their own says who asks.
    person: Option<HeaderValue>,
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
        let called = ["AUTOOPT_PERSON", "USER"].iter().find_map(|name| std::env::var(name).ok());
        let person = called.and_then(|name| HeaderValue::from_str(&name).ok());
        Ok(Self { http, server: address(server.server.as_deref().unwrap_or(DEFAULT_SERVER))?, token, person })
    }

    /// Where it asks.
    pub(crate) fn server(&self) -> &str {
        self.server.as_str().trim_end_matches('/')
    }

    /// Gets what is at the path of these segments.
    async fn get<T: DeserializeOwned>(&self, path: &[&str], query: Query<'_>) -> Result<T, Fault> {
        let request = self.request(Method::GET, path, query).timeout(ANSWER_WITHIN);
        self.read(self.checked(request).await?).await
    }

    /// Gets what is there as it is.
    async fn bytes(&self, path: &[&str]) -> Result<Vec<u8>, Fault> {
        let request = self.request(Method::GET, path, &[]).timeout(ANSWER_WITHIN);
        let content = self.checked(request).await?.bytes().await.map_err(|e| self.broken_off(e))?;
        Ok(content.into())
    }

    /// The same; an answer of 503 is read as well, as `/health` gives one.
    async fn get_even_if_unwell<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Fault> {
        let request = self.request(Method::GET, path, &[]).timeout(ANSWER_WITHIN);
        let response = request.send().await.map_err(|e| self.broken_off(e))?;
        self.read(response).await
    }

    /// Posts to the path of these segments.
    async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: Query<'_>,
        body: Option<&impl Serialize>,
    ) -> Result<T, Fault> {
        let mut request = self.request(Method::POST, path, query).timeout(ANSWER_WITHIN);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.read(self.checked(request).await?).await
    }

    /// Each segment is encoded as the URL needs it: whatever a name holds, it stays one segment.
    fn request(&self, method: Method, path: &[&str], query: Query<'_>) -> reqwest::RequestBuilder {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http.request(method, url);
        if let Some(person) = &self.person {
            request = request.header("autoopt-person", person.clone());
        }
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Reads an answer of JSON.
    async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, Fault> {
        let bytes = response.bytes().await.map_err(|e| self.broken_off(e))?;
        serde_json::from_slice(&bytes).map_err(|e| {
            Fault::failed(format!("{} does not answer as a coordinator does", self.server()))
                .because(e)
                .next("`autoopt --version` and `autoopt-coordinator --version` have to be the same")
        })
    }

    /// Sends, and turns every refusal into a fault.
    async fn checked(&self, request: reqwest::RequestBuilder) -> Result<Response, Fault> {
        let response = request.send().await.map_err(|e| self.broken_off(e))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let error = match response.json().await {
            Ok(ErrorBody { error }) => error,
            Err(_) => ErrorView {
                code: String::new(),
                message: format!("{} answered {status}", self.server()),
                problems: Vec::new(),
            },
        };
        Err(refusal(status, error))
    }

    fn broken_off(&self, error: reqwest::Error) -> Fault {
        Fault::new(Kind::Unreachable, format!("no coordinator answers at {}", self.server()))
            .because(error.without_url())
            .next("start autoopt-coordinator, or name its address: --server URL, or AUTOOPT_SERVER")
    }
}

fn address(text: &str) -> Result<Url, Fault> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| {
        Fault::new(Kind::Usage, format!("`{text}` is not the address of a coordinator"))
            .next("write it like http://127.0.0.1:7771: --server URL, or AUTOOPT_SERVER")
    })
}

fn refusal(status: StatusCode, error: ErrorView) -> Fault {
    let kind = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Kind::Unauthorised,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::PAYLOAD_TOO_LARGE => {
            Kind::Input
        }
        StatusCode::NOT_FOUND => Kind::Missing,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Kind::Unreachable
        }
        _ => Kind::Failed,
    };
    let fault = Fault::new(kind, error.message).with_problems(error.problems);
    if status == StatusCode::UNAUTHORIZED {
        return fault
            .next("name the file with the coordinator's token: --token-file FILE, or AUTOOPT_TOKEN_FILE");
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(server: &str, path: &[&str], query: Query<'_>) -> String {
        let server = Server { server: Some(server.into()), token_file: None };
        let client = Client::new(&server).unwrap();
        client.request(Method::GET, path, query).build().unwrap().url().to_string()
    }

    #[test]
    fn a_name_stays_one_segment_of_the_address() {
        rustls::crypto::ring::default_provider().install_default().ok();
        assert_eq!(
            path("http://h:1/", &["v1", "experiments", "a/b?c#d é", "pause"], &[]),
            "http://h:1/v1/experiments/a%2Fb%3Fc%23d%20%C3%A9/pause"
        );
        assert_eq!(
            path("https://h/behind/a/proxy", &["health"], &[("experiment", "a&b")]),
            "https://h/behind/a/proxy/health?experiment=a%26b"
        );
    }

    #[test]
    fn what_is_no_address_is_wrong_usage() {
        for text in ["127.0.0.1:7771", "ftp://h", ""] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
