//! A coordinator with its API, and workers that touch nothing, over the bus within the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use autoopt_coordinator::api::{self, Api, ApiSettings};
use autoopt_coordinator::engine::Engine;
use autoopt_coordinator::store::Store;
use autoopt_epoch::bus::Bus;
use autoopt_epoch::bus::memory::MemoryBus;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Action, Artifact, Done, Epoch, Stage};
use autoopt_epoch::worker::noop::Noop;
use autoopt_epoch::worker::{self, Backend, Backends, Context, WorkerSettings};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// The token of a person called ada.
pub(crate) const ADA: &str = "ada-s-own-token-0123456789";

/// What somebody may type wherever text is taken.
pub(crate) const SCRIPT: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>";

/// What the bench stage prints: no browser may take it for a page.
pub(crate) const PRINTED: &str = "<script>alert(1)</script> 1.5 µs\n";

/// Ends when it is dropped.
pub(crate) struct System {
    pub(crate) stop: CancellationToken,
    url: String,
    http: reqwest::Client,
    token: Option<&'static str>,
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    state: Option<tempfile::TempDir>,
}

/// What is in the place of the engine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Leads,
    StandsBy,
}

impl System {
    pub(crate) async fn start() -> Self {
        Self::with(Role::Leads, None).await
    }

    pub(crate) async fn with(role: Role, token: Option<&'static str>) -> Self {
        Self::on(tempfile::tempdir().unwrap(), role, token).await
    }

    /// On what another one left.
    pub(crate) async fn on(state: tempfile::TempDir, role: Role, token: Option<&'static str>) -> Self {
        let url = format!("sqlite://{}?mode=rwc", state.path().join("store.sqlite").display());
        let store = Store::open(&url).await.unwrap();
        let memory = MemoryBus::new();
        let stop = CancellationToken::new();
        let people = BTreeMap::from([("ada".to_owned(), ADA.to_owned())]);
        let api = Api::new(store.clone(), memory.bus(), token.map(Into::into), stop.clone());
        let api = if token.is_some() { api.with_people(people) } else { api };
        if role == Role::Leads {
            let (engine, handle) = Engine::new(store.clone(), memory.bus()).await.unwrap();
            api.lead(handle);
            tokio::spawn(engine.run(stop.clone()));
            tokio::spawn(autoopt_optimizer::serve(memory.bus(), stop.clone()));
        }
        for stage in Stage::ALL {
            let settings = WorkerSettings {
                name: "test".into(),
                group: "test".into(),
                clusters: vec!["*".into()],
                state_dir: state.path().join(stage.as_str()),
                drain: Duration::from_secs(1),
            };
            let backends = Backends::from([
                ("noop".to_owned(), Arc::new(Noop::default()) as Arc<dyn Backend>),
                ("prints".to_owned(), Arc::new(Prints)),
                ("noisy".to_owned(), Arc::new(Noisy)),
                ("traded".to_owned(), Arc::new(Traded)),
                ("hostile".to_owned(), Arc::new(Hostile)),
            ]);
            tokio::spawn(worker::run(stage, settings, backends, memory.bus(), stop.clone()));
        }
        let listen = ApiSettings { listen: ([127, 0, 0, 1], 0).into(), ..ApiSettings::default() };
        let listener = api::listen(&listen).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(api::serve(api, listener));
        let http = reqwest::Client::builder().no_gzip().build().unwrap();
        Self { stop, url, http, token, bus: memory.bus(), store, state: Some(state) }
    }

    /// Ends it; what it leaves is for [`System::on`].
    pub(crate) fn end(mut self) -> tempfile::TempDir {
        self.stop.cancel();
        self.state.take().unwrap()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The status, and the body if it is JSON.
    pub(crate) async fn answer(&self, request: reqwest::RequestBuilder) -> (StatusCode, Value) {
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.answer(self.request(Method::GET, path)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.answer(self.request(Method::POST, path).json(body)).await
    }

    /// `GET path` until `enough`.
    pub(crate) async fn until(&self, path: &str, enough: impl Fn(&Value) -> bool) -> Value {
        let wait = async {
            loop {
                let body = self.get(path).await;
                if enough(&body) {
                    return body;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it takes too long")
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An experiment that only people send trials to.
pub(crate) fn experiment(name: &str, trials: u32) -> Value {
    json!({
        "name": name, "clusters": ["here"], "budget": {"trials": trials},
        "algorithm": {"name": "nobody"},
        "parameters": [
            {"name": "x", "type": "float", "low": -5.0, "high": 5.0, "default": 2.0},
            {"name": "n", "type": "int", "low": 0, "high": 9, "default": 1},
        ],
        "apply": {"backend": "noop"}, "load": {"backend": "noop"},
        "bench": {"backend": "prints"}, "collect": {"backend": "noop"},
        "metrics": [{"name": "value", "parser": "key-value", "field": "value"}],
        "objective": {"maximize": "value"},
    })
}

/// Leaves raw output behind.
struct Prints;

#[async_trait::async_trait]
impl Backend for Prints {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        Noop::default().check(order)
    }

    async fn perform(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        let mut done = Noop::default().perform(order, context).await?;
        done.artifacts.push(Artifact::new("stdout", PRINTED.as_bytes(), false));
        // as a scheduler does: the same values, the same hosts
        let sum: f64 = order.parameters.values().filter_map(|v| v.as_f64()).sum();
        let host =
            |i: usize| format!("compute-{}", ((2.0 * sum).floor() as i64 + 3 * i as i64).rem_euclid(5));
        let servers = ["cache", "database", "queue", "web"].iter().enumerate();
        let placement: serde_json::Map<_, _> =
            servers.map(|(i, s)| ((*s).to_owned(), host(i).into())).collect();
        done.outputs.insert("placement".into(), placement.into());
        Ok(done)
    }
}

/// Measures with noise of 2 %, the same in the same epoch.
struct Noisy;

#[async_trait::async_trait]
impl Backend for Noisy {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        Noop::default().check(order)
    }

    async fn perform(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        let mut done = Noop::default().perform(order, context).await?;
        if let Some(measured) = &mut done.measurement {
            let lot = (order.epoch.0.as_u128() & 0xffff) as f64 / 65_535.0;
            let factor = 1.0 + 0.04 * (lot - 0.5);
            measured.objective *= factor;
            measured.metrics.values_mut().for_each(|value| *value *= factor);
        }
        Ok(done)
    }
}

/// Two objectives that are at odds: a rate, and the power that it takes. The cluster `fast` has twice the rate.
struct Traded;

#[async_trait::async_trait]
impl Backend for Traded {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        Noop::default().check(order)
    }

    async fn perform(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        // which knows one metric only
        let mut plain = order.clone();
        plain.measure.iter_mut().for_each(|m| m.other_objectives.clear());
        let mut done = Noop::default().perform(&plain, context).await?;
        if let Some(measured) = &mut done.measurement {
            let of = |name: &str| order.parameters.get(name).and_then(|v| v.as_f64()).unwrap_or_default();
            let (clock, idle) = (of("clock"), of("idle"));
            let times = if order.cluster == "fast" { 2.0 } else { 1.0 };
            let rate = times * 300.0 * (1.0 - (-clock).exp()) * (1.0 - 0.02 * idle);
            let power = 90.0 + 35.0 * clock + 4.0 * idle;
            measured.metrics = BTreeMap::from([("rate".to_owned(), rate), ("power".to_owned(), power)]);
            (measured.objective, measured.others) = (rate, vec![power]);
        }
        Ok(done)
    }
}

/// Has a script in everything that a stage can say, and fails with one where `x` is above 0.
struct Hostile;

#[async_trait::async_trait]
impl Backend for Hostile {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        Noop::default().check(order)
    }

    async fn perform(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        let runs = order.action == Action::Run;
        if runs && order.parameters.get("x").and_then(|v| v.as_f64()) > Some(0.0) {
            return Err(Failure::new(FailureKind::Infeasible, SCRIPT));
        }
        let mut done = Noop::default().perform(order, context).await?;
        done.artifacts.push(Artifact::new("stderr", SCRIPT.as_bytes(), false));
        done.outputs.insert("placement".into(), json!({SCRIPT: SCRIPT}));
        done.outputs.insert(SCRIPT.into(), SCRIPT.into());
        Ok(done)
    }
}
