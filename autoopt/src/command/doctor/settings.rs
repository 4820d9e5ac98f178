//! What the services' configuration says of the things that are checked. The services themselves check the rest of it.

use std::path::{Path, PathBuf};

use autoopt_epoch::service::config::{self, BusSettings, ConfigError};
use serde::Deserialize;

use crate::fault::{Fault, Kind};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    pub(super) bus: BusSettings,
    pub(super) store: Store,
    pub(super) api: Api,
    pub(super) worker: Worker,
}

/// The section `[store]`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Store {
    url: Option<String>,
    url_file: Option<PathBuf>,
}

/// The section `[api]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Api {
    pub(super) listen: Option<String>,
    pub(super) token_file: Option<PathBuf>,
}

/// The section `[worker]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Worker {
    pub(super) state_dir: Option<PathBuf>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // the URL may hold a password
        f.debug_struct("Store").field("url_file", &self.url_file).finish_non_exhaustive()
    }
}

impl Settings {
    pub(super) fn load(file: Option<&Path>) -> Result<Self, Fault> {
        config::load(file, &["bus", "store", "api", "worker"])
            .map_err(|e| Fault::new(Kind::Input, "the configuration is not right").because(e))
    }

    /// The files that nobody else may read.
    pub(super) fn secrets(&self) -> Vec<&Path> {
        let files = [&self.bus.url_file, &self.store.url_file, &self.api.token_file];
        files.into_iter().filter_map(|file| file.as_deref()).collect()
    }
}

impl Store {
    /// The URL, from its file if there is one; `None` if nothing names a database.
    pub(super) fn resolve_url(&self) -> Result<Option<String>, ConfigError> {
        let Some(path) = &self.url_file else { return Ok(self.url.clone()) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
        Ok(Some(text.trim().to_owned()))
    }
}
