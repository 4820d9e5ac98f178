//! What the services' configuration says of the things that are checked. The services themselves check the rest of it.

use std::path::{Path, PathBuf};

use autoopt_coordinator::store::StoreSettings;
use autoopt_epoch::service::config::{self, BusSettings};
use serde::Deserialize;

use crate::fault::{Fault, Kind};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    pub(super) bus: BusSettings,
    pub(super) store: StoreSettings,
    pub(super) api: Api,
    pub(super) worker: Worker,
}

/// The section `[api]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Api {
    pub(super) listen: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) people_file: Option<PathBuf>,
}

/// The section `[worker]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Worker {
    pub(super) state_dir: Option<PathBuf>,
}

impl Settings {
    pub(super) fn load(file: Option<&Path>) -> Result<Self, Fault> {
        config::load(file, &["bus", "store", "api", "worker"])
            .map_err(|e| Fault::new(Kind::Input, "the configuration is not right").because(e))
    }

    /// The files that nobody else may read.
    pub(super) fn secrets(&self) -> Vec<&Path> {
        let files = [&self.bus.url_file, &self.store.url_file, &self.api.token_file, &self.api.people_file];
        files.into_iter().filter_map(|file| file.as_deref()).collect()
    }
}
