//! From raw output to the numbers that metrics read directly, before any formula.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use autoopt_epoch::experiment::Metric;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Artifact, Measure};

use crate::parser;

/// The artifact that a metric reads if it names none.
pub const DEFAULT_ARTIFACT: &str = "stdout";
/// The most that one artifact may unpack to, in bytes: more than any benchmark prints, less than would hurt.
pub const MAX_UNPACKED: u64 = 64 << 20;

/// Whether each metric asks something that its parser can answer.
pub fn check(measure: &Measure) -> Result<(), Failure> {
    for metric in &measure.metrics {
        if let Some((parser, field)) = question(metric)? {
            parser::check_field(parser, field).map_err(|error| invalid(metric, &error.to_string()))?;
        }
    }
    Ok(())
}

/// The values of the metrics that have a parser, by name.
///
/// Output that was cut off, is not there, or is no measurement is a failure of kind `invalid` that names the metric, the
/// parser, the field and what was found.
pub fn raw_values(measure: &Measure, artifacts: &[Artifact]) -> Result<BTreeMap<String, f64>, Failure> {
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    let mut values = BTreeMap::new();
    for metric in &measure.metrics {
        let Some((parser, field)) = question(metric)? else { continue };
        let from = metric.from.as_deref().unwrap_or(DEFAULT_ARTIFACT);
        let text = match texts.entry(from) {
            Entry::Occupied(occupied) => occupied.into_mut(),
            Entry::Vacant(vacant) => vacant.insert(text(from, artifacts).map_err(|reason| {
                invalid(metric, &format!("parser `{parser}`, field `{field}`: {reason}"))
            })?),
        };
        let value = parser::parse(parser, field, text).map_err(|error| {
            invalid(metric, &format!("{error} (read from `{from}`, {} bytes)", text.len()))
        })?;
        values.insert(metric.name.clone(), value);
    }
    Ok(values)
}

/// What a metric asks of raw output; nothing if it is computed.
fn question(metric: &Metric) -> Result<Option<(&str, &str)>, Failure> {
    match (&metric.parser, &metric.field) {
        (Some(parser), Some(field)) => Ok(Some((parser, field))),
        (Some(parser), None) => Err(invalid(metric, &format!("parser `{parser}` needs a `field`"))),
        (None, _) => Ok(None),
    }
}

/// The text of the artifact `name`; of several (a bench that was tried again) the last.
pub(crate) fn text(name: &str, artifacts: &[Artifact]) -> Result<String, String> {
    let Some(artifact) = artifacts.iter().rev().find(|artifact| artifact.name == name) else {
        let present: Vec<&str> = artifacts.iter().map(|artifact| artifact.name.as_str()).collect();
        return Err(if present.is_empty() {
            format!("there is no artifact `{name}`: no stage gave raw output")
        } else {
            format!("there is no artifact `{name}`, only {}", present.join(", "))
        });
    };
    if artifact.truncated {
        return Err(format!(
            "`{name}` is truncated: the program printed more than the {} bytes kept; raise `max_output` or print less",
            artifact.bytes
        ));
    }
    if artifact.bytes > MAX_UNPACKED {
        return Err(format!(
            "`{name}` has {} bytes, more than the {MAX_UNPACKED} that are read",
            artifact.bytes
        ));
    }
    // one byte more than it says it has, to see whether it lied
    let content = artifact
        .content(artifact.bytes + 1)
        .map_err(|error| format!("`{name}` cannot be unpacked: {error}"))?;
    if content.len() as u64 != artifact.bytes {
        return Err(format!(
            "`{name}` is damaged: it does not unpack to the {} bytes it names",
            artifact.bytes
        ));
    }
    Ok(String::from_utf8_lossy(&content).into_owned())
}

fn invalid(metric: &Metric, reason: &str) -> Failure {
    Failure::new(FailureKind::Invalid, format!("metric `{}`: {reason}", metric.name))
}

#[cfg(test)]
mod tests {
    use autoopt_epoch::experiment::Objective;

    use super::*;

    fn measure(metrics: serde_json::Value) -> Measure {
        Measure {
            metrics: serde_json::from_value(metrics).unwrap(),
            objective: Objective { maximize: Some("rate".into()), minimize: None, unit: None },
            other_objectives: Vec::new(),
            outcome_constraints: Vec::new(),
            baseline: None,
        }
    }

    fn rate() -> Measure {
        measure(serde_json::json!([
            {"name": "rate", "parser": "key-value", "field": "rate"},
            {"name": "double", "formula": "2 * rate"},
            {"name": "errors", "parser": "key-value", "field": "errors", "from": "stderr"},
        ]))
    }

    #[test]
    fn each_metric_reads_the_artifact_it_names() {
        let artifacts =
            [Artifact::new("stdout", b"rate=12.5\n", false), Artifact::new("stderr", b"errors=0\n", false)];
        let values = raw_values(&rate(), &artifacts).unwrap();
        assert_eq!(values, BTreeMap::from([("rate".into(), 12.5), ("errors".into(), 0.0)]));
    }

    #[test]
    fn raw_output_that_cannot_be_trusted_is_invalid_and_says_why() {
        let good = Artifact::new("stdout", b"rate=12.5\n", false);
        let liar = Artifact { bytes: 4, ..good.clone() };
        let bomb = Artifact { bytes: MAX_UNPACKED + 1, ..good.clone() };
        let garbled = Artifact { data: "AAAA".into(), ..good.clone() };
        for (artifacts, said) in [
            (vec![], "no stage gave raw output"),
            (vec![Artifact::new("stderr", b"", false)], "only stderr"),
            (vec![Artifact::new("stdout", b"rate=12.5\n", true)], "raise `max_output`"),
            (vec![Artifact::new("stdout", b"", false)], "empty"),
            (vec![Artifact::new("stdout", b"rate=12.5", false)], "key=value"),
            (vec![Artifact::new("stdout", b"rate=NaN\n", false)], "`NaN` is not a finite number"),
            (vec![liar], "damaged"),
            (vec![bomb], "more than"),
            (vec![garbled], "cannot be unpacked"),
            (vec![good], "`errors`"),
        ] {
            let failure = raw_values(&rate(), &artifacts).expect_err(said);
            assert_eq!(failure.kind, FailureKind::Invalid);
            assert!(failure.reason.contains(said), "{said}: {}", failure.reason);
            assert!(failure.reason.contains("parser `key-value`, field"), "{}", failure.reason);
        }
    }

    #[test]
    fn a_misspelt_field_is_found_before_anything_runs() {
        let misspelt = measure(serde_json::json!([{"name": "rate", "parser": "sysbench", "field": "tp"}]));
        let failure = check(&misspelt).expect_err("misspelt");
        assert!(failure.reason.contains("did you mean `tps`?"), "{}", failure.reason);
        let without = measure(serde_json::json!([{"name": "rate", "parser": "sysbench"}]));
        assert!(check(&without).expect_err("no field").reason.contains("needs a `field`"));
        assert!(check(&rate()).is_ok());
    }
}
