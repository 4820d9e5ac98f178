//! SIGINT and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code after a second signal, as a shell reports an interrupted program.
const INTERRUPTED: i32 = 130;

/// A token that fires at the first SIGINT or SIGTERM; the second one ends the process at once.
pub fn stop_token() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let fired = token.clone();
    tokio::spawn(async move {
        for count in 0.. {
            let name = tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            };
            if count > 0 {
                tracing::warn!("{name} again: ending at once");
                std::process::exit(INTERRUPTED);
            }
            tracing::info!("{name}: finishing what is under way");
            fired.cancel();
        }
    });
    Ok(token)
}
