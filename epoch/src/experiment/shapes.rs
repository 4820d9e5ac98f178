//! All complaints about a file's shape, although a deserializer stops at its first.

use std::collections::HashSet;

use serde_json::Value;

use super::{ExperimentSpec, init_template, shape};
use crate::problem::Problem;

/// The most that are reported at once.
const MOST: usize = 50;

/// Each wrong shape in turn: what a complaint is about is put right with what the template has in its place, or taken
/// away if it has nothing there, so that the next one is found. A complaint that this cannot silence is the last.
pub(super) fn problems(json: &Value) -> Vec<Problem> {
    let template = toml_edit::de::from_str(init_template()).unwrap_or_default();
    let mut json = json.clone();
    let (mut found, mut mended) = (Vec::<Problem>::new(), HashSet::new());
    while found.len() < MOST {
        let Err(error) = serde_path_to_error::deserialize::<_, ExperimentSpec>(&json) else { break };
        let problem = shape::problem(&error.path().to_string(), &error.inner().to_string());
        let steps = steps(&problem.path);
        if found.iter().all(|known| known.path != problem.path && !misspelt(known, &problem)) {
            found.push(problem);
        }
        // if the part cannot be put right by itself, the whole section is
        let mut places = [&steps[..], &steps[..steps.len().min(1)]].into_iter();
        if !places.any(|place| mended.insert(place.to_vec()) && mend(&mut json, &template, place).is_some()) {
            break;
        }
    }
    found
}

/// Whether `known`, the key beside the one that is missing, is taken for it.
fn misspelt(known: &Problem, missing: &Problem) -> bool {
    let table = |path: &str| path.rsplit_once('.').map(|(table, _)| table.to_owned());
    let name = missing.path.rsplit('.').next().unwrap_or_default();
    missing.message.starts_with("missing key")
        && table(&known.path) == table(&missing.path)
        && known.hint.as_ref().is_some_and(|hint| hint.contains(&format!("`{name}`")))
}

/// `metrics[0].field` is `metrics`, `0`, `field`.
fn steps(path: &str) -> Vec<String> {
    let steps = path.replace('[', ".").replace(']', "");
    steps.split('.').filter(|step| !step.is_empty()).map(str::to_owned).collect()
}

fn mend(json: &mut Value, template: &Value, place: &[String]) -> Option<()> {
    let (last, parents) = place.split_last()?;
    let pointer = |steps: &[String]| steps.iter().map(|step| format!("/{step}")).collect::<String>();
    // of lists the template's first entry is the pattern
    let is_index = |step: &String| step.bytes().all(|byte| byte.is_ascii_digit());
    let pattern: Vec<_> =
        place.iter().map(|step| if is_index(step) { "0".into() } else { step.clone() }).collect();
    match (json.pointer_mut(&pointer(parents))?, template.pointer(&pointer(&pattern))) {
        (Value::Object(map), Some(right)) => drop(map.insert(last.clone(), right.clone())),
        (Value::Object(map), None) => drop(map.remove(last)?),
        (Value::Array(list), Some(right)) => *list.get_mut(last.parse::<usize>().ok()?)? = right.clone(),
        _ => return None,
    }
    Some(())
}
