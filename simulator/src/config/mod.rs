//! The file that describes a simulated cloud (TOML or JSON), its defaults and its checks.

mod check;
mod guest;
mod inventory;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::faults::Faults;
pub use check::Problem;
pub use guest::{GuestConfig, Noise};
pub use inventory::{AggregateConfig, FlavorConfig, HostConfig, ImageConfig, NetworkConfig, Quota};

/// The commented example; without its comments, the default configuration.
pub const EXAMPLE: &str = include_str!("example.toml");

/// A simulated cloud.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Every random choice follows from it, and from the order of requests.
    #[serde(default)]
    pub seed: u64,
    #[serde(default)]
    pub identity: Identity,
    #[serde(default)]
    pub clock: ClockConfig,
    #[serde(default)]
    pub scheduler: SchedulerConfig,
    #[serde(default)]
    pub compute: ComputeConfig,
    #[serde(default)]
    pub guest: GuestConfig,
    #[serde(default)]
    pub noise: Noise,
    #[serde(default)]
    pub quota: Quota,
    #[serde(default)]
    pub faults: Faults,
    #[serde(rename = "host")]
    pub hosts: Vec<HostConfig>,
    #[serde(rename = "flavor")]
    pub flavors: Vec<FlavorConfig>,
    #[serde(rename = "image")]
    pub images: Vec<ImageConfig>,
    #[serde(default, rename = "aggregate")]
    pub aggregates: Vec<AggregateConfig>,
    #[serde(rename = "network")]
    pub networks: Vec<NetworkConfig>,
}

/// Who may log in; the one user is administrator of the one project.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    pub user: String,
    pub password: String,
    pub project: String,
    pub domain: String,
    pub region: String,
    /// Of a token, in seconds of real time.
    pub token_lifetime: f64,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            user: "admin".into(),
            password: "simulator".into(),
            project: "admin".into(),
            domain: "Default".into(),
            region: "RegionOne".into(),
            token_lifetime: 3600.0,
        }
    }
}

/// How virtual time passes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ClockConfig {
    /// `speed` virtual seconds in a second of real time.
    Scaled { speed: f64 },
    /// `step` virtual seconds with every API request, and none between them: the same requests give the same results.
    Step { step: f64 },
}

impl Default for ClockConfig {
    fn default() -> Self {
        Self::Step { step: 2.0 }
    }
}

/// nova-scheduler.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SchedulerConfig {
    /// Major version of nova whose weighers there are: 26 Zed, 27 Antelope, 28 Bobcat, 29 Caracal, 30 Dalmatian, 31 Epoxy …
    pub release: u32,
    /// nova.conf's text, of which the scheduler's options are read.
    pub conf: String,
    /// Its `*.conf` files are read after it, in alphabetical order, whenever nova-scheduler starts.
    pub config_dir: Option<PathBuf>,
    /// How long a restart takes, in virtual seconds; requests wait meanwhile.
    pub restart: f64,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self { release: 26, conf: "[metrics]\nrequired = false\n".into(), config_dir: None, restart: 6.0 }
    }
}

/// nova-compute and the hypervisor; virtual seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ComputeConfig {
    /// From the request to the start of the build: API, conductor, scheduler.
    pub schedule: f64,
    /// From the start of the build to ACTIVE.
    pub build: f64,
    /// How long a deletion takes.
    pub delete: f64,
    /// Between two reports of a host's resources and metrics (nova's `update_resources_interval`).
    pub update_interval: f64,
    /// Failed builds in a row after which a host's service is disabled (nova's `consecutive_build_service_disable_threshold`; 0 never).
    pub disable_after_failures: u32,
}

impl Default for ComputeConfig {
    fn default() -> Self {
        Self { schedule: 1.0, build: 8.0, delete: 2.0, update_interval: 60.0, disable_after_failures: 10 }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{file}: {message}")]
    Syntax { file: String, message: String },
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Problems(Vec<Problem>),
}

impl Config {
    /// Reads `path`: JSON if its name ends in `.json`, else TOML.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let syntax = |message: String| ConfigError::Syntax { file: path.display().to_string(), message };
        if path.extension().is_some_and(|e| e == "json") {
            let config: Self = serde_json::from_str(&text).map_err(|e| syntax(e.to_string()))?;
            return config.checked();
        }
        let mut config = Self::from_toml(&text).map_err(|e| match e {
            ConfigError::Syntax { message, .. } => syntax(message),
            other => other,
        })?;
        // a relative directory is beside the file
        if let (Some(directory), Some(parent)) = (&mut config.scheduler.config_dir, path.parent()) {
            *directory = parent.join(&*directory);
        }
        Ok(config)
    }

    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)
            .map_err(|e| ConfigError::Syntax { file: "configuration".into(), message: e.to_string() })?;
        config.checked()
    }

    fn checked(self) -> Result<Self, ConfigError> {
        let problems = check::problems(&self);
        if problems.is_empty() { Ok(self) } else { Err(ConfigError::Problems(problems)) }
    }
}

impl Default for Config {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "the example is compiled in, and a test reads it")]
        Self::from_toml(EXAMPLE).expect("the example is a valid configuration")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_valid_and_survives_a_round_trip_through_json() {
        let config = Config::default();
        assert_eq!(config.hosts.len(), 6);
        let json = serde_json::to_string(&config).unwrap();
        let again: Config = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), json);
    }

    #[test]
    fn every_mistake_is_named_with_its_place() {
        let text = EXAMPLE.replacen("vcpus = 48", "vcpus = 0", 1);
        let error = Config::from_toml(&text).unwrap_err().to_string();
        assert!(error.contains("host.0.vcpus"), "{error}");
        let error = Config::from_toml("[[hosts]]\nname = \"a\"").unwrap_err().to_string();
        assert!(error.contains("hosts"), "{error}");
    }
}
