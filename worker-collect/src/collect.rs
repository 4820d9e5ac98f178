//! The collect stage: raw output in, a measurement out.

use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::measure::measure;
use autoopt_epoch::message::{Action, Done, Epoch, Measure};
use autoopt_epoch::time::Timestamp;
use autoopt_epoch::worker::{Backend, Context};

use crate::readings;

/// Reads what the bench stage printed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Collect;

#[async_trait::async_trait]
impl Backend for Collect {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        match order.action {
            Action::Run => readings::check(asked(order)?),
            Action::Capture | Action::Undo => Ok(()),
        }
    }

    async fn perform(&self, order: &Epoch, _: &Context) -> Result<Done, Failure> {
        let started = Timestamp::now();
        let measurement = match order.action {
            Action::Run => {
                let asked = asked(order)?.clone();
                let artifacts = order.artifacts.clone();
                // unpacking and parsing megabytes would hold up heartbeats
                let work = move || measure(&asked, &readings::raw_values(&asked, &artifacts)?);
                let measured = tokio::task::spawn_blocking(work).await;
                Some(
                    measured.map_err(|e| {
                        Failure::new(FailureKind::Transient, format!("reading broke off: {e}"))
                    })??,
                )
            }
            // what bench left is bench's to remove; this stage leaves nothing
            Action::Undo => None,
            Action::Capture => {
                return Err(Failure::new(FailureKind::Abandoned, "the collect stage has nothing to capture"));
            }
        };
        Ok(Done { started, measurement, ..Done::default() })
    }
}

fn asked(order: &Epoch) -> Result<&Measure, Failure> {
    order.measure.as_ref().ok_or_else(|| {
        Failure::new(FailureKind::Invalid, "the order does not say what to measure (`measure` is missing)")
    })
}

#[cfg(test)]
mod tests {
    use autoopt_epoch::message::Artifact;

    use super::*;

    fn order(output: &[u8]) -> Epoch {
        let id = "00000000-0000-5000-8000-000000000000";
        let mut order: Epoch = serde_json::from_value(serde_json::json!({
            "experiment": "e", "experiment_id": id, "trial": id, "number": 1, "kind": "proposed", "epoch": id,
            "cluster": "c", "step": 3, "stage": "collect", "action": "run", "attempt": 1,
            "issued": "2026-01-01T00:00:00Z", "lease": "30s", "timeout": "60s", "backend": {"backend": "command"},
            "measure": {
                "metrics": [
                    {"name": "rate", "parser": "key-value", "field": "rate"},
                    {"name": "latency", "parser": "key-value", "field": "latency"},
                ],
                "objective": {"maximize": "rate / latency"},
                "outcome_constraints": ["latency <= 4"],
            },
        }))
        .unwrap();
        order.artifacts = vec![Artifact::new("stdout", output, false)];
        order
    }

    async fn perform(order: &Epoch) -> Result<Done, Failure> {
        let context = Context::alone(&std::env::temp_dir());
        Collect.check(order)?;
        Collect.perform(order, &context).await
    }

    #[tokio::test]
    async fn raw_output_becomes_metrics_an_objective_and_violations() {
        let measured = perform(&order(b"rate=12\nlatency=5\n")).await.unwrap().measurement.unwrap();
        assert_eq!(measured.objective, 2.4);
        assert_eq!(measured.metrics["rate"], 12.0);
        assert_eq!(measured.violations.len(), 1);
        assert_eq!(measured.violations[0].by, 1.0);
    }

    #[tokio::test]
    async fn a_zero_that_would_make_the_objective_infinite_is_invalid() {
        let failure = perform(&order(b"rate=12\nlatency=0\n")).await.expect_err("division by zero");
        assert_eq!(failure.kind, FailureKind::Invalid);
        assert!(failure.reason.contains("objective"), "{}", failure.reason);
    }

    #[tokio::test]
    async fn undo_leaves_nothing_to_do_and_an_order_without_measure_is_refused() {
        let mut order = order(b"");
        order.measure = None;
        assert_eq!(perform(&order).await.expect_err("nothing to measure").kind, FailureKind::Invalid);
        order.action = Action::Undo;
        assert_eq!(perform(&order).await.unwrap().measurement, None);
    }
}
