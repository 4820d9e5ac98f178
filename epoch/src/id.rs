//! Identifiers: one type for each kind of thing, so that a trial's id cannot be passed where an epoch's is wanted.
//!
//! Whatever is derived from something else gets a derived (version 5) identifier. That keeps the state machine
//! pure, and makes a message that is published twice carry the same id both times.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identifier, ordered by time (version 7).
            pub fn fresh() -> Self {
                Self(Uuid::now_v7())
            }

            /// The identifier that follows from `parent` and `label`, the same every time (version 5).
            pub fn derived(parent: Uuid, label: &str) -> Self {
                Self(Uuid::new_v5(&parent, label.as_bytes()))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// One submitted experiment. Its name may be used again once it has ended; its id never.
    ExperimentId
}
id! {
    /// One set of parameter values to evaluate.
    TrialId
}
id! {
    /// One trip of one trial round the circle on one cluster.
    EpochId
}
id! {
    /// One question to the optimizer.
    AskId
}
id! {
    /// One message; the key of the inbox.
    MessageId
}
