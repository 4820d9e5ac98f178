//! The section `[store]`.

use std::path::PathBuf;

use autoopt_epoch::service::config::{ConfigError, redacted, secret};
use serde::Deserialize;

/// Where the store is.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// `sqlite://PATH?mode=rwc` or `postgres://user:password@host/database`
    url: Option<String>,
    /// A file that holds the URL; wins over `url`, and keeps the password out of the configuration.
    pub url_file: Option<PathBuf>,
    /// Raw output is deleted so many days after its experiment has ended; never, where this says nothing.
    pub raw_days: Option<u32>,
}

impl StoreSettings {
    /// The URL, from its file if there is one; `None` where nothing names a database.
    pub fn resolve_url(&self) -> Result<Option<String>, ConfigError> {
        self.url_file.as_deref().map_or_else(|| Ok(self.url.clone()), |path| secret(path).map(Some))
    }
}

impl std::fmt::Debug for StoreSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreSettings")
            .field("url", &self.url.as_deref().map(redacted))
            .field("url_file", &self.url_file)
            .field("raw_days", &self.raw_days)
            .finish()
    }
}
