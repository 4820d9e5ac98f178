//! A Heat template with everything it refers to, gathered as Heat's own client does: nested templates and `get_file` texts are
//! sent along under the references by which the templates know them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use crate::workload::file;

/// What goes to Heat.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    pub template: serde_json::Value,
    pub environment: serde_json::Value,
    pub files: BTreeMap<String, String>,
}

/// Gathers the template and the environment, given relative to `root`, out of which no reference leads.
pub fn gather(root: &Path, template: &str, environment: Option<&str>) -> Result<Gathered, String> {
    let mut gathering = Gathering { root, files: BTreeMap::new() };
    let mut main = read(root, template)?;
    gathering.template(&mut main, &directory(template), template)?;
    let mut env = Value::Mapping(serde_yaml::Mapping::new());
    if let Some(name) = environment {
        env = read(root, name)?;
        if let Some(registry) = env.get_mut("resource_registry") {
            gathering.registry(registry, &directory(name), name)?;
        }
    }
    let json =
        |value: &Value, name: &str| serde_json::to_value(value).map_err(|error| format!("{name}: {error}"));
    Ok(Gathered {
        template: json(&main, template)?,
        environment: json(&env, environment.unwrap_or_default())?,
        files: gathering.files,
    })
}

struct Gathering<'a> {
    root: &'a Path,
    files: BTreeMap<String, String>,
}

impl Gathering<'_> {
    /// Rewrites the references of a template in `directory` to keys of `files`, and gathers what they mean.
    fn template(&mut self, value: &mut Value, directory: &Path, origin: &str) -> Result<(), String> {
        match value {
            Value::Mapping(map) => {
                for (key, value) in map.iter_mut() {
                    match (key.as_str(), value.as_str()) {
                        (Some("get_file"), Some(name)) => {
                            let name = self.add(directory, name, origin, false)?;
                            *value = Value::String(name);
                        }
                        (Some("type"), Some(name)) if is_template(name) => {
                            let name = self.add(directory, name, origin, true)?;
                            *value = Value::String(name);
                        }
                        _ => self.template(value, directory, origin)?,
                    }
                }
            }
            Value::Sequence(items) => {
                for item in items {
                    self.template(item, directory, origin)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The same for the `resource_registry` of an environment.
    fn registry(&mut self, value: &mut Value, directory: &Path, origin: &str) -> Result<(), String> {
        let Value::Mapping(map) = value else { return Ok(()) };
        for (_, value) in map.iter_mut() {
            match value.as_str() {
                Some(name) if is_template(name) => {
                    *value = Value::String(self.add(directory, name, origin, true)?)
                }
                Some(_) => {}
                None => self.registry(value, directory, origin)?,
            }
        }
        Ok(())
    }

    /// The key of a file; its text is gathered when it is first met, and what it refers to with it.
    fn add(&mut self, directory: &Path, name: &str, origin: &str, template: bool) -> Result<String, String> {
        if name.contains("://") {
            return Err(format!("{origin}: `{name}` is elsewhere; put it beside the template"));
        }
        let path = normal(&directory.join(name))
            .ok_or_else(|| format!("{origin}: `{name}` leads out of the worker's files"))?;
        let shown = path.display().to_string();
        let key = format!("file:///{shown}");
        if self.files.contains_key(&key) {
            return Ok(key);
        }
        let text = file(self.root, &shown).map_err(|error| format!("{origin}: {error}"))?;
        self.files.insert(key.clone(), text);
        if template {
            let mut nested = read(self.root, &shown)?;
            self.template(&mut nested, &directory_of(&path), &shown)?;
            let text = serde_json::to_string(&nested).map_err(|error| format!("{shown}: {error}"))?;
            self.files.insert(key.clone(), text);
        }
        Ok(key)
    }
}

fn is_template(name: &str) -> bool {
    [".yaml", ".yml", ".template"].iter().any(|end| name.ends_with(end))
}

fn read(root: &Path, name: &str) -> Result<Value, String> {
    let value: Value =
        serde_yaml::from_str(&file(root, name)?).map_err(|error| format!("{name}: {error}"))?;
    if value.is_mapping() {
        Ok(value)
    } else {
        Err(format!("{name} is no template or environment: it is no mapping"))
    }
}

fn directory(name: &str) -> PathBuf {
    directory_of(Path::new(name))
}

fn directory_of(path: &Path) -> PathBuf {
    path.parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Without `.` and `..`; nothing if it leads above its beginning.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::Normal(name) => out.push(name),
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if out.pop() => {}
            _ => return None,
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        directory
    }

    #[test]
    fn nested_templates_and_files_are_found_from_where_they_are_named() {
        let root = written(&[
            (
                "app/main.yaml",
                "resources: {a: {type: 'lib/one.yaml'}, g: {properties: {resource_def: {type: My::Server}}}}",
            ),
            ("app/lib/one.yaml", "resources: {s: {properties: {config: {get_file: ../run.sh}}}}"),
            ("app/run.sh", "#!/bin/sh\n"),
            ("env.yaml", "resource_registry: {'My::Server': app/lib/one.yaml}\nparameters: {n: 2}"),
        ]);
        let gathered = gather(root.path(), "app/main.yaml", Some("env.yaml")).unwrap();
        assert_eq!(gathered.template["resources"]["a"]["type"], "file:///app/lib/one.yaml");
        assert_eq!(gathered.environment["resource_registry"]["My::Server"], "file:///app/lib/one.yaml");
        assert_eq!(
            gathered.files.keys().collect::<Vec<_>>(),
            ["file:///app/lib/one.yaml", "file:///app/run.sh"]
        );
        assert!(gathered.files["file:///app/lib/one.yaml"].contains("file:///app/run.sh"));
    }

    #[test]
    fn references_that_lead_nowhere_are_named_with_their_template() {
        for (text, said) in [
            ("resources: [", "main.yaml: "),
            ("- a", "no mapping"),
            ("a: {get_file: absent.sh}", "main.yaml: cannot read"),
            ("a: {get_file: ../../etc/passwd}", "leads out"),
            ("a: {get_file: 'http://x/y'}", "is elsewhere"),
        ] {
            let root = written(&[("main.yaml", text)]);
            let error = gather(root.path(), "main.yaml", None).expect_err(said);
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}
