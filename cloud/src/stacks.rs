//! Heat stacks: <https://docs.openstack.org/api-ref/orchestration/v1/#stacks>.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::Cloud;
use crate::call::{Call, Service};
use crate::error::{Error, ErrorKind};
use crate::servers::gone_is_fine;

/// How deep nested stacks are looked into.
const NESTED: &str = "10";

/// A stack to create.
#[derive(Clone, Debug)]
pub struct NewStack {
    pub name: String,
    pub template: Value,
    /// `parameters`, `resource_registry`, ….
    pub environment: Value,
    /// What the template and the environment refer to, by the reference.
    pub files: BTreeMap<String, String>,
    pub parameters: BTreeMap<String, Value>,
    pub tags: Vec<String>,
    /// After this long Heat itself gives up.
    pub timeout_minutes: u64,
}

/// A stack as it is.
#[derive(Clone, Debug, Deserialize)]
pub struct Stack {
    pub id: String,
    #[serde(rename = "stack_name")]
    pub name: String,
    /// `CREATE_COMPLETE`, `DELETE_FAILED`, ….
    #[serde(rename = "stack_status")]
    pub status: String,
    #[serde(default, rename = "stack_status_reason")]
    pub reason: Option<String>,
    #[serde(default)]
    pub tags: Option<Vec<String>>,
}

/// Something that happened in a stack or one nested in it.
#[derive(Clone, Debug, Deserialize)]
pub struct StackEvent {
    pub id: String,
    /// Heat's own text.
    pub event_time: String,
    pub resource_name: String,
    pub resource_status: String,
    #[serde(default)]
    pub resource_status_reason: Option<String>,
}

/// A resource of a stack or of one nested in it.
#[derive(Clone, Debug, Deserialize)]
pub struct StackResource {
    #[serde(rename = "resource_name")]
    pub name: String,
    #[serde(rename = "resource_type")]
    pub kind: String,
    #[serde(rename = "resource_status")]
    pub status: String,
    #[serde(default, rename = "resource_status_reason")]
    pub reason: Option<String>,
    /// The id of what it stands for, once there is one.
    #[serde(default, rename = "physical_resource_id")]
    pub physical_id: Option<String>,
}

impl Cloud {
    /// Asks Heat for a stack and returns its id. A failed one is left as it is, to be looked at and deleted.
    pub async fn create_stack(&self, new: &NewStack) -> Result<String, Error> {
        let body = json!({
            "stack_name": new.name, "template": new.template, "environment": new.environment, "files": new.files,
            "parameters": new.parameters, "timeout_mins": new.timeout_minutes, "disable_rollback": true,
            "tags": new.tags.join(","),
        });
        let answer: Value =
            self.fetch(&Call::post(Service::Orchestration, &["stacks"], body), "stack").await?;
        answer["id"].as_str().map(str::to_owned).ok_or_else(|| {
            Error::new(ErrorKind::Unusable, "POST orchestration/stacks", "the answer has no id")
        })
    }

    /// The newest stack of this name that is not deleted.
    pub async fn stack(&self, name: &str) -> Result<Option<Stack>, Error> {
        match self.fetch(&Call::get(Service::Orchestration, &["stacks", name]), "stack").await {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            result => result.map(Some),
        }
    }

    /// The project's stacks whose names begin with `prefix`.
    pub async fn stacks(&self, prefix: &str) -> Result<Vec<Stack>, Error> {
        let all: Vec<Stack> = self.list(Service::Orchestration, &["stacks"], "stacks", &[]).await?;
        Ok(all.into_iter().filter(|stack| stack.name.starts_with(prefix)).collect())
    }

    /// Asks Heat to delete a stack. One that is gone is fine.
    pub async fn delete_stack(&self, stack: &Stack) -> Result<(), Error> {
        let path = ["stacks", stack.name.as_str(), stack.id.as_str()];
        gone_is_fine(self.call(&Call::delete(Service::Orchestration, &path)).await)
    }

    /// What happened in a stack and those nested in it, oldest first.
    pub async fn stack_events(&self, stack: &Stack) -> Result<Vec<StackEvent>, Error> {
        let path = ["stacks", stack.name.as_str(), stack.id.as_str(), "events"];
        self.list(Service::Orchestration, &path, "events", &[("nested_depth", NESTED), ("sort_dir", "asc")])
            .await
    }

    /// The resources of a stack and those nested in it.
    pub async fn stack_resources(&self, stack: &Stack) -> Result<Vec<StackResource>, Error> {
        let path = ["stacks", stack.name.as_str(), stack.id.as_str(), "resources"];
        let query = [("nested_depth", NESTED)];
        self.fetch(&Call::get(Service::Orchestration, &path).query(&query), "resources").await
    }
}
