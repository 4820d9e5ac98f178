//! From a file, or from JSON, to a checked experiment.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use toml_edit::Document;

use super::diagnostics::{Diagnostic, Diagnostics, Place, locate};
use super::{ExperimentSpec, WarmStart, check, shape, shapes};
use crate::message::Stage;
use crate::problem::Problem;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Reads and checks an experiment file.
pub fn load(path: &Path) -> Result<ExperimentSpec, Diagnostics> {
    let file = path.display().to_string();
    match read(path) {
        Ok(text) => parse_toml(&text, &file),
        Err(problem) => Err(Diagnostics { file, all: vec![Diagnostic { problem, place: None }] }),
    }
}

/// Reads and checks the text of an experiment file; `file` is its name in messages.
pub fn parse_toml(text: &str, file: &str) -> Result<ExperimentSpec, Diagnostics> {
    let failed = |all| Err(Diagnostics { file: file.to_owned(), all });
    let at = |problem, span| Diagnostic { problem, place: Some(Place::of(text, &span)) };
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let problem = Problem::new("", format!("this is not TOML: {}", error.message().trim_end()));
            return failed(vec![at(problem, error.span().unwrap_or(0..0))]);
        }
    };
    let root = document.as_item().clone();
    let deserializer = toml_edit::de::Deserializer::from(document);
    let spec: ExperimentSpec = match serde_path_to_error::deserialize(deserializer) {
        Ok(spec) => spec,
        Err(error) => {
            let problem = shape::problem(&error.path().to_string(), error.inner().message());
            let span = match error.inner().span() {
                Some(span) if span.start > 0 => span,
                _ => locate(&root, &problem.path),
            };
            let json: serde_json::Value = toml_edit::de::from_str(text).unwrap_or_default();
            let mut all = shapes::problems(&json);
            all.retain(|other| other.path != problem.path);
            let others = all.into_iter().map(|other| {
                let span = locate(&root, &other.path);
                at(other, span)
            });
            let first = at(problem, span);
            return failed(in_order(others.chain([first])));
        }
    };
    let all = in_order(dates(&spec).into_iter().chain(check(&spec)).map(|problem| {
        let span = locate(&root, &problem.path);
        at(problem, span)
    }));
    if all.is_empty() { Ok(spec) } else { failed(all) }
}

fn in_order(all: impl Iterator<Item = Diagnostic>) -> Vec<Diagnostic> {
    let mut all: Vec<Diagnostic> = all.collect();
    all.sort_by_key(|d| d.place.as_ref().map(|place| (place.line, place.column)));
    all
}

/// Reads and checks an experiment in JSON.
pub fn parse_json(json: &serde_json::Value) -> Result<ExperimentSpec, Vec<Problem>> {
    let Ok(spec) = ExperimentSpec::deserialize(json) else { return Err(shapes::problems(json)) };
    let mut problems = check(&spec);
    problems.extend(unread(&spec));
    if problems.is_empty() { Ok(spec) } else { Err(problems) }
}

/// Files are read where the experiment's own is.
fn unread(spec: &ExperimentSpec) -> impl Iterator<Item = Problem> {
    spec.algorithm.warm_start.iter().enumerate().filter_map(|(i, given)| match given {
        WarmStart::File(name) => Some(
            Problem::new(
                format!("algorithm.warm_start[{i}]"),
                format!("the file `{name}` is not read here; expected the results in its place"),
            )
            .with_hint("`autoopt submit` puts them there"),
        ),
        WarmStart::Earlier(_) => None,
    })
}

/// An experiment to start from, with comments; valid as it is.
pub const fn init_template() -> &'static str {
    include_str!("template.toml")
}

fn read(path: &Path) -> Result<String, Problem> {
    let failed = |error: std::io::Error| Problem::new("", format!("the file cannot be read: {error}"));
    let file = std::fs::File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Problem::new("", "there is no such file")
            .with_hint("`autoopt init` writes an experiment to start from"),
        _ => failed(error),
    })?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Problem::new(
            "",
            format!("the file is larger than {MAX_FILE} bytes; that is no experiment"),
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        Problem::new("", format!("the file is not UTF-8 text (line {line})"))
    })
}

/// TOML has dates, the JSON that settings become has not: toml_edit makes each a map with this one key.
const DATE: &str = "$__toml_private_datetime";

fn dates(spec: &ExperimentSpec) -> Vec<Problem> {
    let stages = Stage::ALL.map(|stage| (stage.as_str(), &spec.stage(stage).settings));
    let all = stages.into_iter().chain([("algorithm", &spec.algorithm.settings)]);
    all.flat_map(|(table, settings)| settings.iter().map(move |(key, value)| (table, key, value)))
        .filter(|(_, _, value)| has_date(value))
        .map(|(table, key, _)| {
            Problem::new(format!("{table}.settings.{key}"), "a date cannot be passed on")
                .with_hint("put it in quotes")
        })
        .collect()
}

fn has_date(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Object(map) => map.contains_key(DATE) || map.values().any(has_date),
        serde_json::Value::Array(list) => list.iter().any(has_date),
        _ => false,
    }
}
