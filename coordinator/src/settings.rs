//! The coordinator's configuration.

use std::path::PathBuf;

use autoopt_coordinator::api::ApiSettings;
use autoopt_epoch::service::config::{BusSettings, ConfigError, redacted};
use autoopt_epoch::service::telemetry::LogSettings;
use serde::Deserialize;

/// The sections it reads.
pub(crate) const SECTIONS: [&str; 4] = ["bus", "log", "store", "api"];

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) bus: BusSettings,
    pub(crate) log: LogSettings,
    pub(crate) store: StoreSettings,
    pub(crate) api: ApiSettings,
}

/// The section `[store]`.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StoreSettings {
    /// `sqlite://PATH?mode=rwc` or `postgres://user:password@host/database`
    url: String,
    /// A file that holds the URL; wins over `url`, and keeps the password out of the configuration.
    url_file: Option<PathBuf>,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { url: "sqlite://autoopt.sqlite?mode=rwc".into(), url_file: None }
    }
}

impl StoreSettings {
    /// The URL, from its file if there is one.
    pub(crate) fn resolve_url(&self) -> Result<String, ConfigError> {
        let Some(path) = &self.url_file else { return Ok(self.url.clone()) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
        Ok(text.trim().to_owned())
    }
}

impl std::fmt::Debug for StoreSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreSettings")
            .field("url", &redacted(&self.url))
            .field("url_file", &self.url_file)
            .finish()
    }
}
