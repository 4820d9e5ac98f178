//! JSON Schemas (2020-12) of what others may write: the messages, and an experiment. The same stand in `epoch/schemas`.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{Ask, Cancel, Epoch, Event, Explanation, Message, Report, Trial};
use crate::experiment::ExperimentSpec;

/// The names of all schemas: `experiment`, and the messages in the order of an epoch.
pub const NAMES: [&str; 8] =
    ["experiment", "trial", "epoch", "cancel", "report", "ask", "event", "explanation"];

/// The schema of one of [`NAMES`].
pub fn schema(name: &str) -> Option<Value> {
    Some(match name {
        "experiment" => of::<ExperimentSpec>("autoopt.experiment.v1"),
        "trial" => message::<Trial>(),
        "epoch" => message::<Epoch>(),
        "cancel" => message::<Cancel>(),
        "report" => message::<Report>(),
        "ask" => message::<Ask>(),
        "event" => message::<Event>(),
        "explanation" => message::<Explanation>(),
        _ => return None,
    })
}

fn message<M: Message + JsonSchema>() -> Value {
    of::<M>(M::TYPE)
}

/// The title is the name with its version, by which a message's type is known on the bus.
fn of<T: JsonSchema>(title: &str) -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    schema.to_value()
}
