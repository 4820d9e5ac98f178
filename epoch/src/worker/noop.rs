//! A backend without a target: for trying an experiment out, and for measuring what orchestration itself costs.
//!
//! The environment says how long a stage seems to take (`MQ_BODY_MS_<STAGE>`, else `MQ_BODY_MS`, in milliseconds), and
//! where each run is written down (`MQ_LEDGER`, a directory with one file a stage) for those who measure.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::failure::{Failure, FailureKind};
use crate::formula::Expr;
use crate::message::{Action, Done, Epoch, Measurement, Stage};
use crate::space::Value;
use crate::time::Timestamp;
use crate::worker::{Backend, Context};

/// Touches nothing. `collect` takes its objective from the setting `objective`, a formula over the parameters; without
/// one it is minus the sum of their squares.
#[derive(Clone, Debug, Default)]
pub struct Noop {
    bodies: [Duration; Stage::ALL.len()],
    ledger: Option<PathBuf>,
}

impl Noop {
    /// As the environment says.
    pub fn from_env() -> Self {
        let milliseconds = |name: &str| std::env::var(name).ok()?.trim().parse().ok();
        let body = |stage: Stage| {
            milliseconds(&format!("MQ_BODY_MS_{}", stage.as_str().to_uppercase()))
                .or_else(|| milliseconds("MQ_BODY_MS"))
                .map_or(Duration::ZERO, Duration::from_millis)
        };
        let ledger = std::env::var_os("MQ_LEDGER").filter(|path| !path.is_empty()).map(PathBuf::from);
        Self { bodies: Stage::ALL.map(body), ledger }
    }

    /// Every run takes `body`.
    pub fn taking(body: Duration) -> Self {
        Self { bodies: [body; Stage::ALL.len()], ledger: None }
    }

    fn body(&self, stage: Stage) -> Duration {
        Stage::ALL
            .iter()
            .zip(self.bodies)
            .find(|(s, _)| **s == stage)
            .map_or(Duration::ZERO, |(_, body)| body)
    }
}

#[async_trait::async_trait]
impl Backend for Noop {
    fn check(&self, order: &Epoch) -> Result<(), Failure> {
        formula(order).map(drop)
    }

    async fn perform(&self, order: &Epoch, context: &Context) -> Result<Done, Failure> {
        let started = Timestamp::now();
        let mut done = Done { started, ..Done::default() };
        match order.action {
            Action::Capture => done.captured = Some(order.parameters.clone()),
            Action::Undo => {}
            Action::Run => {
                let number = match order.parameters.get("i") {
                    Some(Value::Int(i)) if *i >= 0 => Some(*i),
                    _ => None,
                };
                let ledger = number.zip(self.ledger.as_deref());
                write_down(ledger, order.stage, 'S')?;
                let body = self.body(order.stage);
                if !body.is_zero() {
                    tokio::select! {
                        () = tokio::time::sleep(body) => {}
                        () = context.cancelled.cancelled() => {
                            return Err(Failure::new(FailureKind::Abandoned, "cancelled while it seemed to work"));
                        }
                    }
                }
                write_down(ledger, order.stage, 'E')?;
                if order.stage == Stage::Collect {
                    done.measurement = Some(measure(order)?);
                }
            }
        }
        Ok(done)
    }
}

/// One line, in one write, so that processes which share the file do not mix their lines.
fn write_down(ledger: Option<(i64, &Path)>, stage: Stage, mark: char) -> Result<(), Failure> {
    let Some((number, directory)) = ledger else { return Ok(()) };
    let path = directory.join(format!("{stage}.log"));
    let write = || {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
        let nanoseconds = i128::from(now.tv_sec()) * 1_000_000_000 + i128::from(now.tv_nsec());
        let line = format!("{mark} {number} {} {nanoseconds}\n", std::process::id());
        std::fs::File::options().create(true).append(true).open(&path)?.write_all(line.as_bytes())
    };
    write().map_err(|error: std::io::Error| {
        Failure::new(FailureKind::Broken, format!("cannot write to the ledger {}: {error}", path.display()))
    })
}

fn formula(order: &Epoch) -> Result<Option<Expr>, Failure> {
    let Some(setting) = order.backend.settings.get("objective") else { return Ok(None) };
    let text = setting.as_str().ok_or_else(|| {
        Failure::new(
            FailureKind::Broken,
            format!("the setting `objective` is {setting}; it has to be a formula as text"),
        )
    })?;
    Expr::parse(text).map(Some).map_err(|error| {
        Failure::new(
            FailureKind::Broken,
            format!("the setting `objective` (`{text}`) is no formula: {error}"),
        )
    })
}

fn measure(order: &Epoch) -> Result<Measurement, Failure> {
    let number = |name: &str| order.parameters.get(name).and_then(Value::as_f64);
    let value = match formula(order)? {
        Some(formula) => formula.eval(&number).map_err(|error| {
            Failure::new(FailureKind::Infeasible, format!("`objective` has no value here: {error}"))
        })?,
        None => {
            let squares = order.parameters.values().filter_map(Value::as_f64).map(|x| x * x);
            // without any parameter the empty sum must not become −0
            0.0 - squares.sum::<f64>()
        }
    };
    if !value.is_finite() {
        return Err(Failure::new(
            FailureKind::Infeasible,
            format!("the objective is {value}, not a finite number"),
        ));
    }
    let metrics = std::iter::once(("value".to_owned(), value)).collect();
    Ok(Measurement { metrics, objective: value, others: others(order, value)?, violations: Vec::new() })
}

/// The further objectives, over the one metric there is.
fn others(order: &Epoch, value: f64) -> Result<Vec<f64>, Failure> {
    let lookup = |name: &str| (name == "value").then_some(value);
    let asked = order.measure.iter().flat_map(|m| &m.other_objectives);
    asked
        .map(|o| {
            Expr::parse(o.expression())
                .map_err(|e| e.to_string())
                .and_then(|e| e.eval(&lookup).map_err(|e| e.to_string()))
        })
        .collect::<Result<Vec<f64>, String>>()
        .map_err(|error| {
            Failure::new(FailureKind::Infeasible, format!("an objective has no value here: {error}"))
        })
}
