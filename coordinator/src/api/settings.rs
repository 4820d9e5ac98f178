//! The section `[api]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use autoopt_epoch::service::config::secret;
use serde::Deserialize;

/// Where the API listens, and who may use it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiSettings {
    /// `ADDRESS:PORT`; port 0 takes any free one.
    pub listen: SocketAddr,
    /// A file with the token that each request has to carry (`authorization: Bearer TOKEN`). Without one the API listens on
    /// loopback addresses only.
    pub token_file: Option<PathBuf>,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 7771)), token_file: None }
    }
}

/// The shortest token, in characters.
const MIN_TOKEN: usize = 16;

impl ApiSettings {
    /// The token, if there is one; what is wrong, for people, otherwise.
    pub fn token(&self) -> Result<Option<String>, String> {
        let Some(path) = &self.token_file else {
            return if self.listen.ip().is_loopback() {
                Ok(None)
            } else {
                Err(format!(
                    "api.listen: {} can be reached from outside, which needs a token; name its file in api.token_file, or listen on 127.0.0.1",
                    self.listen
                ))
            };
        };
        let token = secret(path).map_err(|error| format!("api.token_file: {error}"))?;
        if token.len() < MIN_TOKEN || token.contains(char::is_whitespace) || !token.is_ascii() {
            return Err(format!(
                "api.token_file: {} has to hold one word of at least {MIN_TOKEN} ASCII characters; `openssl rand -hex 32` makes one",
                path.display()
            ));
        }
        Ok(Some(token))
    }
}
