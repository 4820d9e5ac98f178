//! Logging to standard error, for people or as JSON.

use std::io::IsTerminal;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// The section `[log]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// Such as `info` or `info,lapin=warn`; the variable `RUST_LOG` wins.
    pub filter: String,
    /// For people, or one JSON object per line.
    pub format: LogFormat,
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
        Self { filter: "info,lapin=off".into(), format: LogFormat::Text }
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

/// Starts logging; a second call has no effect.
pub fn init(settings: &LogSettings) -> Result<(), BadFilter> {
    let filter = std::env::var("RUST_LOG")
        .ok()
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| settings.filter.clone());
    let parsed =
        EnvFilter::try_new(&filter).map_err(|error| BadFilter { filter, reason: error.to_string() })?;
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines =
        tracing_subscriber::fmt().with_env_filter(parsed).with_ansi(colours).with_writer(std::io::stderr);
    // an error means that logging is set up already, as in tests
    let _ = match settings.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
}
