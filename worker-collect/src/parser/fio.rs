//! fio with `--output-format=json` (or `json+`). Latencies are completion latencies in µs.
//!
//! Several jobs: rates add up, means are weighted by their samples; percentiles cannot be joined, so they are in doubt unless
//! the jobs agree (`--group_reporting` makes fio itself join them).

use serde_json::Value;

use super::{Problem, Table};

/// What it reads, for the directions `read`, `write` and `trim`; and `DIRECTION_clat_pN` for each percentile that fio printed.
pub const FIELDS: [&str; 21] = [
    "read_iops",
    "read_bytes_per_second",
    "read_ios",
    "read_clat_mean",
    "read_clat_stddev",
    "read_clat_min",
    "read_clat_max",
    "write_iops",
    "write_bytes_per_second",
    "write_ios",
    "write_clat_mean",
    "write_clat_stddev",
    "write_clat_min",
    "write_clat_max",
    "trim_iops",
    "trim_bytes_per_second",
    "trim_ios",
    "trim_clat_mean",
    "trim_clat_stddev",
    "trim_clat_min",
    "trim_clat_max",
];

const DIRECTIONS: [&str; 3] = ["read", "write", "trim"];

/// Whether `field` is `DIRECTION_clat_pN`, such as `read_clat_p99.9`.
pub(crate) fn is_percentile(field: &str) -> bool {
    field.split_once("_clat_p").is_some_and(|(direction, n)| {
        DIRECTIONS.contains(&direction) && n.parse::<f64>().is_ok_and(|n| n > 0.0 && n < 100.0)
    })
}

pub(crate) fn scan(text: &str) -> Result<Table, Problem> {
    // warnings may precede the document, as lines of their own
    let start = text
        .match_indices('{')
        .map(|(at, _)| at)
        .find(|at| *at == 0 || text.as_bytes()[at - 1] == b'\n')
        .ok_or_else(|| Problem::Malformed {
            reason: "there is no JSON document; run fio with --output-format=json".into(),
        })?;
    let document = super::generic::document(&text[start..])?;
    let jobs =
        document.get("jobs").and_then(Value::as_array).filter(|jobs| !jobs.is_empty()).ok_or_else(|| {
            Problem::Malformed { reason: "the document has no `jobs`: this is not the output of fio".into() }
        })?;
    if let Some(job) = jobs.iter().find(|job| job.get("error").and_then(Value::as_i64).unwrap_or(0) != 0) {
        let name = job.get("jobname").and_then(Value::as_str).unwrap_or("?");
        return Err(Problem::ToolFailed { message: format!("job `{name}` has error {}", job["error"]) });
    }
    let mut table = Table::default();
    for direction in DIRECTIONS {
        let parts: Vec<&Value> = jobs.iter().filter_map(|job| job.get(direction)).collect();
        let active: Vec<&Value> =
            parts.into_iter().filter(|part| at(part, "/total_ios").is_some_and(|n| n > 0.0)).collect();
        summarise(direction, &active, &mut table);
    }
    Ok(table)
}

fn at(part: &Value, pointer: &str) -> Option<f64> {
    part.pointer(pointer).and_then(Value::as_f64)
}

/// The numbers of one direction, over the jobs that did anything in it.
fn summarise(direction: &str, active: &[&Value], table: &mut Table) {
    if active.is_empty() {
        let what = format!("no job did a single {direction}");
        for field in FIELDS.iter().filter(|field| field.starts_with(direction)) {
            table.put_result(*field, Err(Problem::NoSamples { what: what.clone() }));
        }
        return;
    }
    for (field, pointer) in [("iops", "/iops"), ("bytes_per_second", "/bw_bytes"), ("ios", "/total_ios")] {
        if let Some(values) = all(active, pointer) {
            table.put(format!("{direction}_{field}"), values.iter().sum());
        }
    }
    if let (Some(n), Some(mean)) = (all(active, "/clat_ns/N"), all(active, "/clat_ns/mean"))
        && n.iter().sum::<f64>() > 0.0
    {
        let weighted: f64 = n.iter().zip(&mean).map(|(n, mean)| n * mean).sum();
        table.put(format!("{direction}_clat_mean"), weighted / n.iter().sum::<f64>() / 1000.0);
    }
    let extreme = |pointer, pick: fn(f64, f64) -> f64| all(active, pointer)?.into_iter().reduce(pick);
    if let Some(min) = extreme("/clat_ns/min", f64::min) {
        table.put(format!("{direction}_clat_min"), min / 1000.0);
    }
    if let Some(max) = extreme("/clat_ns/max", f64::max) {
        table.put(format!("{direction}_clat_max"), max / 1000.0);
    }
    for part in active {
        if let Some(stddev) = at(part, "/clat_ns/stddev") {
            table.put(format!("{direction}_clat_stddev"), stddev / 1000.0);
        }
        let percentiles = part.pointer("/clat_ns/percentile").and_then(Value::as_object);
        for (name, value) in percentiles.into_iter().flatten() {
            // `99.900000` is asked for as `p99.9`
            if let (Ok(n), Some(value)) = (name.parse::<f64>(), value.as_f64()) {
                table.put(format!("{direction}_clat_p{n}"), value / 1000.0);
            }
        }
    }
}

/// The number at `pointer` in each part; `None` if one lacks it.
fn all(parts: &[&Value], pointer: &str) -> Option<Vec<f64>> {
    parts.iter().map(|part| at(part, pointer)).collect()
}
