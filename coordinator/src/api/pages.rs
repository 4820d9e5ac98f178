//! The dashboard: a page and what it needs, built from `dashboard/` and kept in this program.
//!
//! It is public and says nothing: what it shows, it asks the API for, with the token that a person types into it.

use std::io::Write;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::Api;

/// Nothing from elsewhere, nothing within the page's own text, in no other site's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// One file of the dashboard.
struct File {
    address: &'static str,
    kind: &'static str,
    content: &'static [u8],
}

macro_rules! built {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../dashboard/dist/", $name))
    };
}

const FILES: [File; 4] = [
    File { address: "/", kind: "text/html; charset=utf-8", content: built!("index.html") },
    File { address: "/app.js", kind: "text/javascript; charset=utf-8", content: built!("app.js") },
    File { address: "/app.css", kind: "text/css; charset=utf-8", content: built!("app.css") },
    File { address: "/icon.svg", kind: "image/svg+xml", content: built!("icon.svg") },
];

/// Compressed, once for all requests.
static PACKED: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| FILES.iter().map(|file| pack(file.content).unwrap_or_default()).collect());

fn pack(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(content)?;
    packer.finish()
}

pub(super) fn routes() -> Router<Api> {
    FILES.iter().enumerate().fold(Router::new(), |router, (index, file)| {
        router.route(
            file.address,
            get(move |State(_): State<Api>, headers| async move { serve(index, &headers) }),
        )
    })
}

fn serve(index: usize, request: &HeaderMap) -> Response {
    let file = &FILES[index];
    // the names stay the same from version to version: a browser asks each time, and is told that nothing changed
    let version = format!("\"{}\"", uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, file.content));
    let mut headers = HeaderMap::new();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::ETAG, &version);
    set(header::CACHE_CONTROL, "no-cache");
    set(header::CONTENT_TYPE, file.kind);
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(header::VARY, "accept-encoding");
    let says = |name, text: &str| {
        request.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(text))
    };
    if says(header::IF_NONE_MATCH, &version) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    if says(header::ACCEPT_ENCODING, "gzip") && !PACKED[index].is_empty() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        return (headers, PACKED[index].as_slice()).into_response();
    }
    (headers, file.content).into_response()
}
