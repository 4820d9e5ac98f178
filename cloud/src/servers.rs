//! Servers: <https://docs.openstack.org/api-ref/compute/#servers-servers>.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Cloud;
use crate::call::{Call, Service};
use crate::error::{Error, ErrorKind};
use crate::names::Named;

/// The most that nova takes as user data, in bytes of base64.
pub const MAX_USER_DATA: usize = 65535;

/// A server to create. Images, flavors and networks are given by id.
#[derive(Clone, Debug, Default)]
pub struct NewServer {
    pub name: String,
    pub flavor: String,
    pub image: String,
    /// None: no network at all.
    pub networks: Vec<String>,
    pub zone: Option<String>,
    /// The id of a server group.
    pub group: Option<String>,
    pub key: Option<String>,
    pub user_data: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

/// A server as nova shows it. Instants are nova's own text.
#[derive(Clone, Debug, Deserialize)]
pub struct Server {
    pub id: String,
    pub name: String,
    /// `BUILD`, `ACTIVE`, `ERROR`, `DELETED`, ….
    pub status: String,
    /// Where it runs; shown to administrators, and null until it is placed.
    #[serde(default, rename = "OS-EXT-SRV-ATTR:host")]
    pub host: Option<String>,
    #[serde(default, rename = "OS-EXT-STS:task_state")]
    pub task: Option<String>,
    #[serde(default)]
    pub created: Option<String>,
    #[serde(default, rename = "OS-SRV-USG:launched_at")]
    pub launched: Option<String>,
    #[serde(default)]
    pub fault: Option<Fault>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// By network.
    #[serde(default)]
    pub addresses: BTreeMap<String, Vec<Address>>,
}

/// Why a server is in `ERROR`, in nova's words.
#[derive(Clone, Debug, Deserialize)]
pub struct Fault {
    #[serde(default)]
    pub code: i64,
    #[serde(default)]
    pub message: String,
    /// For administrators.
    #[serde(default)]
    pub details: Option<String>,
}

/// One address of a server.
#[derive(Clone, Debug, Deserialize)]
pub struct Address {
    pub addr: String,
}

impl Server {
    /// Its first address on any network.
    pub fn address(&self) -> Option<&str> {
        self.addresses.values().flatten().next().map(|address| address.addr.as_str())
    }

    /// Whether the scheduler found no host for it, as against a host that failed to build it.
    pub fn has_no_valid_host(&self) -> bool {
        let Some(fault) = &self.fault else { return false };
        let details = fault.details.as_deref().unwrap_or_default();
        let said = |text: &str| fault.message.contains(text) || details.contains(text);
        // once a host has tried and failed, "no valid host" only says that the retries are used up
        said("No valid host") && !said("Exceeded maximum number of retries")
    }
}

impl Cloud {
    /// Asks nova for a server and returns its id. Not repeated after a fault: look for the name first.
    pub async fn create_server(&self, new: &NewServer) -> Result<String, Error> {
        let networks = match new.networks.as_slice() {
            [] => json!("none"),
            ids => ids.iter().map(|id| json!({"uuid": id})).collect(),
        };
        let mut server = json!({
            "name": new.name, "flavorRef": new.flavor, "imageRef": new.image, "networks": networks,
            "metadata": new.metadata,
        });
        for (key, value) in [("availability_zone", &new.zone), ("key_name", &new.key)] {
            if let Some(value) = value {
                server[key] = json!(value);
            }
        }
        if let Some(text) = &new.user_data {
            let encoded = STANDARD.encode(text);
            if encoded.len() > MAX_USER_DATA {
                let message = format!(
                    "its user data has {} bytes in base64, more than the {MAX_USER_DATA} that nova takes",
                    encoded.len()
                );
                return Err(Error::new(ErrorKind::Refused, format!("server `{}`", new.name), message));
            }
            server["user_data"] = json!(encoded);
        }
        let mut body = json!({"server": server});
        if let Some(group) = &new.group {
            body["os:scheduler_hints"] = json!({"group": group});
        }
        let answer: Value = self.fetch(&Call::post(Service::Compute, &["servers"], body), "server").await?;
        answer["id"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| Error::new(ErrorKind::Unusable, "POST compute/servers", "the answer has no id"))
    }

    /// A server as it is now.
    pub async fn server(&self, id: &str) -> Result<Server, Error> {
        self.fetch(&Call::get(Service::Compute, &["servers", id]), "server").await
    }

    /// The project's servers whose names begin with `prefix`.
    pub async fn servers(&self, prefix: &str) -> Result<Vec<Server>, Error> {
        let found: Vec<Server> = self.named(&["servers", "detail"], prefix).await?;
        Ok(found.into_iter().filter(|server| server.name.starts_with(prefix)).collect())
    }

    /// Names and ids of the project's servers whose names begin with `prefix`: far cheaper for nova than the servers themselves.
    pub(crate) async fn server_names(&self, prefix: &str) -> Result<Vec<Named>, Error> {
        let found: Vec<Named> = self.named(&["servers"], prefix).await?;
        Ok(found.into_iter().filter(|server| server.name.starts_with(prefix)).collect())
    }

    /// The ids of the project's servers whose names begin with `prefix`.
    pub async fn server_ids(&self, prefix: &str) -> Result<Vec<String>, Error> {
        Ok(self.server_names(prefix).await?.into_iter().map(|server| server.id).collect())
    }

    /// Servers by the beginning of their names, as far as nova sees to it.
    async fn named<T: DeserializeOwned>(&self, path: &[&str], prefix: &str) -> Result<Vec<T>, Error> {
        // nova takes a regular expression; names of ours have nothing in them that would be special
        let pattern = format!("^{prefix}");
        self.list(Service::Compute, path, "servers", &[("name", &pattern)]).await
    }

    /// Asks nova to delete a server. One that is gone is fine.
    pub async fn delete_server(&self, id: &str) -> Result<(), Error> {
        gone_is_fine(self.call(&Call::delete(Service::Compute, &["servers", id])).await)
    }

    /// The end of a server's console log: at most 100 KiB with nova's libvirt driver.
    pub async fn console(&self, id: &str) -> Result<String, Error> {
        let path = ["servers", id, "action"];
        let call = Call::post(Service::Compute, &path, json!({"os-getConsoleOutput": {}})).repeatable();
        self.fetch(&call, "output").await
    }
}

pub(crate) fn gone_is_fine(result: Result<Value, Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.kind != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
