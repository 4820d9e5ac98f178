//! The coordinator's configuration.

use autoopt_coordinator::api::ApiSettings;
use autoopt_coordinator::store::StoreSettings;
use autoopt_epoch::service::config::BusSettings;
use autoopt_epoch::service::telemetry::LogSettings;
use serde::Deserialize;

/// The sections it reads.
pub(crate) const SECTIONS: [&str; 4] = ["bus", "log", "store", "api"];
/// Where the store is, if nothing says so.
pub(crate) const STORE: &str = "sqlite://autoopt.sqlite?mode=rwc";

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) bus: BusSettings,
    pub(crate) log: LogSettings,
    pub(crate) store: StoreSettings,
    pub(crate) api: ApiSettings,
}
