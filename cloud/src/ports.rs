//! Ports, and volumes where the cloud has them.

use serde::Deserialize;

use crate::Cloud;
use crate::call::{Call, Service};
use crate::error::{Error, ErrorKind};
use crate::servers::gone_is_fine;

/// A port, as <https://docs.openstack.org/api-ref/network/v2/#ports> shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Port {
    pub id: String,
    /// The server it belongs to, if any.
    #[serde(default)]
    pub device_id: String,
    /// `compute:ZONE` for servers.
    #[serde(default)]
    pub device_owner: String,
}

/// A volume.
#[derive(Clone, Debug, Deserialize)]
pub struct Volume {
    pub id: String,
    #[serde(default)]
    pub attachments: Vec<Attachment>,
}

/// A server that has a volume.
#[derive(Clone, Debug, Deserialize)]
pub struct Attachment {
    pub server_id: String,
}

impl Cloud {
    /// The ports of the project's servers. An administrator would otherwise get those of all projects.
    pub async fn server_ports(&self) -> Result<Vec<Port>, Error> {
        let project = self.project().await?;
        let query = [
            ("project_id", project.as_str()),
            ("fields", "id"),
            ("fields", "device_id"),
            ("fields", "device_owner"),
        ];
        let all: Vec<Port> = self.list(Service::Network, &["ports"], "ports", &query).await?;
        Ok(all.into_iter().filter(|port| port.device_owner.starts_with("compute:")).collect())
    }

    /// The ports of one device, whoever owns them.
    pub async fn ports_of(&self, device: &str) -> Result<Vec<Port>, Error> {
        self.list(Service::Network, &["ports"], "ports", &[("device_id", device)]).await
    }

    /// Deletes a port. One that is gone is fine.
    pub async fn delete_port(&self, id: &str) -> Result<(), Error> {
        gone_is_fine(self.call(&Call::delete(Service::Network, &["ports", id])).await)
    }

    /// The project's volumes; none where there is no volume service.
    pub async fn volumes(&self) -> Result<Vec<Volume>, Error> {
        match self.list(Service::Volume, &["volumes", "detail"], "volumes", &[]).await {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(Vec::new()),
            result => result,
        }
    }

    /// The id of the project that the login is for, as neutron has it from the token.
    async fn project(&self) -> Result<&String, Error> {
        #[derive(Deserialize)]
        struct Project {
            project_id: String,
        }
        let call = Call::get(Service::Network, &["quotas", "project"]);
        let ask = async || Ok(self.fetch::<Project>(&call, "project").await?.project_id);
        self.inner.project.get_or_try_init(ask).await
    }
}
