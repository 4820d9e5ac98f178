//! The stored schemas and examples: what others were told is what the types still say.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use autoopt_epoch::experiment::parse_json;
use autoopt_epoch::message::schema::{NAMES, schema};
use autoopt_epoch::message::{Ask, Cancel, Epoch, Event, Explanation, Message, Report, Trial, decode};
use serde_json::{Value, json};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Each example with the name of its schema; `report-failed.v1.json` is one of `report`.
fn examples() -> Vec<(String, Value)> {
    let files = std::fs::read_dir(folder("examples")).unwrap().map(|entry| entry.unwrap().path());
    let named = files.map(|file| {
        let stem = file.file_name().unwrap().to_str().unwrap().strip_suffix(".v1.json").unwrap().to_owned();
        let name = stem.split('-').next().unwrap().to_owned();
        (name, serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap())
    });
    named.collect()
}

/// Reads as a receiver does, and writes again.
fn through(name: &str, json: &Value) -> Result<Value, String> {
    fn message<M: Message>(json: &Value) -> Result<Value, String> {
        let message: M = decode(Some(M::TYPE), json.to_string().as_bytes()).map_err(|e| e.to_string())?;
        Ok(serde_json::to_value(message).unwrap())
    }
    match name {
        "experiment" => {
            parse_json(json).map(|s| serde_json::to_value(s).unwrap()).map_err(|p| format!("{p:?}"))
        }
        "trial" => message::<Trial>(json),
        "epoch" => message::<Epoch>(json),
        "cancel" => message::<Cancel>(json),
        "report" => message::<Report>(json),
        "ask" => message::<Ask>(json),
        "event" => message::<Event>(json),
        "explanation" => message::<Explanation>(json),
        other => panic!("no message is called {other}"),
    }
}

#[test]
fn the_stored_schemas_are_those_of_the_types() {
    for name in NAMES {
        let file = folder("schemas").join(format!("{name}.json"));
        let current = format!("{}\n", serde_json::to_string_pretty(&schema(name).unwrap()).unwrap());
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &current).unwrap();
        }
        let stored = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(stored == current, "{} differs from the types; UPDATE=1 rewrites it", file.display());
    }
    assert_eq!(std::fs::read_dir(folder("schemas")).unwrap().count(), NAMES.len());
    assert_eq!(schema("nothing"), None);
}

#[test]
fn every_example_is_valid_and_survives_reading_and_writing() {
    let examples = examples();
    for name in NAMES {
        assert!(examples.iter().any(|(n, _)| n == name), "{name} has no example");
    }
    for (name, json) in examples {
        let validator = jsonschema::validator_for(&schema(&name).unwrap()).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        assert_eq!(through(&name, &json).unwrap_or_else(|e| panic!("{name}: {e}")), json, "{name}");
    }
}

#[test]
fn an_unknown_field_is_ignored_in_a_message_and_refused_in_an_experiment() {
    for (name, json) in examples() {
        let mut later = json.clone();
        later["of_a_later_release"] = json!({"a": [1]});
        let valid = jsonschema::validator_for(&schema(&name).unwrap()).unwrap().is_valid(&later);
        let read = through(&name, &later);
        if name == "experiment" {
            assert!(!valid && read.unwrap_err().contains("unknown key `of_a_later_release`"));
        } else {
            assert!(valid, "{name}");
            assert_eq!(read.unwrap(), json, "{name}");
        }
    }
}

#[test]
fn schema_and_reader_agree_on_what_is_missing_or_of_the_wrong_type() {
    for (name, json) in examples() {
        let validator = jsonschema::validator_for(&schema(&name).unwrap()).unwrap();
        let mut refused = 0;
        for key in json.as_object().unwrap().keys() {
            let mut without = json.clone();
            without.as_object_mut().unwrap().shift_remove(key);
            let mut wrong = json.clone();
            wrong[key] = json!([[true]]);
            for changed in [without, wrong] {
                // what contradicts itself (`done` without `measurement`) is beyond a schema
                let read = through(&name, &changed);
                if read.as_ref().is_err_and(|e| e.contains("belongs to")) {
                    continue;
                }
                assert_eq!(
                    validator.is_valid(&changed),
                    read.is_ok(),
                    "{name} without or with a wrong {key}: {read:?}"
                );
                refused += usize::from(read.is_err());
            }
        }
        assert!(refused > 3, "{name}: {refused}");
    }
}
