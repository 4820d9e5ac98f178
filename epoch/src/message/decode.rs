//! From the bytes of a delivery to a message, or a reason that its sender can act on.

use crate::message::{Action, Message, Report, ReportState, Stage};

/// The largest body that is read, in bytes.
pub const MAX_BODY: usize = 8 * 1024 * 1024;

/// Why a delivery is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More than [`MAX_BODY`].
    #[error("the message has {got} bytes; at most {MAX_BODY} are read")]
    TooLarge { got: usize },
    /// Another message, or a version from the future.
    #[error(
        "the message's type is `{got}`; `{expected}` is understood here (a message without a type is taken as that)"
    )]
    Type { got: String, expected: &'static str },
    /// Not JSON, or cut off.
    #[error("not valid JSON at line {line}, column {column}: {reason}")]
    Syntax { line: usize, column: usize, reason: String },
    /// JSON, but not this message.
    #[error("not a valid `{expected}`: {reason} (line {line}, column {column})")]
    Shape { expected: &'static str, line: usize, column: usize, reason: String },
    /// The fields contradict each other.
    #[error("not a valid `{expected}`: {reason}")]
    Contradiction { expected: &'static str, reason: String },
}

/// Reads a message of type `M`. `kind` is the AMQP property `type`; without one the current version is assumed.
pub fn decode<M: Message>(kind: Option<&str>, body: &[u8]) -> Result<M, DecodeError> {
    if body.len() > MAX_BODY {
        return Err(DecodeError::TooLarge { got: body.len() });
    }
    if let Some(got) = kind.filter(|k| !k.is_empty() && *k != M::TYPE) {
        return Err(DecodeError::Type { got: got.into(), expected: M::TYPE });
    }
    let message: M = serde_json::from_slice(body).map_err(|e| {
        let (line, column) = (e.line(), e.column());
        let full = e.to_string();
        let reason =
            full.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&full).to_owned();
        if e.is_data() {
            DecodeError::Shape { expected: M::TYPE, line, column, reason }
        } else {
            DecodeError::Syntax { line, column, reason }
        }
    })?;
    message.check().map_err(|reason| DecodeError::Contradiction { expected: M::TYPE, reason })?;
    Ok(message)
}

/// What the types of a report cannot say.
pub(super) fn check_report(report: &Report) -> Result<(), String> {
    let (stage, action) = (report.stage, report.action);
    if action == Action::Capture && stage != Stage::Apply {
        return Err(format!("`{stage}` has no action `capture`; only `apply` has"));
    }
    if report.attempt == 0 {
        return Err("`attempt` is 0; attempts are counted from 1".into());
    }
    let artifacts = match &report.state {
        ReportState::Done(done) => done.artifacts.as_slice(),
        ReportState::Failed(failure) => failure.artifacts.as_slice(),
        ReportState::Accepted | ReportState::Heartbeat { .. } => &[],
    };
    for artifact in artifacts {
        if artifact.name.contains('\0') {
            return Err("an artifact's name holds a NUL".into());
        }
        artifact.gzip().map_err(|e| format!("the artifact `{}` is not base64: {e}", artifact.name))?;
    }
    let ReportState::Done(done) = &report.state else { return Ok(()) };
    if let Some(name) = done.measurement.iter().flat_map(|m| m.metrics.keys()).find(|n| n.contains('\0')) {
        return Err(format!("the metric's name {name:?} holds a NUL"));
    }
    if done.captured.is_some() != (action == Action::Capture) {
        return Err(format!(
            "`captured` belongs to a finished `capture`, and only there; this is `{}`",
            action.as_str()
        ));
    }
    let measures = stage == Stage::Collect && action == Action::Run;
    if done.measurement.is_some() != measures {
        return Err(format!(
            "`measurement` belongs to a finished run of `collect`, and only there; this is `{}` of `{stage}`",
            action.as_str()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Artifact, Trial};

    const TRIAL: &[u8] = br#"{"experiment": "e", "parameters": {"a": 1}, "later": true}"#;

    #[test]
    fn a_message_without_a_type_is_taken_as_the_current_version() {
        for kind in [None, Some(""), Some("autoopt.trial.v1")] {
            assert_eq!(decode::<Trial>(kind, TRIAL).unwrap().experiment, "e");
        }
    }

    #[test]
    fn each_mistake_has_its_own_reason() {
        let reason = |kind, body: &[u8]| decode::<Trial>(kind, body).unwrap_err().to_string();
        assert!(reason(Some("autoopt.trial.v2"), TRIAL).contains("`autoopt.trial.v2`; `autoopt.trial.v1`"));
        assert!(reason(None, b"{\"experiment\": \n").contains("not valid JSON at line 2"));
        assert!(reason(None, b"{\"experiment\": \"e\"}").contains("missing field `parameters` (line 1"));
        assert!(reason(None, &vec![b' '; MAX_BODY + 1]).contains("8388609 bytes"));
    }

    #[test]
    fn a_report_with_damaged_raw_output_is_refused_by_the_artifacts_name() {
        let artifact = Artifact { data: "not base64!".into(), ..Artifact::new("stdout", b"x", false) };
        let body = serde_json::json!({
            "epoch": crate::id::EpochId::fresh(), "cluster": "c", "step": 2, "stage": "bench", "action": "run", "attempt": 1,
            "worker": "w/1", "at": "2026-01-01T00:00:00Z", "state": "done", "artifacts": [artifact],
        });
        let refused = decode::<Report>(None, body.to_string().as_bytes()).unwrap_err().to_string();
        assert!(refused.contains("`stdout` is not base64"), "{refused}");
    }
}
