//! Which of nova-scheduler's settings are in force, and who says so.

use autoopt_cloud::Aggregate;
use autoopt_cloud::knobs::{Ini, Setting};
use autoopt_epoch::command::Cluster;
use autoopt_epoch::failure::Failure;

use super::snippet::Files;

/// All places that have a say, as they are.
#[derive(Debug)]
pub struct InForce {
    aggregate: Option<Aggregate>,
    /// What nova-scheduler's files say.
    pub configuration: Ini,
    /// Whether its own files are known, or only ours.
    pub known: bool,
}

impl InForce {
    /// Reads the files of the cluster's schedulers, of which the last has the word; `aggregate` is the one under test.
    pub async fn read(cluster: &Cluster, aggregate: Option<Aggregate>) -> Result<Self, Failure> {
        let mut configuration = Ini::default();
        for scheduler in &cluster.scheduler {
            configuration = Files::of(scheduler).in_force().await?;
        }
        let known = cluster.scheduler.iter().any(|scheduler| !scheduler.config.is_empty());
        Ok(Self { aggregate, configuration, known })
    }

    /// The text that decides on a setting, or nothing where nova's default holds; and where that is from.
    pub fn of(&self, setting: &Setting) -> (Option<String>, &'static str) {
        let overridden = match setting {
            Setting::Knob(knob) if knob.aggregate => {
                self.aggregate.as_ref().and_then(|target| target.metadata.get(knob.name))
            }
            _ => None,
        };
        match (overridden, self.configuration.get(setting)) {
            (Some(text), _) => (Some(text.clone()), "aggregate"),
            (None, Some(text)) => (Some(text), "configuration"),
            (None, None) if self.known => (None, "default"),
            (None, None) => (None, "default, the configuration being unknown"),
        }
    }
}
