//! What the four workers' `main`s have in common.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::noop::Noop;
use super::{Backends, WorkerSettings, run};
use crate::command::Commands;
use crate::message::Stage;
use crate::service::config::{self, BusSettings, PATH_VARIABLE};
use crate::service::telemetry::{LogSettings, host};
use crate::service::{self, Exit};
use crate::time::Period;

/// After the drain time: for ending what was cancelled, and for its reports.
const AFTER_DRAIN: Duration = Duration::from_secs(15);

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    bus: BusSettings,
    log: LogSettings,
    worker: Section,
}

/// The section `[worker]`, common to the four workers of a host.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Section {
    /// If absent, the host's name.
    name: Option<String>,
    group: String,
    #[serde(deserialize_with = "config::words")]
    clusters: Vec<String>,
    /// If absent, systemd's, else `autoopt-state`.
    state_dir: Option<PathBuf>,
    drain: Period,
}

impl Default for Section {
    fn default() -> Self {
        Self {
            name: None,
            group: "default".into(),
            clusters: vec!["*".into()],
            state_dir: None,
            drain: Period::seconds(15),
        }
    }
}

impl Section {
    fn check(self) -> Result<WorkerSettings, Exit> {
        let word = |key: &str, text: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            let fine = !text.is_empty() && text.chars().all(plain);
            let reason = || format!("worker.{key}: `{text}` has to consist of letters, digits, `-` and `_`");
            fine.then_some(()).ok_or_else(|| Exit::Usage(reason()))
        };
        word("group", &self.group)?;
        for cluster in self.clusters.iter().filter(|cluster| *cluster != "*") {
            word("clusters", cluster)?;
        }
        if self.clusters.is_empty() {
            return Err(Exit::Usage("worker.clusters: is empty; `[\"*\"]` serves every cluster".into()));
        }
        let state_dir = self.state_dir.or_else(|| std::env::var_os("STATE_DIRECTORY").map(PathBuf::from));
        Ok(WorkerSettings {
            name: self.name.unwrap_or_else(host),
            group: self.group,
            clusters: self.clusters,
            state_dir: state_dir.unwrap_or_else(|| "autoopt-state".into()),
            drain: self.drain.0,
        })
    }
}

/// The programs that `file`, or the file that the environment names, has for the workers.
fn commands(file: Option<&Path>) -> Result<Commands, Exit> {
    let variable = std::env::var_os(PATH_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    let path = file.map(Path::to_path_buf).or(variable);
    path.map_or_else(|| Ok(Commands::default()), |path| Ok(Commands::load(&path)?))
}

/// A worker's `main`: reads `file` (`--config`), and serves `stage` with `noop` and what `backends` adds.
pub fn main(
    stage: Stage,
    version: &'static str,
    file: Option<PathBuf>,
    backends: impl FnOnce(&Commands) -> Backends + Send + 'static,
) -> ExitCode {
    service::main(async move {
        let name = format!("autoopt-worker-{stage}");
        let settings: Settings = config::load(file.as_deref(), &["bus", "log", "worker"])?;
        let mut all = Backends::new();
        all.insert("noop".into(), Arc::new(Noop::from_env()));
        all.extend(backends(&commands(file.as_deref())?));
        let worker = settings.worker.check()?;
        let cluster = match worker.clusters.as_slice() {
            [one] if one != "*" => Some(one.as_str()),
            _ => None,
        };
        let records = service::start(&name, version, cluster, &settings.log)?;
        let bus = settings.bus.connect(&name).await?;
        let grace = worker.drain + AFTER_DRAIN;
        service::run(&bus.clone(), records, grace, |stop| run(stage, worker, all, bus, stop)).await
    })
}
