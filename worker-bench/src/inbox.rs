//! Results that servers post: each has an address of its own, with a token that nobody else knows and that is good once.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use autoopt_epoch::command::Http;
use autoopt_epoch::failure::{Failure, FailureKind};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path as Route, State};
use axum::http::StatusCode;
use axum::routing::post;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A frame has 48 KiB at most; twice that, with its two copies and the lines around them, is plenty.
const MOST: usize = 1 << 18;

/// What was posted, in files, so that it outlives the worker; and how to know a server.
#[derive(Debug)]
pub(crate) struct Inbox {
    directory: PathBuf,
    secret: Vec<u8>,
    /// What servers know this worker by.
    url: String,
}

impl Inbox {
    /// Listens from now on, as long as this process lives.
    pub(crate) async fn open(config: &Http, state_dir: &Path) -> Result<Arc<Self>, Failure> {
        let broken =
            |what: String| move |error| Failure::new(FailureKind::Broken, format!("{what}: {error}"));
        let directory = state_dir.join("posted");
        let kept = format!("{}", directory.display());
        std::fs::create_dir_all(&directory).map_err(broken(kept.clone()))?;
        let secret = secret(&directory.join("secret")).map_err(broken(kept))?;
        let url = config.url.trim_end_matches('/').to_owned();
        let inbox = Arc::new(Self { directory, secret, url });
        let listener = tokio::net::TcpListener::bind(config.listen)
            .await
            .map_err(broken(format!("[openstack.http] listen: {}", config.listen)))?;
        let router = Router::new()
            .route("/results/{server}/{token}", post(take))
            .layer(DefaultBodyLimit::max(MOST))
            .with_state(inbox.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(inbox)
    }

    /// Where the server of this name posts its result.
    pub(crate) fn address(&self, server: &str) -> String {
        format!("{}/results/{server}/{}", self.url, self.token(server))
    }

    fn token(&self, server: &str) -> String {
        let digest = Sha256::new().chain_update(&self.secret).chain_update(server).finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What the server has posted; nothing is no text yet.
    pub(crate) fn posted(&self, server: &str) -> String {
        std::fs::read_to_string(self.directory.join(server)).unwrap_or_default()
    }
}

async fn take(
    State(inbox): State<Arc<Inbox>>,
    Route((server, token)): Route<(String, String)>,
    text: String,
) -> (StatusCode, &'static str) {
    let known: bool = inbox.token(&server).as_bytes().ct_eq(token.as_bytes()).into();
    // the token is of this very name, so it names a file of ours and no other
    if !known || !server.starts_with("autoopt-") || server.contains('/') {
        return (StatusCode::FORBIDDEN, "the token is not this server's\n");
    }
    let file = inbox.directory.join(&server);
    if file.exists() {
        return (StatusCode::CONFLICT, "there is a result already\n");
    }
    let new = inbox.directory.join(format!("{server}.new"));
    match std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &file)) {
        Ok(()) => (StatusCode::OK, "taken\n"),
        Err(error) => {
            tracing::error!(file = %file.display(), %error, "a result cannot be kept");
            (StatusCode::INTERNAL_SERVER_ERROR, "it cannot be kept\n")
        }
    }
}

/// What the tokens are made from, for as long as the state directory lives.
fn secret(file: &Path) -> std::io::Result<Vec<u8>> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Ok(secret) = std::fs::read(file)
        && secret.len() == 32
    {
        return Ok(secret);
    }
    let mut secret = vec![0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut secret)?;
    let mut options = std::fs::OpenOptions::new();
    let mut target = options.write(true).create(true).truncate(true).mode(0o600).open(file)?;
    std::io::Write::write_all(&mut target, &secret)?;
    Ok(secret)
}
