//! The APIs: one router over one state.

mod answer;
mod call;
mod control;
mod error;
mod glance;
mod keystone;
mod neutron;
mod nova;
mod placement;
mod tokens;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;
use jiff::Timestamp;

use crate::clock::Clock;
use crate::cloud::Cloud;
use crate::config::Config;
use error::ApiError;
use tokens::Tokens;

pub use error::Service;

/// What all handlers share.
#[derive(Clone, Debug)]
pub struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// `http://ADDRESS:PORT`, without a slash at the end.
    base: String,
    requests: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) cloud: Cloud,
    pub(crate) clock: Clock,
    pub(crate) tokens: Tokens,
}

impl State {
    /// Lets what is due happen.
    pub(crate) fn catch_up(&mut self) {
        let wall = Timestamp::now();
        let now = self.clock.now(wall);
        self.cloud.advance(now, wall);
    }
}

impl App {
    pub fn new(config: Config, base: String) -> Self {
        let wall = Timestamp::now();
        let state = State {
            clock: Clock::new(config.clock, wall),
            tokens: Tokens::new(config.seed, config.identity.token_lifetime),
            cloud: Cloud::new(config, wall),
        };
        Self(Arc::new(Shared { state: Mutex::new(state), base, requests: AtomicU64::new(0) }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // a panic in one request does not take the cloud from the others
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn base(&self) -> &str {
        &self.0.base
    }

    fn request_number(&self) -> u64 {
        self.0.requests.fetch_add(1, Ordering::Relaxed)
    }
}

/// All services.
pub fn router(app: App) -> Router {
    Router::new()
        .merge(keystone::routes())
        .merge(nova::routes())
        .merge(neutron::routes())
        .merge(glance::routes())
        .merge(placement::routes())
        .merge(control::routes())
        .fallback(async |method: Method, uri: Uri| {
            ApiError::new(404, format!("The simulator has no {method} {}", uri.path()))
        })
        .method_not_allowed_fallback(async |method: Method, uri: Uri| {
            ApiError::new(405, format!("The simulator has no {method} {}", uri.path()))
        })
        .layer(from_fn_with_state(app.clone(), answer::answer))
        .with_state(app)
}
