//! Configuration: defaults, then a TOML file, then the environment (`AUTOOPT_SECTION__KEY`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::bus::amqp::{self, AmqpSettings};
use crate::bus::{Bus, BusError};
use crate::time::Period;

/// The sections of the common file. A service skips those that it does not read.
pub const SECTIONS: [&str; 12] = [
    "bus",
    "log",
    "store",
    "api",
    "coordinator",
    "worker",
    "apply",
    "load",
    "bench",
    "collect",
    "openstack",
    "optimizer",
];
/// Where the file is, if no `--config` says so. It has no `__`, so it is not taken for a setting.
pub const PATH_VARIABLE: &str = "AUTOOPT_CONFIG";
const PREFIX: &str = "AUTOOPT";

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file, named explicitly or by [`PATH_VARIABLE`], cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// It is not TOML.
    #[error("{} is not valid TOML: {reason}", path.display())]
    Syntax { path: PathBuf, reason: String },
    /// A key that nobody knows, or a value of the wrong type.
    #[error("{origin}: {reason}")]
    Invalid { origin: String, reason: String },
}

/// Reads `T`, which takes the given `sections`, from `file` or [`PATH_VARIABLE`] and the environment.
///
/// `T` and the structures in it should have `#[serde(default, deny_unknown_fields)]`.
pub fn load<T: DeserializeOwned>(file: Option<&Path>, sections: &[&str]) -> Result<T, ConfigError> {
    let variable = std::env::var_os(PATH_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    let path = file.map(Path::to_path_buf).or(variable);
    load_from(
        path.as_deref(),
        sections,
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))),
    )
}

fn load_from<T: DeserializeOwned>(
    path: Option<&Path>,
    sections: &[&str],
    environment: impl Iterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let foreign = |section: &str| SECTIONS.contains(&section) && !sections.contains(&section);
    let mut builder = ::config::Config::builder();
    let mut origin = "the environment".to_owned();
    if let Some(path) = path {
        origin = format!("{} or the environment", path.display());
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
        let syntax = |reason: String| ConfigError::Syntax { path: path.into(), reason };
        let mut table: toml::Table = toml::from_str(&text).map_err(|error| syntax(error.to_string()))?;
        table.retain(|section, _| !foreign(section));
        let own = toml::to_string(&table).map_err(|error| syntax(error.to_string()))?;
        builder = builder.add_source(::config::File::from_str(&own, ::config::FileFormat::Toml));
    }
    let settings: HashMap<String, String> = environment
        .filter(|(name, _)| {
            let rest = name.strip_prefix("AUTOOPT_").and_then(|rest| rest.split_once("__"));
            // `AUTOOPT_PARAMETER_…` is what a command of a worker sees
            rest.is_some_and(|(section, _)| {
                !section.starts_with("PARAMETER_") && !foreign(&section.to_lowercase())
            })
        })
        .collect();
    // not parsed here: each setting reads its own type from the text, and a name such as `007` stays what it is
    let environment = ::config::Environment::with_prefix(PREFIX)
        .prefix_separator("_")
        .separator("__")
        .source(Some(settings));
    builder
        .add_source(environment)
        .build()
        .and_then(::config::Config::try_deserialize)
        .map_err(|error| ConfigError::Invalid { origin, reason: with_hint(&error.to_string()) })
}

/// Adds the nearest valid key to serde's "unknown field `x`, expected one of `a`, `b`".
fn with_hint(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (true, Some(given)) = (message.contains("unknown field"), quoted.next()) else {
        return message.into();
    };
    quoted
        .map(|key| (strsim::jaro_winkler(given, key), key))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(|| message.into(), |(_, key)| format!("{message}; did you mean `{key}`?"))
}

/// Reads a list of words; in the environment, which knows only texts, they are separated by commas.
pub fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a list of words")]
    enum Given {
        List(Vec<String>),
        Text(String),
    }
    Ok(match Given::deserialize(deserializer)? {
        Given::List(words) => words,
        Given::Text(text) => {
            text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
        }
    })
}

/// What a file with a secret holds, without the white space around it.
pub fn secret(path: &Path) -> Result<String, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
    Ok(text.trim().to_owned())
}

/// The section `[bus]`.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusSettings {
    /// `amqp://user:password@host:port/vhost` or `amqps://…`
    pub url: String,
    /// A file that holds the URL; wins over `url`, and keeps the password out of the configuration.
    pub url_file: Option<PathBuf>,
    /// How long a publish may take to be confirmed, reconnection included.
    pub confirm_timeout: Period,
    /// Without the broker for this long, the service exits to be started afresh.
    pub lost_after: Period,
}

impl Default for BusSettings {
    fn default() -> Self {
        Self {
            url: "amqp://guest:guest@127.0.0.1:5672/%2f".into(),
            url_file: None,
            confirm_timeout: Period::seconds(30),
            lost_after: Period::seconds(60),
        }
    }
}

impl BusSettings {
    /// The URL, from its file if there is one.
    pub fn resolve_url(&self) -> Result<String, ConfigError> {
        self.url_file.as_deref().map_or_else(|| Ok(self.url.clone()), secret)
    }

    /// Connects; waits for a broker that is not there yet.
    pub async fn connect(&self, name: &str) -> Result<Bus, ConnectError> {
        let settings = AmqpSettings {
            confirm_timeout: self.confirm_timeout.0,
            lost_after: self.lost_after.0,
            ..AmqpSettings::new(self.resolve_url()?, name)
        };
        Ok(amqp::connect(settings).await?)
    }
}

impl std::fmt::Debug for BusSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BusSettings")
            .field("url", &redacted(&self.url))
            .field("url_file", &self.url_file)
            .field("confirm_timeout", &self.confirm_timeout)
            .field("lost_after", &self.lost_after)
            .finish()
    }
}

/// Why there is no bus.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// A URL as it may be shown: without its password.
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "…".into() };
    match rest.rsplit_once('@') {
        Some((user, place)) => {
            let name = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{name}:…@{place}")
        }
        None => url.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        bus: BusSettings,
        apply: Apply,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Apply {
        prefetch: u16,
        group: String,
        #[serde(deserialize_with = "words")]
        clusters: Vec<String>,
        strict: bool,
    }

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("autoopt.toml");
        std::fs::write(&path, text).unwrap();
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        load_from(Some(&path), &["bus", "apply"], environment)
    }

    #[test]
    fn the_environment_wins_over_the_file_and_other_sections_are_skipped() {
        let settings = read(
            "[apply]\nprefetch = 3\ngroup = 'a'\n[optimizer]\nanything = 1\n",
            &[
                ("AUTOOPT_APPLY__PREFETCH", "7"),
                ("AUTOOPT_CONFIG", "x"),
                ("AUTOOPT_PARAMETER_A__B", "1"),
                ("AUTOOPT_OPTIMIZER__X", "1"),
                ("AUTOOPT_BUS__LOST_AFTER", "5s"),
            ],
        )
        .unwrap();
        assert_eq!((settings.apply.prefetch, settings.apply.group.as_str()), (7, "a"));
        assert_eq!(settings.bus.lost_after, Period::seconds(5));
    }

    #[test]
    fn lists_and_names_that_look_like_numbers_come_from_the_environment_too() {
        let file = "[apply]\ngroup = 'a'\nclusters = ['one', 'two']\n";
        assert_eq!(read(file, &[]).unwrap().apply.clusters, ["one", "two"]);
        let given = [
            ("AUTOOPT_APPLY__GROUP", "007"),
            ("AUTOOPT_APPLY__CLUSTERS", "lab-1, 1e5,"),
            ("AUTOOPT_APPLY__STRICT", "true"),
        ];
        let apply = read(file, &given).unwrap().apply;
        assert_eq!((apply.group.as_str(), apply.strict), ("007", true));
        assert_eq!(apply.clusters, ["lab-1", "1e5"]);
        assert_eq!(read(file, &[("AUTOOPT_APPLY__CLUSTERS", "")]).unwrap().apply.clusters, [""; 0]);
        let message = read("[apply]\nclusters = 3\n", &[]).unwrap_err().to_string();
        assert!(message.contains("list of words"), "{message}");
    }

    #[test]
    fn mistakes_are_named_with_the_nearest_key() {
        let message = read("[apply]\nprefetsh = 3\n", &[]).unwrap_err().to_string();
        assert!(message.contains("did you mean `prefetch`?"), "{message}");
        let message = read("[aply]\nprefetch = 3\n", &[]).unwrap_err().to_string();
        assert!(message.contains("did you mean `apply`?"), "{message}");
        let message = read("", &[("AUTOOPT_APPLY__PREFETCH", "many")]).unwrap_err().to_string();
        assert!(message.contains("prefetch"), "{message}");
        let missing = load_from::<Settings>(Some(Path::new("/nowhere/a.toml")), &[], std::iter::empty());
        assert!(matches!(missing, Err(ConfigError::Unreadable { .. })));
    }

    #[test]
    fn a_password_is_never_shown() {
        let bus = BusSettings { url: "amqp://me:se@cret@host:1/v".into(), ..BusSettings::default() };
        let shown = format!("{bus:?}");
        assert!(shown.contains("amqp://me:…@host:1/v") && !shown.contains("cret@"), "{shown}");
    }
}
