//! Reading a file of commands, alone or shared with the workers' other settings.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::command::config::{Commands, Program};
use crate::command::template;
use crate::problem::nearest;
use crate::service::config::{ConfigError, SECTIONS};

const STAGES: [&str; 4] = ["apply", "load", "bench", "collect"];

impl Commands {
    /// Reads the `command` tables of a TOML file. Other settings of the services may stand in the same file: their
    /// sections, and plain keys beside `command`, are left to those who read them.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let directory = std::path::absolute(path).map_err(unreadable)?;
        let directory = directory.parent().unwrap_or_else(|| Path::new("/"));
        let invalid = |reason| ConfigError::Invalid { origin: path.display().to_string(), reason };
        let table: toml::Table = toml::from_str(&text)
            .map_err(|error| ConfigError::Syntax { path: path.into(), reason: error.to_string() })?;
        let mut commands = Self::from_table(table).map_err(invalid)?;
        for (place, program) in commands.programs() {
            program.check().map_err(|reason| invalid(format!("{place}: {reason}")))?;
            program.resolve(directory);
        }
        commands.openstack.check().map_err(invalid)?;
        commands.openstack.resolve(directory);
        Ok(commands)
    }

    fn from_table(mut table: toml::Table) -> Result<Self, String> {
        if let Some(unknown) = table.keys().find(|key| !SECTIONS.contains(&key.as_str())) {
            let hint = nearest(unknown, SECTIONS);
            return Err(with_hint(format!("unknown section `{unknown}`"), hint));
        }
        let mut commands = Self::default();
        if let Some(section) = table.remove("openstack") {
            commands.openstack = section
                .try_into()
                .map_err(|error: toml::de::Error| format!("openstack: {}", error.to_string().trim()))?;
        }
        for stage in STAGES {
            let Some(section) = table.remove(stage) else { continue };
            let toml::Value::Table(mut section) = section else {
                return Err(format!("`{stage}` is not a section"));
            };
            let command = section.remove("command");
            // a misspelt `[bench.comand.x]` would otherwise be no command at all
            if let Some((key, _)) = section.iter().find(|(_, value)| value.is_table()) {
                return Err(with_hint(format!("unknown section `{stage}.{key}`"), nearest(key, ["command"])));
            }
            let Some(command) = command else { continue };
            match stage {
                "apply" => commands.apply.command = entries(stage, command)?,
                "load" => commands.load.command = entries(stage, command)?,
                "bench" => commands.bench.command = entries(stage, command)?,
                _ => commands.collect.command = entries(stage, command)?,
            }
        }
        Ok(commands)
    }

    /// Every program with its place in the file.
    pub fn programs(&mut self) -> Vec<(String, &mut Program)> {
        let mut all = Vec::new();
        for (name, command) in &mut self.apply.command {
            all.push((format!("apply.command.{name}.capture"), &mut command.capture));
            all.push((format!("apply.command.{name}.apply"), &mut command.apply));
            all.extend(command.verify.as_mut().map(|p| (format!("apply.command.{name}.verify"), p)));
            all.push((format!("apply.command.{name}.restore"), &mut command.restore));
        }
        for (name, command) in &mut self.load.command {
            all.push((format!("load.command.{name}.start"), &mut command.start));
            all.extend(command.ready.as_mut().map(|p| (format!("load.command.{name}.ready"), p)));
        }
        for (name, command) in &mut self.bench.command {
            all.push((format!("bench.command.{name}.run"), &mut command.run));
            all.extend(command.clean.as_mut().map(|p| (format!("bench.command.{name}.clean"), p)));
        }
        for (name, command) in &mut self.collect.command {
            all.push((format!("collect.command.{name}.run"), &mut command.run));
        }
        for (name, cluster) in &mut self.openstack.cluster {
            let restarts = cluster.scheduler.iter_mut().map(|scheduler| &mut scheduler.restart);
            all.extend(restarts.map(|p| (format!("openstack.cluster.{name}.scheduler.restart"), p)));
        }
        all
    }
}

impl Program {
    /// What no order could make right.
    fn check(&self) -> Result<(), String> {
        if self.program.as_os_str().is_empty() {
            return Err("`program` is empty".into());
        }
        if self.max_output == 0 {
            return Err("`max_output` is 0: nothing of the output would be kept".into());
        }
        self.args.iter().try_for_each(|arg| template::check(arg).map_err(|error| error.to_string()))
    }

    /// A path, or a name that stands beside the file, is taken from the file's directory; other names are left to `PATH`.
    fn resolve(&mut self, directory: &Path) {
        let beside = directory.join(&self.program);
        if self.program.to_string_lossy().contains('/') || beside.is_file() {
            self.program = beside;
        }
        self.workdir = Some(directory.join(self.workdir.take().unwrap_or_default()));
    }
}

/// Deserialized one by one, so that the error can name the entry.
fn entries<C: DeserializeOwned>(stage: &str, value: toml::Value) -> Result<BTreeMap<String, C>, String> {
    let toml::Value::Table(table) = value else {
        return Err(format!("`{stage}.command` is not a section"));
    };
    table
        .into_iter()
        .map(|(name, entry)| {
            let command = entry.try_into().map_err(|error: toml::de::Error| {
                format!("{stage}.command.{name}: {}", error.to_string().trim())
            })?;
            Ok((name, command))
        })
        .collect()
}

fn with_hint(text: String, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{text}; did you mean `{hint}`?"),
        None => text,
    }
}
