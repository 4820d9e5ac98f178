//! Who we are to a cloud: credentials, and the session that they open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use autoopt_epoch::command::Cluster;
use osauth::{CloudConfig, Session};
use tokio::sync::{OnceCell, RwLock};

use crate::call::pause;
use crate::error::{Error, ErrorKind};
use crate::wait::Clock;

/// A cloud that accepted our credentials. Clones share the session.
#[derive(Clone)]
pub struct Cloud {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// The cluster's name, for messages.
    name: String,
    cluster: Cluster,
    clock: Option<Clock>,
    session: RwLock<Numbered>,
    /// The project's id, once somebody wanted it.
    pub(crate) project: OnceCell<String>,
}

/// A session and how many there were before it.
#[derive(Clone)]
pub(crate) struct Numbered {
    pub(crate) number: u64,
    pub(crate) session: Session,
}

impl std::fmt::Debug for Cloud {
    /// Without the session, which holds the credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cloud").field("name", &self.inner.name).finish_non_exhaustive()
    }
}

impl Cloud {
    /// Logs in to the cluster `name`.
    pub async fn connect(name: &str, cluster: &Cluster) -> Result<Self, Error> {
        let session = open(name, cluster).await?;
        let inner = Inner {
            name: name.to_owned(),
            cluster: cluster.clone(),
            clock: Clock::of(cluster),
            session: RwLock::new(Numbered { number: 0, session }),
            project: OnceCell::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(crate) async fn session(&self) -> Numbered {
        self.inner.session.read().await.clone()
    }

    /// A session with a new token, after the one of `used` was refused; the credentials are read afresh, for they may
    /// have been replaced. (osauth renews a token before it expires, but keeps one that was revoked.)
    pub(crate) async fn renew(&self, used: u64) -> Result<(), Error> {
        let mut current = self.inner.session.write().await;
        if current.number == used {
            tracing::info!(cluster = self.inner.name, "the token was refused; logging in again");
            let session = open(&self.inner.name, &self.inner.cluster).await?;
            *current = Numbered { number: used + 1, session };
        }
        Ok(())
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.inner.cluster.timeout.0
    }

    /// Where servers go that do not say it.
    pub(crate) fn zone(&self) -> Option<&String> {
        self.inner.cluster.zone.as_ref()
    }

    pub(crate) fn clock(&self) -> Option<&Clock> {
        self.inner.clock.as_ref()
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.inner.cluster.attempts.max(1)
    }
}

async fn open(name: &str, cluster: &Cluster) -> Result<Session, Error> {
    let mut attempt = 1;
    loop {
        match log_in(name, cluster).await {
            Err(error) if error.kind.passes() && attempt < cluster.attempts => {
                tracing::debug!(%error, "the login is repeated");
                tokio::time::sleep(pause(attempt)).await;
                attempt += 1;
            }
            result => return result,
        }
    }
}

async fn log_in(name: &str, cluster: &Cluster) -> Result<Session, Error> {
    let place = format!("[openstack.cluster.{name}]");
    let config = credentials(cluster).map_err(|message| Error::new(ErrorKind::Config, place, message))?;
    let opened = tokio::time::timeout(cluster.timeout.0, config.create_session()).await;
    let call = || format!("logging in to {name}");
    match opened {
        Err(_) => {
            let message = format!("no answer from the identity service within {}", cluster.timeout);
            Err(Error::new(ErrorKind::TimedOut, call(), message))
        }
        Ok(Err(error)) => Err(Error::new(kind_of(&error), call(), error.to_string())),
        Ok(Ok(session)) => Ok(session),
    }
}

pub(crate) fn kind_of(error: &osauth::Error) -> ErrorKind {
    use osauth::ErrorKind as Theirs;
    match error.kind() {
        // which status it was, only its text tells
        Theirs::InvalidInput if error.to_string().contains("Too Many Requests") => ErrorKind::Busy,
        Theirs::AuthenticationFailed => ErrorKind::Unauthorized,
        Theirs::AccessDenied => ErrorKind::Forbidden,
        Theirs::ResourceNotFound | Theirs::EndpointNotFound => ErrorKind::NotFound,
        Theirs::OperationTimedOut => ErrorKind::TimedOut,
        Theirs::ProtocolError => ErrorKind::Unreachable,
        Theirs::InternalServerError => ErrorKind::Server,
        Theirs::InvalidConfig | Theirs::InvalidInput => ErrorKind::Config,
        Theirs::Conflict => ErrorKind::Conflict,
        _ => ErrorKind::Unusable,
    }
}

/// From `clouds_file` or `OS_CLIENT_CONFIG_FILE`, the usual places of clouds.yaml, or `OS_*` variables.
fn credentials(cluster: &Cluster) -> Result<CloudConfig, String> {
    let named = cluster.cloud.clone().or_else(|| variable("OS_CLOUD"));
    let file = cluster.clouds_file.clone().or_else(|| variable("OS_CLIENT_CONFIG_FILE").map(PathBuf::from));
    match (named, file) {
        (Some(cloud), Some(file)) => from_file(&cloud, &file),
        (Some(cloud), None) => CloudConfig::from_config(&cloud).map_err(|error| {
            format!("{error}; clouds.yaml is looked for in this directory, ~/.config/openstack and /etc/openstack, or where `clouds_file` says")
        }),
        (None, Some(file)) if cluster.clouds_file.is_some() => {
            Err(format!("`clouds_file` is {}, but `cloud` does not say which of its clouds", file.display()))
        }
        (None, _) => from_variables(),
    }
}

fn from_variables() -> Result<CloudConfig, String> {
    if variable("OS_AUTH_URL").is_none() && variable("OS_ENDPOINT").is_none() {
        return Err("neither `cloud` is set here nor OS_CLOUD or OS_AUTH_URL in the environment".into());
    }
    let domain = variable("OS_USER_DOMAIN_ID").filter(|id| id != "default");
    if let (Some(id), None) = (domain, variable("OS_USER_DOMAIN_NAME")) {
        return Err(format!("OS_USER_DOMAIN_ID ({id}) is not understood; set OS_USER_DOMAIN_NAME"));
    }
    CloudConfig::from_env().map_err(|error| error.to_string())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[derive(serde::Deserialize)]
struct File {
    clouds: BTreeMap<String, serde_yaml::Value>,
}

fn from_file(cloud: &str, path: &Path) -> Result<CloudConfig, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let file: File =
        serde_yaml::from_str(&text).map_err(|error| format!("{shown} is no clouds.yaml: {error}"))?;
    let Some(entry) = file.clouds.get(cloud) else {
        let known: Vec<&str> = file.clouds.keys().map(String::as_str).collect();
        return Err(format!(
            "{shown} has no cloud `{cloud}`; it has {}",
            autoopt_epoch::problem::list(&known)
        ));
    };
    let auth = &entry["auth"];
    // what osauth would pass over
    if let (Some(id), None) = (auth["user_domain_id"].as_str(), auth["user_domain_name"].as_str())
        && id != "default"
    {
        return Err(format!(
            "{shown}, `{cloud}`: `user_domain_id` is not understood; write `user_domain_name`"
        ));
    }
    if entry["verify"].as_bool() == Some(false) {
        return Err(format!(
            "{shown}, `{cloud}`: `verify: false` is not supported; name the authority in `cacert`"
        ));
    }
    serde_yaml::from_value(entry.clone()).map_err(|error| format!("{shown}, `{cloud}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cloud: &str, text: &str) -> Result<CloudConfig, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("clouds.yaml");
        std::fs::write(&path, text).unwrap();
        let cluster = Cluster { cloud: Some(cloud.into()), clouds_file: Some(path), ..Cluster::default() };
        credentials(&cluster)
    }

    #[test]
    fn mistakes_in_the_file_are_named() {
        let entry = "clouds: {lab: {auth: {auth_url: 'http://x/v3', user_domain_id: other}, verify: true}}";
        for (cloud, text, said) in [
            ("prod", entry, "has no cloud `prod`; it has `lab`"),
            ("lab", entry, "write `user_domain_name`"),
            ("lab", "clouds: {lab: {auth: {}, verify: false}}", "`cacert`"),
            ("lab", "clouds: [", "is no clouds.yaml"),
        ] {
            let error = read(cloud, text).map(|_| ()).expect_err(said);
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}
