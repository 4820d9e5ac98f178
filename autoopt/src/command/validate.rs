//! `autoopt validate`.

use std::path::{Path, PathBuf};

use autoopt_epoch::experiment::{self, ExperimentSpec};

use super::say;
use crate::fault::{Fault, Kind};

/// Check an experiment file, and say everything that is wrong with it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  autoopt init experiment.toml && autoopt validate experiment.toml\n")]
pub(crate) struct Validate {
    /// The experiment file
    file: PathBuf,
}

impl Validate {
    pub(crate) fn run(self) -> Result<(), Fault> {
        let spec = load(&self.file)?;
        say(format_args!(
            "`{}`: `{}` is valid: {} parameters, {} trials on {}",
            self.file.display(),
            spec.name,
            spec.parameters.len(),
            spec.budget.trials,
            spec.clusters.join(", ")
        ));
        Ok(())
    }
}

/// The experiment in `file`; the fault shows each mistake at its line.
pub(crate) fn load(file: &Path) -> Result<ExperimentSpec, Fault> {
    experiment::load(file).map_err(|diagnostics| Fault::new(Kind::Input, diagnostics.to_string()))
}
