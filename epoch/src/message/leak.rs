//! What a workload left behind on a cluster after it was removed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that should be gone and is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Leak {
    pub kind: LeakKind,
    /// Of the thing itself; of an allocation, the server that has it.
    pub id: String,
    /// allocation: the resource provider that it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
}

/// What kind of thing was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeakKind {
    Server,
    Port,
    Volume,
    /// What placement counts for a server.
    Allocation,
}

impl Leak {
    pub fn new(kind: LeakKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into(), on: None }
    }

    /// The command that removes it.
    pub fn remedy(&self) -> String {
        let id = &self.id;
        match self.kind {
            LeakKind::Server => format!("openstack server delete {id}"),
            LeakKind::Port => format!("openstack port delete {id}"),
            LeakKind::Volume => format!("openstack volume delete {id}"),
            LeakKind::Allocation => format!("openstack resource provider allocation delete {id}"),
        }
    }
}

impl std::fmt::Display for Leak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            LeakKind::Server => "server",
            LeakKind::Port => "port",
            LeakKind::Volume => "volume",
            LeakKind::Allocation => "allocations of server",
        };
        write!(f, "{kind} {}", self.id)?;
        self.on.as_ref().map_or(Ok(()), |on| write!(f, " on {on}"))
    }
}
