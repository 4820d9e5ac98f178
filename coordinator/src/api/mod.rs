//! The HTTP API: what people and pages see of the coordinator, and how they tell it what they want.
//!
//! It reads from the store and hands wishes to the engine; it decides nothing. One file for each resource. The document
//! that describes it (`/openapi.json`) is made from the same types and kept in `coordinator/openapi.json`.

mod auth;
mod clusters;
mod columns;
mod dead_letters;
mod effects;
mod epochs;
mod error;
mod events;
mod experiments;
mod extract;
mod gauges;
mod health;
mod metrics;
mod openapi;
mod pages;
mod placements;
pub mod render;
mod serve;
mod settings;
mod timeline;
mod trials;
pub mod view;
mod whoami;
mod workers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aide::axum::ApiRouter;
use autoopt_epoch::bus::Bus;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use tokio::sync::SetOnce;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;

use crate::engine::Handle;
use crate::machine::Input;
use crate::store::Store;
use auth::Person;
use error::ApiError;

pub use openapi::document;
pub use serve::{listen, serve};
pub use settings::ApiSettings;

/// The largest request, in bytes.
const MAX_REQUEST: usize = 2 * 1024 * 1024;
/// A wish waits this long for an engine that is starting.
const STARTING: Duration = Duration::from_secs(5);

/// What the handlers share; cheap to clone.
#[derive(Clone)]
pub struct Api {
    store: Store,
    bus: Bus,
    /// Absent while another coordinator works.
    engine: Arc<SetOnce<Handle>>,
    tokens: auth::Tokens,
    stopping: CancellationToken,
}

impl Api {
    /// An API that only reads, until [`Api::lead`].
    pub fn new(store: Store, bus: Bus, token: Option<String>, stopping: CancellationToken) -> Self {
        let tokens = auth::Tokens { shared: token.map(Arc::from), people: Arc::default() };
        Self { store, bus, engine: Arc::default(), tokens, stopping }
    }

    /// These people have tokens of their own, by name.
    #[must_use]
    pub fn with_people(mut self, people: BTreeMap<String, String>) -> Self {
        self.tokens.people = Arc::new(people);
        self
    }

    /// From now on wishes go to this engine.
    pub fn lead(&self, engine: Handle) {
        // a coordinator leads once in its life
        let _ = self.engine.set(engine);
    }

    /// The engine; waits a moment for one that is just starting or taking over.
    async fn engine(&self) -> Result<&Handle, ApiError> {
        tokio::time::timeout(STARTING, self.engine.wait())
            .await
            .map_err(|_| ApiError::unavailable("this coordinator stands by; the one that works takes this"))
    }

    /// Gives the engine somebody's wish, and waits until what follows is on disk.
    async fn act(&self, input: Input, Person(by): Person) -> Result<(), ApiError> {
        Ok(self.engine().await?.input_by(input, by).await?)
    }

    /// Everything, at its address.
    pub fn router(self) -> Router {
        let mut document = openapi::about();
        let router = documented().finish_api_with(&mut document, openapi::common);
        let check = axum::middleware::from_fn_with_state(self.clone(), auth::check);
        router
            .merge(openapi::route(document))
            .merge(metrics::route())
            .layer(check)
            // a load balancer that asks after it has no token, and learns nothing
            .merge(health::route())
            // the dashboard itself holds nothing of an experiment
            .merge(pages::routes())
            .fallback(no_such_place)
            .method_not_allowed_fallback(no_such_method)
            .layer(DefaultBodyLimit::max(MAX_REQUEST))
            // not the event stream, which has to go out at once
            .layer(CompressionLayer::new())
            // what fails says so itself
            .layer(tower_http::trace::TraceLayer::new_for_http().on_failure(()))
            .with_state(self)
    }
}

fn documented() -> ApiRouter<Api> {
    ApiRouter::new()
        .merge(experiments::routes())
        .merge(trials::routes())
        .merge(epochs::routes())
        .merge(events::routes())
        .merge(clusters::routes())
        .merge(columns::routes())
        .merge(timeline::routes())
        .merge(workers::routes())
        .merge(placements::routes())
        .merge(effects::routes())
        .merge(dead_letters::routes())
        .merge(whoami::routes())
}

async fn no_such_place(uri: axum::http::Uri) -> ApiError {
    ApiError::not_found(format!("there is nothing at `{}`; `/openapi.json` lists what there is", uri.path()))
}

async fn no_such_method() -> ApiError {
    ApiError::no_such_method()
}
