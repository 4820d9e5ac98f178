//! The load that runs, and the file by which it is found again.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use autoopt_epoch::command::family::end_left;
use autoopt_epoch::command::{self, Call, Family, Program};
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::Epoch;
use autoopt_epoch::worker::Context;
use serde::{Deserialize, Serialize};

/// How much of the load's output a failure quotes.
const QUOTED: u64 = 600;

/// A load that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    #[serde(flatten)]
    pub(crate) family: Family,
    /// Of the program and its arguments.
    pub(crate) identity: String,
}

impl Running {
    /// Whether the process that was started is there.
    pub(crate) fn is_alive(&self) -> Result<bool, Failure> {
        self.family.is_alive()
    }

    /// Ends all of it, but nothing that has its process ids by now.
    pub(crate) async fn end(&self) -> Result<(), Failure> {
        end_left(std::slice::from_ref(&self.family), Vec::new()).await
    }
}

/// Where the load of one experiment on one cluster is remembered.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    state: PathBuf,
}

impl Place {
    pub(crate) fn of(order: &Epoch, context: &Context) -> Self {
        // the id, since a later experiment may have the same name
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let cluster: String = order.cluster.chars().map(plain).collect();
        let name = format!("load-{}-{cluster}.json", order.experiment_id);
        Self { state: context.state_dir.join(name) }
    }

    /// The output of the load.
    pub(crate) fn log(&self) -> PathBuf {
        self.state.with_extension("log")
    }

    /// The end of its output, for a person.
    pub(crate) fn log_tail(&self) -> String {
        let read = || {
            let mut file = std::fs::File::open(self.log())?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(QUOTED)))?;
            let mut bytes = Vec::new();
            file.take(QUOTED).read_to_end(&mut bytes)?;
            Ok::<_, std::io::Error>(bytes)
        };
        String::from_utf8_lossy(&read().unwrap_or_default()).trim().to_owned()
    }

    /// What was started before; a file that cannot be understood is `broken`, for the load may run.
    pub(crate) fn read(&self) -> Result<Option<Running>, Failure> {
        match std::fs::read(&self.state) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
                broken(&self.state, &format!("{error}; end the load by hand and remove this file"))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(broken(&self.state, &error)),
        }
    }

    /// Starts the program in a group of its own, which outlives this worker.
    pub(crate) fn start(
        &self,
        program: &Program,
        call: &Call<'_>,
        identity: String,
    ) -> Result<Running, Failure> {
        let log = self.log();
        if let Some(directory) = log.parent() {
            std::fs::create_dir_all(directory).map_err(|error| broken(directory, &error))?;
        }
        let file = std::fs::File::create(&log).map_err(|error| broken(&log, &error))?;
        let other = file.try_clone().map_err(|error| broken(&log, &error))?;
        let mut command = command::prepare(program, call)?;
        command.stdin(Stdio::null()).stdout(file).stderr(other);
        let mut child = command.spawn().map_err(|error| command::not_started(program, call, &error))?;
        let family = command::family(call, &child).inspect_err(|_| drop(child.start_kill()))?;
        // a load that ends must not stay as a zombie, which would look like a living one
        tokio::spawn(async move { drop(child.wait().await) });
        let running = Running { family, identity };
        // nobody would find it again
        self.remember(&running).inspect_err(|_| running.family.kill())?;
        Ok(running)
    }

    fn remember(&self, running: &Running) -> Result<(), Failure> {
        let failed = |error: std::io::Error| broken(&self.state, &error);
        let text = serde_json::to_vec(running).map_err(|error| failed(error.into()))?;
        // a half-written file would hide a load that runs
        let new = self.state.with_extension("new");
        std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &self.state)).map_err(failed)
    }

    pub(crate) fn forget(&self) -> Result<(), Failure> {
        match std::fs::remove_file(&self.state) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(broken(&self.state, &error)),
            _ => Ok(()),
        }
    }
}

fn broken(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Broken, format!("{}: {error}", path.display()))
}
