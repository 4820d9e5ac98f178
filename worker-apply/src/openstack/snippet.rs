//! Settings in a file of our own that nova-scheduler reads after its other files, and a restart.
//!
//! Beside the snippet stands `….applied`, a copy made once every restart has worked (oslo.config reads only `*.conf`): where
//! the two differ, a restart is outstanding, whatever was killed in between.

use std::path::{Path, PathBuf};

use autoopt_cloud::Place;
use autoopt_cloud::knobs::{HEADER, Ini, METRICS, Setting, render};
use autoopt_epoch::command::Scheduler;
use autoopt_epoch::failure::{Failure, FailureKind};

use super::plan::Part;

/// Begins the line that says whose values are in force.
const OWNER: &str = "# owner: ";
/// In place of an owner, where values are to stay.
const KEPT: &str = "none; kept by ";
/// Begins each line of what was there before.
const SAVED: &str = "#| ";

/// A scheduler's files.
pub(crate) struct Files<'a> {
    place: Place,
    scheduler: &'a Scheduler,
}

/// What is to be in force.
pub(crate) enum Wanted<'a> {
    /// Until it is restored.
    Values(&'a [Part]),
    /// For good.
    Kept(&'a [Part]),
    /// What was there before.
    Before,
}

impl<'a> Files<'a> {
    pub(crate) fn of(scheduler: &'a Scheduler) -> Self {
        Self { place: Place::of(scheduler), scheduler }
    }

    fn applied(&self) -> PathBuf {
        PathBuf::from(format!("{}.applied", self.scheduler.snippet.display()))
    }

    /// What the scheduler's own files say, and the snippet if it is there.
    pub(crate) async fn in_force(&self) -> Result<Ini, Failure> {
        let mut ini = self.base().await?;
        if let Some(text) = self.place.read(&self.scheduler.snippet).await? {
            ini.read(&text);
        }
        Ok(ini)
    }

    async fn base(&self) -> Result<Ini, Failure> {
        let mut ini = Ini::default();
        for path in &self.scheduler.config {
            let text = self.place.read(path).await?.ok_or_else(|| {
                let reason = format!("scheduler.config names {}, which is not there", path.display());
                Failure::new(FailureKind::Broken, reason)
            })?;
            ini.read(&text);
        }
        Ok(ini)
    }

    /// The snippet, if it can be written for this experiment.
    pub(crate) async fn find(&self, owner: &str) -> Result<Option<String>, Failure> {
        let text = self.place.read(&self.scheduler.snippet).await?;
        ours(&self.scheduler.snippet, text.as_deref(), owner)
            .map_err(|r| Failure::new(FailureKind::Broken, r))?;
        Ok(text)
    }

    /// Writes what is wanted. Returns whether a restart is outstanding, and the text.
    pub(crate) async fn put(
        &self,
        wanted: &Wanted<'_>,
        owner: &str,
    ) -> Result<(bool, Option<String>), Failure> {
        let path = &self.scheduler.snippet;
        let found = self.find(owner).await?;
        let new = match wanted {
            Wanted::Values(parts) => Some(self.text(owner, parts, before(found.as_deref())).await?),
            Wanted::Kept(parts) => Some(self.text(&format!("{KEPT}{owner}"), parts, None).await?),
            Wanted::Before => before(found.as_deref()),
        };
        if new != found {
            match &new {
                Some(text) => self.place.write(path, text).await?,
                None => self.place.remove(path).await?,
            }
        }
        let outstanding = self.place.read(&self.applied()).await? != new;
        Ok((outstanding, new))
    }

    async fn text(&self, owner: &str, parts: &[Part], before: Option<String>) -> Result<String, Failure> {
        let mut settings: Vec<(Setting, String)> =
            parts.iter().map(|part| (part.setting, part.text.clone())).collect();
        if settings.iter().any(|(setting, _)| matches!(setting, Setting::Ratio(_))) {
            // the option is one list: what is not tuned in it has to be said again
            let base = self.base().await?;
            let foreign = base.foreign_metrics();
            if !foreign.is_empty() {
                let reason = format!(
                    "[metrics] weight_setting has {}, which would be lost when it is written",
                    foreign.join(", ")
                );
                return Err(Failure::new(FailureKind::Broken, reason));
            }
            for ratio in METRICS.map(Setting::Ratio) {
                let tuned = settings.iter().any(|(setting, _)| *setting == ratio);
                settings.extend(base.get(&ratio).filter(|_| !tuned).map(|text| (ratio, text)));
            }
        }
        let mut text = render(owner, &settings);
        if let Some(before) = before {
            text.push_str("\n# before:\n");
            before.lines().for_each(|line| text.extend([SAVED, line, "\n"]));
        }
        Ok(text)
    }

    /// Notes that the scheduler was restarted with `text` in place.
    pub(crate) async fn restarted(&self, text: Option<&str>) -> Result<(), Failure> {
        match text {
            Some(text) => self.place.write(&self.applied(), text).await,
            None => self.place.remove(&self.applied()).await,
        }
    }
}

/// Whose a snippet is, if it has our header.
fn owner_of(text: &str) -> Option<&str> {
    let mut lines = text.lines();
    lines.next().filter(|line| *line == HEADER)?;
    lines.next()?.strip_prefix(OWNER)
}

fn ours(path: &Path, text: Option<&str>, owner: &str) -> Result<(), String> {
    let Some(text) = text else { return Ok(()) };
    let shown = path.display();
    match owner_of(text) {
        None => Err(format!("{shown} is not ours; give `scheduler.snippet` another name")),
        Some(other) if other == owner || other.starts_with(KEPT) => Ok(()),
        Some(other) => Err(format!(
            "{shown} still has values of the experiment `{other}`. End that experiment, or delete the file and restart \
             nova-scheduler"
        )),
    }
}

/// What was there before the owner of `text` came.
fn before(text: Option<&str>) -> Option<String> {
    let text = text?;
    if owner_of(text).is_some_and(|owner| owner.starts_with(KEPT)) {
        return Some(text.to_owned());
    }
    let saved: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(SAVED)).collect();
    (!saved.is_empty()).then(|| saved.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use autoopt_epoch::space::Value;

    use super::*;

    fn scheduler(directory: &Path) -> Scheduler {
        serde_json::from_value(serde_json::json!({
            "snippet": directory.join("90.conf"), "config": [directory.join("nova.conf")], "restart": {"program": "true"},
        }))
        .unwrap()
    }

    fn part(name: &str, text: &str) -> Part {
        let setting = Setting::find(name).unwrap();
        Part { name: name.into(), setting, value: Value::Text(text.into()), text: text.into() }
    }

    #[tokio::test]
    async fn a_restart_is_outstanding_until_it_is_noted_and_restoring_removes_the_file() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("nova.conf"), "[metrics]\nweight_setting = cpu.percent=-1\n")
            .unwrap();
        let scheduler = scheduler(directory.path());
        let files = Files::of(&scheduler);
        let parts = [part("metrics.cpu.idle.percent", "0.5"), part("host_subset_size", "2")];
        let wanted = Wanted::Values(&parts);
        let (outstanding, text) = files.put(&wanted, "e 1").await.unwrap();
        assert!(outstanding);
        assert!(
            text.as_ref().unwrap().contains("weight_setting = cpu.idle.percent=0.5, cpu.percent=-1\n"),
            "{text:?}"
        );
        // killed before the restart
        assert!(files.put(&wanted, "e 1").await.unwrap().0);
        files.restarted(text.as_deref()).await.unwrap();
        assert!(!files.put(&wanted, "e 1").await.unwrap().0);
        let subset = Setting::find("host_subset_size").unwrap();
        assert_eq!(files.in_force().await.unwrap().get(&subset).as_deref(), Some("2"));
        assert!(files.put(&wanted, "other 2").await.unwrap_err().reason.contains("`e 1`"));

        let (outstanding, text) = files.put(&Wanted::Before, "e 1").await.unwrap();
        assert_eq!((outstanding, text), (true, None));
        files.restarted(None).await.unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(!files.put(&Wanted::Before, "e 1").await.unwrap().0);
    }

    #[tokio::test]
    async fn kept_values_are_what_the_next_experiment_finds_and_restores() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("nova.conf"), "").unwrap();
        let scheduler = scheduler(directory.path());
        let files = Files::of(&scheduler);
        let first = [part("host_subset_size", "2")];
        let (_, kept) = files.put(&Wanted::Kept(&first), "e 1").await.unwrap();
        let second = [part("host_subset_size", "3")];
        files.put(&Wanted::Values(&second), "f 2").await.unwrap();
        files.put(&Wanted::Values(&first), "f 2").await.unwrap();
        assert_eq!(files.put(&Wanted::Before, "f 2").await.unwrap().1, kept);
    }

    #[tokio::test]
    async fn a_file_that_is_not_ours_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let scheduler = scheduler(directory.path());
        std::fs::write(&scheduler.snippet, "[filter_scheduler]\nhost_subset_size = 9\n").unwrap();
        let failure = Files::of(&scheduler).put(&Wanted::Before, "e 1").await.unwrap_err();
        assert!(failure.reason.contains("is not ours"), "{failure}");
        assert!(scheduler.snippet.exists());
    }
}
