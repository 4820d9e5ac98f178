//! Logging: to standard error, for people or as JSON, and to the log that all services share.

use std::io::IsTerminal;

use serde::Deserialize;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, fmt};

use crate::log::Origin;
use crate::log::collect::{collect, wanted};
use crate::log::ship::Records;

/// The section `[log]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// Such as `info` or `info,lapin=warn`; the variable `RUST_LOG` wins.
    pub filter: String,
    /// For people, or one JSON object per line.
    pub format: LogFormat,
    /// Whether the broker keeps what is logged as well, for `autoopt logs`.
    pub share: bool,
    /// Where spans are sent, such as `http://127.0.0.1:4318/v1/traces` (OTLP over HTTP); needs the feature `otel`.
    pub traces: Option<String>,
}

/// The shape of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl Default for LogSettings {
    fn default() -> Self {
        // the client library logs each failed attempt to connect as an error; the bus says it more calmly
        Self { filter: "info,lapin=off".into(), format: LogFormat::Text, share: true, traces: None }
    }
}

/// The filter cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error(
    "the log filter `{filter}` is not valid ({reason}); write for example `info` or `info,autoopt_epoch=debug`"
)]
pub struct BadFilter {
    filter: String,
    reason: String,
}

/// Starts logging; a second call has no effect. Returns what is to be shared.
pub(crate) fn init(origin: &Origin, settings: &LogSettings) -> Result<Option<Records>, BadFilter> {
    let filter = std::env::var("RUST_LOG")
        .ok()
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| settings.filter.clone());
    let parsed =
        EnvFilter::try_new(&filter).map_err(|error| BadFilter { filter, reason: error.to_string() })?;
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = fmt::layer().with_ansi(colours).with_writer(std::io::stderr);
    let lines = match settings.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let (shared, records) = settings.share.then(|| collect(origin.clone())).unzip();
    let shared = shared.map(|layer| layer.with_filter(filter_fn(wanted)));
    // an error means that logging is set up already, as in tests
    let _ = tracing_subscriber::registry().with(parsed).with(lines).with(shared).try_init();
    Ok(records)
}

/// This host's name.
pub fn host() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(read.trim()).filter(|name| !name.is_empty()).unwrap_or("host").to_owned()
}
