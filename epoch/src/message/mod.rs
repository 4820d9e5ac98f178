//! What travels between the services. Each type has a version in its name (`autoopt.trial.v1`, carried in the AMQP
//! property `type`), a JSON Schema under `epoch/schemas`, and a stored example under `epoch/examples`.
//!
//! Receivers ignore fields they do not know, so a new optional field needs no new version; anything else does.

mod artifact;
mod ask;
mod decode;
mod epoch;
mod event;
mod explanation;
mod leak;
mod outlook;
mod report;
pub mod schema;
mod trial;

pub use artifact::Artifact;
pub use ask::{Ask, Goal, Observation, Pending};
pub use decode::{DecodeError, MAX_BODY, decode};
pub use epoch::{Action, Cancel, Epoch, Measure, Stage};
pub use event::{By, Event, EventKind};
pub use explanation::{Effect, Estimate, Explanation, Interaction, Level};
pub use leak::{Leak, LeakKind};
pub use outlook::{Compromise, Outlook, Recommended};
pub use report::{Done, Measurement, Report, ReportState, Violation};
pub use trial::{Trial, TrialKind};

/// A message with a name and a version.
pub trait Message: serde::Serialize + serde::de::DeserializeOwned {
    /// The value of the AMQP property `type`.
    const TYPE: &'static str;

    /// Checks what the fields' types cannot say; the reason is for the sender.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Message for Trial {
    const TYPE: &'static str = "autoopt.trial.v1";
}
impl Message for Epoch {
    const TYPE: &'static str = "autoopt.epoch.v1";
}
impl Message for Cancel {
    const TYPE: &'static str = "autoopt.cancel.v1";
}
impl Message for Report {
    const TYPE: &'static str = "autoopt.report.v1";

    fn check(&self) -> Result<(), String> {
        decode::check_report(self)
    }
}
impl Message for Ask {
    const TYPE: &'static str = "autoopt.ask.v1";
}
impl Message for Event {
    const TYPE: &'static str = "autoopt.event.v1";
}
impl Message for Explanation {
    const TYPE: &'static str = "autoopt.explanation.v1";
}
