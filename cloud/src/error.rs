//! What can go wrong with a call to a cloud, and what has to follow.

use autoopt_epoch::failure::{Failure, FailureKind};

/// Why a call did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The configuration or the credentials' file is wrong.
    Config,
    /// No answer: no connection, or it broke.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// 401, with a token fetched for this call.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 403 or 413 because a quota is used up.
    Quota,
    /// 404, or nothing of that name.
    NotFound,
    /// 409.
    Conflict,
    /// Another 4xx: the request is wrong for this cloud.
    Refused,
    /// 429.
    Busy,
    /// 5xx.
    Server,
    /// The answer is not what the API promises.
    Unusable,
}

impl ErrorKind {
    /// Whether the same call may work a little later.
    pub const fn passes(self) -> bool {
        matches!(self, Self::Unreachable | Self::TimedOut | Self::Busy | Self::Server)
    }
}

/// A call that did not work: which one, what the cloud said, and the request id to look for in its logs.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{call}: {message}{}", .request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default())]
pub struct Error {
    pub kind: ErrorKind,
    /// Such as `POST compute/servers`.
    pub call: String,
    pub message: String,
    /// Of the answer; `req-…`.
    pub request_id: Option<String>,
}

impl Error {
    /// An error that no answer of the cloud stands behind.
    pub fn new(kind: ErrorKind, call: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, call: call.into(), message: message.into(), request_id: None }
    }

    /// From the status and the body of an answer.
    pub(crate) fn of_answer(call: String, status: u16, body: &str, request_id: Option<String>) -> Self {
        let said = message(body);
        let kind = match status {
            401 => ErrorKind::Unauthorized,
            403 | 413 if said.to_lowercase().contains("quota") => ErrorKind::Quota,
            403 => ErrorKind::Forbidden,
            404 => ErrorKind::NotFound,
            409 => ErrorKind::Conflict,
            429 => ErrorKind::Busy,
            500.. => ErrorKind::Server,
            _ => ErrorKind::Refused,
        };
        let hint = match kind {
            ErrorKind::Unauthorized => "; the credentials are not accepted",
            ErrorKind::Forbidden => "; the role lacks the right to do this",
            ErrorKind::Quota => "; raise the project's quota or make the workload smaller",
            _ => "",
        };
        Self { kind, call, message: format!("{status} {said}{hint}"), request_id }
    }

    /// What has to follow for the stage that made the call.
    pub const fn failure_kind(&self) -> FailureKind {
        match self.kind {
            // a conflict is with something under way
            kind if kind.passes() || matches!(kind, ErrorKind::Conflict) => FailureKind::Transient,
            _ => FailureKind::Broken,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.failure_kind(), error.to_string())
    }
}

/// What an OpenStack service says in an error's body. The services wrap it differently: `{"badRequest": {"message"}}`,
/// `{"error": {"message"}}`, `{"NeutronError": {"message"}}`, `{"errors": [{"detail"}]}`, `{"message"}`, `{"title", "error": {"message"}}`, HTML.
fn message(body: &str) -> String {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(body) else {
        return body
            .split(['<', '>'])
            .step_by(2)
            .collect::<Vec<_>>()
            .join(" ")
            .trim()
            .chars()
            .take(300)
            .collect();
    };
    // a title only says what the status says
    let said = ["message", "detail", "faultstring", "title"].iter().find_map(|key| find(&value, key));
    said.unwrap_or_else(|| body.chars().take(300).collect())
}

/// The first text under `key`, at any depth.
fn find(value: &serde_json::Value, key: &str) -> Option<String> {
    match value {
        serde_json::Value::Object(object) => {
            let text = object.get(key).and_then(|text| text.as_str());
            text.map(|text| text.trim().to_owned()).or_else(|| object.values().find_map(|v| find(v, key)))
        }
        serde_json::Value::Array(items) => items.iter().find_map(|item| find(item, key)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Error {
        Error::of_answer("GET compute/servers".into(), status, body, Some("req-1".into()))
    }

    #[test]
    fn the_services_own_words_and_the_request_id_are_shown() {
        for (body, said) in [
            (r#"{"badRequest": {"code": 400, "message": "Invalid key_name"}}"#, "Invalid key_name"),
            (r#"{"errors": [{"status": 400, "title": "Bad", "detail": "no such trait"}]}"#, "no such trait"),
            (
                r#"{"code": 400, "title": "Bad Request", "error": {"message": "No template", "traceback": null}}"#,
                "No template",
            ),
            ("<html><h1>502 Bad Gateway</h1></html>", "502 Bad Gateway"),
        ] {
            let text = of(400, body).to_string();
            assert!(text.contains(said) && text.ends_with("(request req-1)"), "{text}");
        }
    }

    #[test]
    fn each_status_has_its_consequence() {
        for (status, kind) in [
            (400, FailureKind::Broken),
            (401, FailureKind::Broken),
            (404, FailureKind::Broken),
            (409, FailureKind::Transient),
            (429, FailureKind::Transient),
            (503, FailureKind::Transient),
        ] {
            assert_eq!(of(status, "{}").failure_kind(), kind, "{status}");
        }
        let quota = of(403, r#"{"forbidden": {"message": "Quota exceeded for cores: Requested 4"}}"#);
        assert_eq!(quota.kind, ErrorKind::Quota);
    }
}
