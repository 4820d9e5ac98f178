//! Who may use the API.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::Api;
use super::error::ApiError;

/// Lets a request through that carries the token; where there is none, one that a page of another site cannot have sent.
pub(super) async fn check(State(api): State<Api>, request: Request, next: Next) -> Response {
    let allowed = match &api.token {
        Some(token) => bearer(request.headers(), token),
        None => local(request.headers(), request.uri()),
    };
    match allowed {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn bearer(headers: &HeaderMap, token: &str) -> Result<(), ApiError> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split_once(' '));
    let given =
        given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    match given {
        None => Err(ApiError::unauthorized("this needs the header `authorization: Bearer TOKEN`")),
        Some(given) if bool::from(given.as_bytes().ct_eq(token.as_bytes())) => Ok(()),
        Some(_) => Err(ApiError::unauthorized("this is not the token of this coordinator")),
    }
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
    fn only_the_token_itself_is_the_token() {
        let given = |value: &'static str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            bearer(&headers, "0123456789abcdef").is_ok()
        };
        assert!(given("Bearer 0123456789abcdef") && given("bearer 0123456789abcdef"));
        assert!(!given("Bearer 0123456789abcde") && !given("Bearer 0123456789abcdefg"));
        assert!(!given("Basic 0123456789abcdef") && !given("0123456789abcdef") && !given("Bearer "));
        assert!(bearer(&HeaderMap::new(), "0123456789abcdef").is_err());
    }
}
