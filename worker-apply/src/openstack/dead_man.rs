//! The dead man's rule: values are restored when the coordinator has asked for nothing for too long.
//!
//! What is in force is in a file of the state directory, so that a restarted worker goes on waiting.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use autoopt_epoch::message::{Action, Epoch, TrialKind};
use autoopt_epoch::worker::Context;
use tokio_util::sync::CancellationToken;

use super::OpenStack;

/// Between two tries to restore.
const AGAIN: Duration = Duration::from_secs(60);

/// Who waits for the coordinator, by cluster.
#[derive(Debug, Default)]
pub(super) struct DeadMan {
    waiting: Mutex<HashMap<String, CancellationToken>>,
    /// Held while values are restored: an order waits for it.
    restoring: tokio::sync::Mutex<()>,
}

impl DeadMan {
    /// The coordinator asks for something there.
    pub(super) async fn hold(&self, cluster: &str) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(cluster);
        if let Some(waiting) = waiting {
            waiting.cancel();
        }
        drop(self.restoring.lock().await);
    }
}

impl OpenStack {
    /// After an order: notes whether its values are in force, and waits for the next one as long as any are.
    pub(super) fn note(&self, order: &Epoch, done: bool, context: &Context) {
        let file = file(&context.state_dir, &order.cluster);
        // what closes an experiment is to stay
        let stays = order.kind == TrialKind::Closing;
        let noted = match order.action {
            Action::Run if done && !stays => serde_json::to_vec(order)
                .map_err(std::io::Error::other)
                .and_then(|text| std::fs::write(&file, text)),
            Action::Run | Action::Undo if done => match std::fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            _ => Ok(()),
        };
        if let Err(error) = noted {
            tracing::error!(file = %file.display(), %error, "the dead man's rule cannot be kept");
        }
        if let Some(order) = read(&file) {
            self.arm(order, context);
        }
    }

    /// Restores what `order` put in force unless the coordinator asks for something in time.
    pub(super) fn arm(&self, order: Epoch, context: &Context) {
        let limit = self.clouds.cluster(&order.cluster).ok().and_then(|cluster| cluster.dead_man);
        let Some(limit) = limit else { return };
        let held = CancellationToken::new();
        let mut waiting = self.dead_man.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(order.cluster.clone(), held.clone());
        drop(waiting);
        let (backend, context) = (self.clone(), Context::alone(&context.state_dir));
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(limit.0) => {}
                () = held.cancelled() => return,
            }
            let _restoring = backend.dead_man.restoring.lock().await;
            while !held.is_cancelled() {
                tracing::warn!(
                    experiment = order.experiment,
                    cluster = order.cluster,
                    "the coordinator has asked for nothing for {limit}: what was in force before is restored"
                );
                match backend.restore(&order, &context, &held).await {
                    Ok(_) => {
                        let _ = std::fs::remove_file(file(&context.state_dir, &order.cluster));
                        return;
                    }
                    Err(failure) => {
                        tracing::error!(cluster = order.cluster, reason = failure.reason, "not restored")
                    }
                }
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    () = held.cancelled() => {}
                }
            }
        });
    }
}

fn file(state_dir: &Path, cluster: &str) -> PathBuf {
    state_dir.join(format!("in-force-{cluster}.json"))
}

fn read(file: &Path) -> Option<Epoch> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// The orders whose values are in force, by the files of an earlier process.
pub(super) fn in_force(state_dir: &Path) -> Vec<Epoch> {
    let files = std::fs::read_dir(state_dir).into_iter().flatten().flatten();
    let ours = files.filter(|file| file.file_name().to_string_lossy().starts_with("in-force-"));
    ours.filter_map(|file| read(&file.path())).collect()
}
