//! What is logged of the events, so that one log shows what was decided beside what the workers say.

use autoopt_epoch::message::{Event, EventKind};
use autoopt_epoch::trace::trace_id;

/// Logs an event: what failed as a warning, what an operator waits for as information, the rest for debugging.
pub(super) fn log(event: &Event) {
    macro_rules! at {
        ($level:ident) => {
            tracing::$level!(
                event = event.kind.as_str(),
                experiment = event.experiment,
                experiment.id = event.experiment_id.map(tracing::field::display),
                trial = event.trial.map(tracing::field::display),
                trial.number = event.number,
                epoch = event.epoch.map(tracing::field::display),
                cluster = event.cluster,
                stage = event.stage.map(tracing::field::display),
                attempt = event.attempt,
                by = event.by.as_ref().map(tracing::field::display),
                trace_id = event.trial.map(trace_id),
                "{}",
                event.message
            )
        };
    }
    match event.kind {
        EventKind::StageFailed
        | EventKind::LeaseExpired
        | EventKind::ClusterPaused
        | EventKind::OptimizerSilent
        | EventKind::TrialRejected => at!(warn),
        EventKind::StageAccepted
        | EventKind::StageDone
        | EventKind::EpochStarted
        | EventKind::EpochEnded
        | EventKind::TrialAccepted
        | EventKind::OptimizerAsked
        | EventKind::ReportIgnored => at!(debug),
        _ => at!(info),
    }
}
