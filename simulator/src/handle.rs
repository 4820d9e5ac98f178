//! A running simulator within this process.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::{App, Service, router};
use crate::cloud::Cloud;
use crate::config::{Config, Identity};
use crate::faults::{Fault, Trigger};

/// A simulated cloud with its HTTP server; it ends when this is dropped.
#[derive(Debug)]
pub struct Simulator {
    app: App,
    address: SocketAddr,
    identity: Identity,
    stop: CancellationToken,
    serving: Option<JoinHandle<std::io::Result<()>>>,
}

impl Simulator {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start(config: Config) -> std::io::Result<Self> {
        Self::listen(config, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts on `address`; port 0 is any free one.
    pub async fn listen(config: Config, address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let identity = config.identity.clone();
        let app = App::new(config, format!("http://{address}"));
        let stop = CancellationToken::new();
        let ended = stop.clone().cancelled_owned();
        let router = router(app.clone());
        let serving =
            tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(ended).await });
        Ok(Self { app, address, identity, stop, serving: Some(serving) })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Keystone's address, `OS_AUTH_URL`.
    pub fn auth_url(&self) -> String {
        format!("{}/{}/v3", self.url(), Service::Identity.prefix())
    }

    /// A clouds.yaml with this cloud as `name`.
    pub fn clouds_yaml(&self, name: &str) -> String {
        let Identity { user, password, project, domain, region, .. } = &self.identity;
        // a JSON string is a YAML string
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        format!(
            "clouds:\n  {}:\n    auth:\n      auth_url: {}\n      username: {}\n      password: {}\n      project_name: {}\n      \
             user_domain_name: {}\n      project_domain_name: {}\n    region_name: {}\n    interface: public\n    identity_api_version: 3\n",
            quoted(name),
            quoted(&self.auth_url()),
            quoted(user),
            quoted(password),
            quoted(project),
            quoted(domain),
            quoted(domain),
            quoted(region)
        )
    }

    /// Looks at or changes the cloud, all that is due having happened.
    pub fn with<T>(&self, look: impl FnOnce(&mut Cloud) -> T) -> T {
        let mut state = self.app.lock();
        state.catch_up();
        look(&mut state.cloud)
    }

    /// Restarts nova-scheduler; the reason if it does not come back.
    pub fn restart_scheduler(&self) -> Result<(), String> {
        self.with(|cloud| {
            cloud.restart_scheduler();
            cloud.scheduler.failure.clone().map_or(Ok(()), Err)
        })
    }

    /// Arms a fault.
    pub fn set_fault(&self, fault: Fault, trigger: Trigger) {
        self.with(|cloud| cloud.faults.set(fault, trigger));
    }

    /// Lets so many virtual seconds pass.
    pub fn advance(&self, by: std::time::Duration) {
        let mut state = self.app.lock();
        state.clock.advance(by);
        state.catch_up();
    }

    /// Ends it once the requests under way are answered.
    pub async fn stop(mut self) -> std::io::Result<()> {
        self.stop.cancel();
        match self.serving.take() {
            Some(serving) => serving.await.unwrap_or_else(|e| Err(std::io::Error::other(e))),
            None => Ok(()),
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
