//! oslo.config's files: `*.conf` of a directory in alphabetical order, later ones win.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Options by section and key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    values: BTreeMap<(String, String), String>,
}

/// A configuration that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfError {
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{file}:{line}: {problem}")]
    Syntax { file: String, line: usize, problem: &'static str },
}

impl Options {
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.values.get(&(section.to_owned(), key.to_owned())).map(String::as_str)
    }

    /// Adds what `text` says; `file` names it in errors.
    ///
    /// Lines are `[section]`, `key = value` or `key: value`, comments (`#`, `;`), and continuations, which start with white space.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), ConfError> {
        let mut section = "DEFAULT".to_owned();
        let mut last: Option<(String, String)> = None;
        for (i, line) in text.lines().enumerate() {
            let problem = |problem| ConfError::Syntax { file: file.to_owned(), line: i + 1, problem };
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                last = None;
            } else if line.starts_with(char::is_whitespace) {
                let key = last.as_ref().ok_or_else(|| problem("Unexpected continuation line"))?;
                let value = self.values.entry(key.clone()).or_default();
                value.push('\n');
                value.push_str(trimmed);
            } else if let Some(name) = trimmed.strip_prefix('[') {
                section = name
                    .strip_suffix(']')
                    .ok_or_else(|| problem("Invalid section (must end with ])"))?
                    .trim()
                    .to_owned();
                last = None;
            } else {
                let (key, value) = trimmed
                    .split_once(['=', ':'])
                    .ok_or_else(|| problem("No ':' or '=' found in assignment"))?;
                let key = (section.clone(), key.trim().to_owned());
                self.values.insert(key.clone(), unquoted(value.trim()).to_owned());
                last = Some(key);
            }
        }
        Ok(())
    }

    /// Adds the files `*.conf` of `directory`; a directory that does not exist holds none.
    pub fn add_directory(&mut self, directory: &Path) -> Result<Vec<PathBuf>, ConfError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ConfError::Read { path, source }
        };
        let mut files = Vec::new();
        match std::fs::read_dir(directory) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            entries => {
                for entry in entries.map_err(failed(directory))? {
                    let path = entry.map_err(failed(directory))?.path();
                    if path.extension().is_some_and(|e| e == "conf") {
                        files.push(path);
                    }
                }
            }
        }
        files.sort();
        for path in &files {
            let text = std::fs::read_to_string(path).map_err(failed(path))?;
            self.add(&path.display().to_string(), &text)?;
        }
        Ok(files)
    }
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|v| v.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}
