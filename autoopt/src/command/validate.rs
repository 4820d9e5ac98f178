//! `autoopt validate`.

use std::path::{Path, PathBuf};

use autoopt_epoch::experiment::{self, ExperimentSpec};

use super::warm_start;
use crate::fault::Fault;
use crate::show::{say, say_json};

/// Check an experiment file, and say everything that is wrong with it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  autoopt init experiment.toml && autoopt validate experiment.toml\n")]
pub(crate) struct Validate {
    /// The experiment file
    file: PathBuf,
}

impl Validate {
    pub(crate) fn run(self, json: bool) -> Result<(), Fault> {
        let spec = load(&self.file)?;
        if json {
            // with everything that the file leaves out
            say_json(&spec);
            return Ok(());
        }
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

/// The experiment in `file`, with the results of earlier ones; the fault shows each mistake at its line.
pub(crate) fn load(file: &Path) -> Result<ExperimentSpec, Fault> {
    let mut spec = experiment::load(file).map_err(Fault::in_file)?;
    warm_start::read(&mut spec.algorithm.warm_start, file)?;
    Ok(spec)
}
