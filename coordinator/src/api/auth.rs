//! Who may use the API.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use aide::OperationIo;
use autoopt_epoch::message::By;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::Api;
use super::error::ApiError;

/// A header with what a person calls themselves, where no token of their own says it.
const CALLED: &str = "autoopt-person";
/// The longest name, in bytes.
const MAX_NAME: usize = 64;

/// Tokens, and whose they are.
#[derive(Clone, Default)]
pub(super) struct Tokens {
    /// Of whoever has it.
    pub(super) shared: Option<Arc<str>>,
    /// By person.
    pub(super) people: Arc<BTreeMap<String, String>>,
}

/// Whoever sent a request, if a name was given.
#[derive(Clone, Debug, OperationIo)]
#[aide(input)]
pub(super) struct Person(pub(super) Option<By>);

impl<S: Send + Sync> FromRequestParts<S> for Person {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or(Self(None)))
    }
}

/// Lets a request through that carries a token; where there is none, one that a page of another site cannot have sent.
pub(super) async fn check(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let allowed = if api.tokens.none() {
        local(request.headers(), request.uri()).map(|()| None)
    } else {
        bearer(request.headers(), &api.tokens)
    };
    let proven = match allowed {
        Ok(name) => name.map(|name| By { name, proven: true }),
        Err(error) => return error.into_response(),
    };
    let by = proven.or_else(|| called(request.headers()).map(|name| By { name, proven: false }));
    request.extensions_mut().insert(Person(by));
    next.run(request).await
}

/// What the sender calls themselves.
fn called(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CALLED)?.to_str().ok()?.trim();
    (!text.is_empty() && text.len() <= MAX_NAME).then(|| text.to_owned())
}

impl Tokens {
    fn none(&self) -> bool {
        self.shared.is_none() && self.people.is_empty()
    }
}

/// Whose token it is, if it is one person's.
fn bearer(headers: &HeaderMap, tokens: &Tokens) -> Result<Option<String>, ApiError> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split_once(' '));
    let given =
        given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let Some(given) = given else {
        return Err(ApiError::unauthorized("this needs the header `authorization: Bearer TOKEN`"));
    };
    let is = |token: &str| bool::from(given.as_bytes().ct_eq(token.as_bytes()));
    // all of them are looked at, whichever it is
    let people = tokens.people.iter().filter(|(_, token)| is(token));
    let person = people.fold(None, |_, (name, _)| Some(name.clone()));
    let shared = tokens.shared.as_deref().is_some_and(is);
    if person.is_none() && !shared {
        return Err(ApiError::unauthorized("this is not the token of this coordinator"));
    }
    Ok(person)
}

/// Without a token the API trusts whoever can reach a loopback address. A browser can, on behalf of any site: by a request
/// across origins, or by a name that the site lets point to 127.0.0.1.
fn local(headers: &HeaderMap, uri: &Uri) -> Result<(), ApiError> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let authority = uri.authority().map(|a| a.as_str()).or_else(|| text(header::HOST)).unwrap_or_default();
    if !names_loopback(authority) {
        return Err(ApiError::forbidden(format!(
            "without a token this coordinator answers only as 127.0.0.1, [::1] or localhost, not as `{authority}`"
        )));
    }
    match text(header::ORIGIN) {
        Some(origin) if origin.split_once("://").is_none_or(|(_, place)| place != authority) => {
            Err(ApiError::forbidden("without a token this coordinator answers no page of another site"))
        }
        _ => Ok(()),
    }
}

fn names_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(host: &'static str, origin: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        local(&headers, &Uri::from_static("/v1/experiments")).is_ok()
    }

    #[test]
    fn without_a_token_no_other_site_gets_through() {
        assert!(asked("127.0.0.1:7771", None));
        assert!(asked("localhost", Some("http://localhost")));
        assert!(asked("[::1]:80", Some("http://[::1]:80")));
        assert!(!asked("127.0.0.1:7771", Some("http://127.0.0.1:8080")));
        assert!(!asked("127.0.0.1:7771", Some("https://example.org")));
        assert!(!asked("127.0.0.1:7771", Some("null")));
        assert!(!asked("rebound.example.org:7771", None));
        assert!(!asked("", None));
    }

    #[test]
    fn only_the_token_itself_is_the_token_and_a_persons_says_whose_it_is() {
        let tokens = Tokens {
            shared: Some("0123456789abcdef".into()),
            people: Arc::new(BTreeMap::from([("ada".to_owned(), "fedcba9876543210".to_owned())])),
        };
        let given = |value: &'static str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            bearer(&headers, &tokens).ok()
        };
        assert_eq!(given("Bearer 0123456789abcdef"), Some(None));
        assert_eq!(given("bearer fedcba9876543210"), Some(Some("ada".into())));
        for wrong in [
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdefg",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
            "Bearer ",
            "Bearer ada",
        ] {
            assert_eq!(given(wrong), None, "{wrong}");
        }
        assert!(bearer(&HeaderMap::new(), &tokens).is_err());
    }

    #[test]
    fn a_name_of_ones_own_choice_is_short_and_not_empty() {
        let said =
            |value: &str| called(&HeaderMap::from_iter([(CALLED.parse().unwrap(), value.parse().unwrap())]));
        assert_eq!(said(" ada "), Some("ada".into()));
        assert_eq!((said(" "), said(&"a".repeat(65))), (None, None));
        assert_eq!(called(&HeaderMap::new()), None);
    }
}
