//! What a killed process of this worker left running.

use super::journal::{Attempt, Journal};
use crate::command::Family;
use crate::command::family::end_left;
use crate::message::Stage;

/// Ends the programs of attempts that were begun and never finished, before anything new is begun.
///
/// A load that was started for good is not among them: its attempt was finished.
pub(super) async fn end(journal: &Journal, stage: Stage) -> anyhow::Result<()> {
    let (attempts, programs): (Vec<Attempt>, Vec<Vec<Family>>) = journal.unfinished().into_iter().unzip();
    if attempts.is_empty() {
        return Ok(());
    }
    tracing::info!(attempts = attempts.len(), "ending what an earlier run of this worker left unfinished");
    // the mark finds also what was started in the moment before the process was killed, and could not be written down;
    // in the apply stage it would find servers that are to go on running, too
    let marks = match stage {
        Stage::Apply => Vec::new(),
        _ => attempts.iter().map(|a| format!("{}/{}/{}/", a.epoch, a.step, a.attempt)).collect(),
    };
    if let Err(failure) = end_left(&programs.concat(), marks).await {
        anyhow::bail!(failure.reason);
    }
    attempts.into_iter().try_for_each(|attempt| journal.cleared(attempt))?;
    Ok(())
}
