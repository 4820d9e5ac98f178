//! What a handler reads of a request.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ApiError;

/// Larger bodies are refused.
const MOST_BODY: usize = 4 * 1024 * 1024;

/// The id that a request's answer carries.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// A request: microversion, query, body.
#[derive(Debug)]
pub(super) struct Call {
    /// The minor version asked for: 79 of `compute 2.79`; 0 or 1, the service's oldest, if none.
    pub(super) minor: u32,
    pub(super) query: Vec<(String, String)>,
    /// `Null` without a body.
    pub(super) body: Value,
    pub(super) request_id: String,
    /// `X-Auth-Token`.
    pub(super) token: Option<String>,
    /// `X-Subject-Token`.
    pub(super) subject: Option<String>,
}

impl Call {
    /// The query's last value of `key`.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.query.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// Whether the query's `key` is a yes.
    pub(super) fn is_on(&self, key: &str) -> bool {
        self.get(key)
            .is_some_and(|v| matches!(v.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on" | ""))
    }

    /// The page of `items` that `marker` and `limit` ask for; items are known by their `id`.
    pub(super) fn page(&self, items: Vec<Value>) -> Result<Vec<Value>, ApiError> {
        let after = match self.get("marker") {
            None => 0,
            Some(marker) => {
                let is_it = |item: &Value| {
                    item["id"] == marker || marker.parse::<i64>().is_ok_and(|m| item["id"] == m)
                };
                let found = items.iter().position(is_it);
                found.ok_or_else(|| ApiError::bad(format!("marker [{marker}] not found")))? + 1
            }
        };
        let limit = match self.get("limit").map(str::parse::<usize>) {
            None => usize::MAX,
            Some(Ok(limit)) => limit,
            Some(Err(e)) => {
                return Err(ApiError::bad(format!("Invalid input for query parameters limit. {e}")));
            }
        };
        Ok(items.into_iter().skip(after).take(limit).collect())
    }

    /// The body's member `key`, as `T`.
    pub(super) fn read<T: DeserializeOwned>(&self, key: &str) -> Result<T, ApiError> {
        let value = self
            .body
            .get(key)
            .ok_or_else(|| ApiError::bad(format!("Invalid input: '{key}' is a required property")))?;
        T::deserialize(value)
            .map_err(|e| ApiError::bad(format!("Invalid input for field/attribute {key}. {e}")))
    }
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        let header = |name: &str| parts.headers.get(name)?.to_str().ok().map(str::to_owned);
        let minor = header("openstack-api-version")
            .and_then(|v| v.split_whitespace().nth(1).map(str::to_owned))
            .or_else(|| header("x-openstack-nova-api-version"));
        let minor = match minor.as_deref() {
            Some("latest") => u32::MAX,
            Some(text) => text.split_once('.').and_then(|(_, m)| m.parse().ok()).unwrap_or(1),
            None => 1,
        };
        let (token, subject) = (header("x-auth-token"), header("x-subject-token"));
        let request_id = parts.extensions.get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default();
        let query = pairs(parts.uri.query().unwrap_or_default());
        let bytes = to_bytes(body, MOST_BODY).await.map_err(|e| ApiError::new(413, e))?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)
                .map_err(|e| ApiError::bad(format!("Malformed request body: {e}")))?
        };
        Ok(Self { minor, query, body, request_id, token, subject })
    }
}

/// `a=b&c` with percent-encoding undone.
fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (decoded(key), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (bytes[i], hex(i + 1), hex(i + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                i += 2;
            }
            (b'+', ..) => out.push(b' '),
            (byte, ..) => out.push(byte),
        }
        i += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let expected = [("name", "^a b$"), ("all_tenants", ""), ("x", "1+2%")];
        let found = pairs("name=%5Ea%20b$&all_tenants&x=1%2B2%");
        let found: Vec<(&str, &str)> = found.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(found, expected);
    }
}
