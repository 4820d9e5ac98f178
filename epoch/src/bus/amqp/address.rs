//! The broker's address: a URL, and the files for TLS that it names.
//!
//! The names of its parameters are those that RabbitMQ gives to its clients: <https://www.rabbitmq.com/docs/uri-query-parameters>.

use std::path::{Path, PathBuf};

use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::uri::AMQPUri;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

use super::SMALL_FRAME;
use crate::bus::BusError;

/// Where the broker is, who we are to it, and whom we trust.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) uri: AMQPUri,
    pub(super) tls: OwnedTLSConfig,
}

impl Address {
    /// Reads a URL, and the files that it names.
    pub(super) fn of(url: &str) -> Result<Self, BusError> {
        let uri = uri(url)?;
        let files = Url::parse(url).map_err(|error| wrong(error.to_string()))?;
        let tls = tls(&files, std::env::var_os("CREDENTIALS_DIRECTORY").as_deref().map(Path::new))?;
        Ok(Self { uri, tls })
    }

    /// For a connection on which nothing large has to be quick; not for queues on which others may put a message with long headers, which
    /// would end the connection again and again. What the URL asks for stands.
    pub(super) fn with_small_frames(mut self) -> Self {
        self.uri.query.frame_max.get_or_insert(SMALL_FRAME);
        self
    }

    /// Host, port and vhost: what may be logged.
    pub(super) fn place(&self) -> String {
        place(&self.uri)
    }
}

/// The URL alone.
pub(super) fn uri(url: &str) -> Result<AMQPUri, BusError> {
    url.parse().map_err(|reason: String| {
        wrong(format!("{reason}; write it like amqp://user:password@host:5672/vhost"))
    })
}

/// Host, port and vhost: what may be logged.
pub(super) fn place(uri: &AMQPUri) -> String {
    format!("{}:{}, vhost `{}`", uri.authority.host, uri.authority.port, uri.vhost)
}

fn wrong(reason: String) -> BusError {
    BusError::Setup { action: "reading the broker's URL".into(), reason }
}

/// Relative paths are those of `credentials`, where systemd puts what a unit loads, if there is such a place.
fn tls(url: &Url, credentials: Option<&Path>) -> Result<OwnedTLSConfig, BusError> {
    let path = |key: &str| {
        let value = url.query_pairs().find(|(known, _)| known == key)?.1.into_owned();
        Some(credentials.map_or_else(|| PathBuf::from(&value), |directory| directory.join(&value)))
    };
    let read = |key: &'static str| match path(key) {
        None => Ok(None),
        Some(_) if url.scheme() != "amqps" => Err(wrong(format!("`{key}` is for amqps:// only"))),
        Some(path) => match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some((key, path, text))),
            Err(error) => Err(wrong(format!("`{key}`: cannot read {}: {error}", path.display()))),
        },
    };
    let (authority, certificate, key) = (read("cacertfile")?, read("certfile")?, read("keyfile")?);
    for (key, path, text) in [&authority, &certificate].into_iter().flatten() {
        if !matches!(CertificateDer::pem_slice_iter(text.as_bytes()).next(), Some(Ok(_))) {
            return Err(wrong(format!("`{key}`: {} holds no certificate in PEM", path.display())));
        }
    }
    if let Some((key, path, text)) = &key
        && PrivateKeyDer::from_pem_slice(text.as_bytes()).is_err()
    {
        return Err(wrong(format!("`{key}`: {} holds no private key in PEM", path.display())));
    }
    let identity = match (certificate, key) {
        (Some((_, _, pem)), Some((_, _, key))) => {
            Some(OwnedIdentity::PKCS8 { pem: pem.into_bytes(), key: key.into_bytes() })
        }
        (None, None) => None,
        _ => return Err(wrong("`certfile` and `keyfile` belong together".into())),
    };
    Ok(OwnedTLSConfig { identity, cert_chain: authority.map(|(_, _, pem)| pem) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_the_files_is_said() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("text.pem"), "no certificate").unwrap();
        let read = |query: &str| {
            let url = Url::parse(&format!("amqps://host/vhost?{query}")).unwrap();
            tls(&url, Some(directory.path()))
        };
        assert_eq!(read("heartbeat=5").unwrap(), OwnedTLSConfig::default());
        for (query, said) in [
            ("cacertfile=absent.pem", "`cacertfile`: cannot read"),
            ("cacertfile=text.pem", "holds no certificate"),
            ("certfile=text.pem", "holds no certificate"),
            ("keyfile=text.pem", "holds no private key"),
        ] {
            let error = read(query).unwrap_err().to_string();
            assert!(error.contains(said), "{said}: {error}");
        }
        let plain = Url::parse("amqp://host/vhost?cacertfile=x").unwrap();
        assert!(tls(&plain, None).unwrap_err().to_string().contains("amqps:// only"));
    }
}
