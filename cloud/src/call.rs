//! One call to a service of a cloud: time-out, renewal of the token, retries, and its error.

use std::time::{Duration, Instant};

use osauth::ApiVersion;
use osauth::services::ServiceType;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Cloud;
use crate::error::{Error, ErrorKind};
use crate::session::kind_of;

/// The first pause before a call is repeated; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause, also where the cloud asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Compute 2.64 (Rocky, 18.0): hosts and services by uuid (2.53), the flavor within a server (2.47), server groups with one
/// policy (2.64).
const COMPUTE_VERSION: &str = "compute 2.64";
/// Placement 1.28 (Rocky, 18.0): allocations with their generation.
const PLACEMENT_VERSION: &str = "placement 1.28";

/// A service by its type in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Compute,
    Network,
    Image,
    Volume,
    Placement,
    Orchestration,
}

impl ServiceType for Service {
    fn catalog_type(&self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Network => "network",
            Self::Image => "image",
            Self::Volume => "volumev3",
            Self::Placement => "placement",
            Self::Orchestration => "orchestration",
        }
    }

    fn major_version_supported(&self, version: ApiVersion) -> bool {
        version.0 == 2
    }

    /// The addresses of the others stand in the catalogue with version and project, and tell nothing when asked.
    fn version_discovery_supported(&self) -> bool {
        matches!(self, Self::Compute | Self::Network | Self::Image)
    }
}

/// A call to make.
pub(crate) struct Call<'a> {
    pub(crate) service: Service,
    pub(crate) method: Method,
    pub(crate) path: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<Value>,
    /// Whether making it twice has the effect of making it once.
    pub(crate) repeatable: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn new(method: Method, service: Service, path: &'a [&'a str]) -> Self {
        let repeatable = method != Method::POST;
        Self { service, method, path, query: &[], body: None, repeatable }
    }

    pub(crate) fn get(service: Service, path: &'a [&'a str]) -> Self {
        Self::new(Method::GET, service, path)
    }

    pub(crate) fn post(service: Service, path: &'a [&'a str], body: Value) -> Self {
        Self::new(Method::POST, service, path).with(body)
    }

    pub(crate) fn delete(service: Service, path: &'a [&'a str]) -> Self {
        Self::new(Method::DELETE, service, path)
    }

    pub(crate) fn with(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) const fn query(mut self, query: &'a [(&'a str, &'a str)]) -> Self {
        self.query = query;
        self
    }

    pub(crate) const fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    fn name(&self) -> String {
        format!("{} {}/{}", self.method, self.service.catalog_type(), self.path.join("/"))
    }
}

/// After the attempt of this number, from 1.
pub(crate) fn pause(attempt: u32) -> Duration {
    let doubled = PAUSE * 2_u32.saturating_pow(attempt - 1).min(1 << 10);
    // spread, so that workers that failed together do not come back together
    doubled.mul_f64(rand::random_range(0.5..1.0)).min(LONGEST_PAUSE)
}

impl Cloud {
    /// Makes a call; if it can be repeated, again after faults that pass.
    pub(crate) async fn call(&self, call: &Call<'_>) -> Result<Value, Error> {
        let mut attempt = 1;
        loop {
            let (error, asked) = match self.renewing(call).await {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            if !(call.repeatable && error.kind.passes()) || attempt >= self.attempts() {
                return Err(error);
            }
            let pause = pause(attempt).max(asked).min(LONGEST_PAUSE);
            tracing::debug!(%error, ?pause, "a call is repeated");
            self.wait(pause).await;
            attempt += 1;
        }
    }

    /// As [`Self::call`], into a type; `key` is the answer's only member, if it has one.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, call: &Call<'_>, key: &str) -> Result<T, Error> {
        let mut value = self.call(call).await?;
        let inner = if key.is_empty() { value } else { value[key].take() };
        serde_json::from_value(inner).map_err(|error| {
            Error::new(ErrorKind::Unusable, call.name(), format!("`{key}` in the answer: {error}"))
        })
    }

    /// All pages of a list.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        service: Service,
        path: &[&str],
        key: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            query.extend(marker.as_deref().map(|id| ("marker", id)));
            let call = Call::get(service, path).query(&query);
            let mut page = self.call(&call).await?;
            let more = page[format!("{key}_links")]
                .as_array()
                .is_some_and(|links| links.iter().any(|l| l["rel"] == "next"));
            let more = more || page["next"].is_string();
            let items = page[key].take();
            let last = items.as_array().and_then(|items| items.last()?["id"].as_str().map(str::to_owned));
            let items: Vec<T> = serde_json::from_value(items).map_err(|error| {
                Error::new(ErrorKind::Unusable, call.name(), format!("`{key}` in the answer: {error}"))
            })?;
            all.extend(items);
            if !more || last.is_none() || last == marker {
                return Ok(all);
            }
            marker = last;
        }
    }

    /// With a new token if the first was refused. Beside the error: how long the cloud asks to wait.
    async fn renewing(&self, call: &Call<'_>) -> Result<Value, (Error, Duration)> {
        let current = self.session().await;
        match self.once(call, &current.session).await {
            Err((error, _)) if error.kind == ErrorKind::Unauthorized => {
                self.renew(current.number).await.map_err(|error| (error, Duration::ZERO))?;
                self.once(call, &self.session().await.session).await
            }
            result => result,
        }
    }

    async fn once(&self, call: &Call<'_>, session: &osauth::Session) -> Result<Value, (Error, Duration)> {
        let failed = |kind, message: String| (Error::new(kind, call.name(), message), Duration::ZERO);
        let answer = async {
            let mut request = session.request(call.service, call.method.clone(), call.path).query(call.query);
            match call.service {
                Service::Compute => request = request.header("openstack-api-version", COMPUTE_VERSION),
                Service::Placement => request = request.header("openstack-api-version", PLACEMENT_VERSION),
                _ => {}
            }
            if let Some(body) = &call.body {
                request = request.json(body);
            }
            let response = request.send_unchecked().await.map_err(|e| failed(kind_of(&e), e.to_string()))?;
            let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
            let request_id = header("x-openstack-request-id").or_else(|| header("x-compute-request-id"));
            let asked = header("retry-after")
                .and_then(|text| text.parse().ok())
                .map_or(Duration::ZERO, Duration::from_secs);
            let status = response.status();
            let body = response.text().await.map_err(|e| failed(ErrorKind::Unreachable, e.to_string()))?;
            if !status.is_success() {
                return Err((Error::of_answer(call.name(), status.as_u16(), &body, request_id), asked));
            }
            if body.is_empty() {
                return Ok(Value::Null);
            }
            serde_json::from_str(&body).map_err(|error| {
                let (mut error, pause) =
                    failed(ErrorKind::Unusable, format!("the answer is not JSON: {error}"));
                error.request_id = request_id;
                (error, pause)
            })
        };
        let limit = self.timeout();
        let began = Instant::now();
        let answer = tokio::time::timeout(limit, answer)
            .await
            .unwrap_or_else(|_| Err(failed(ErrorKind::TimedOut, format!("no answer within {limit:?}"))));
        tracing::debug!(call = call.name(), took = ?began.elapsed(), ok = answer.is_ok(), "called");
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use autoopt_epoch::command::Cluster;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A cloud whose placement service gives these answers in turn, the last one for ever, and how often it was asked.
    async fn answering(answers: Vec<&'static str>) -> (Cloud, Arc<AtomicUsize>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let turn = count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answers[turn].as_bytes()).await;
            }
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("clouds.yaml");
        std::fs::write(&path, format!("clouds: {{x: {{auth_type: none, auth: {{endpoint: '{url}'}}}}}}"))
            .unwrap();
        let cluster =
            Cluster { cloud: Some("x".into()), clouds_file: Some(path), attempts: 3, ..Cluster::default() };
        (Cloud::connect("x", &cluster).await.unwrap(), asked)
    }

    const GOOD: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    const BUSY: &str =
        "HTTP/1.1 503 x\r\nconnection: close\r\nx-openstack-request-id: req-7\r\ncontent-length: 0\r\n\r\n";
    const REFUSED: &str = "HTTP/1.1 400 x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

    #[tokio::test]
    async fn what_can_be_repeated_is_repeated_after_faults_that_pass() {
        let (cloud, asked) = answering(vec![BUSY, "", GOOD]).await;
        cloud.call(&Call::get(Service::Placement, &["x"])).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 3);

        let (cloud, asked) = answering(vec![BUSY]).await;
        let error = cloud.call(&Call::get(Service::Placement, &["x"])).await.unwrap_err();
        assert_eq!((asked.load(Ordering::SeqCst), error.kind), (3, ErrorKind::Server));
        assert!(error.to_string().starts_with("GET placement/x: 503"), "{error}");
        assert!(error.to_string().ends_with("(request req-7)"), "{error}");
    }

    #[tokio::test]
    async fn a_creation_and_a_refusal_are_not_repeated() {
        let (cloud, asked) = answering(vec![BUSY]).await;
        cloud.call(&Call::post(Service::Placement, &["x"], Value::Null)).await.unwrap_err();
        assert_eq!(asked.load(Ordering::SeqCst), 1);

        let (cloud, asked) = answering(vec![REFUSED]).await;
        let error = cloud.call(&Call::get(Service::Placement, &["x"])).await.unwrap_err();
        assert_eq!((asked.load(Ordering::SeqCst), error.kind), (1, ErrorKind::Refused));
    }

    #[tokio::test]
    async fn a_token_that_was_revoked_is_replaced() {
        let directory =
            std::env::var_os("OPENSTACK_LAB_DIR").unwrap_or_else(|| "/var/lib/openstack-lab".into());
        let file = std::path::PathBuf::from(directory).join("clouds.yaml");
        let identity = "http://127.0.0.1:5000/v3/auth/tokens";
        if std::net::TcpStream::connect("127.0.0.1:5000").is_err() || !file.exists() {
            println!("SKIPPED: the lab is not up (deploy/lab/openstack-lab up)");
            return;
        }
        let cluster = Cluster { cloud: Some("lab".into()), clouds_file: Some(file), ..Cluster::default() };
        let cloud = Cloud::connect("lab", &cluster).await.unwrap();
        cloud.limits().await.unwrap();
        let client = reqwest::Client::new();
        let before = cloud.session().await;
        let revoke = before.session.auth_type().authenticate(&client, client.delete(identity)).await.unwrap();
        let mut revoke = revoke.build().unwrap();
        let token = revoke.headers()["x-auth-token"].clone();
        revoke.headers_mut().insert("x-subject-token", token);
        assert_eq!(client.execute(revoke).await.unwrap().status().as_u16(), 204);
        // keystonemiddleware keeps a token it has seen for a while, so only a service that has not will refuse it
        cloud.providers().await.unwrap();
        assert_eq!(cloud.session().await.number, before.number + 1);
    }
}
