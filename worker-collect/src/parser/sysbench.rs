//! sysbench 1.0: `cpu`, `memory`, `fileio` and the `oltp_*` scripts. Latencies are in ms.
//!
//! A run is complete once `execution time (avg/stddev)` has been printed, the last line of every test.

use super::{Problem, Table, whole_lines};

/// What it reads; of `latency_pN` the N that the run was told to print (`--percentile`, 95 by default).
pub const FIELDS: [&str; 26] = [
    "tps",
    "qps",
    "transactions",
    "queries",
    "queries_read",
    "queries_write",
    "queries_other",
    "errors_per_second",
    "reconnects_per_second",
    "events_per_second",
    "events",
    "total_time_s",
    "latency_min",
    "latency_avg",
    "latency_max",
    "latency_p95",
    "latency_sum",
    "operations",
    "operations_per_second",
    "transferred_mib",
    "mib_per_second",
    "reads_per_second",
    "writes_per_second",
    "fsyncs_per_second",
    "read_mib_per_second",
    "written_mib_per_second",
];

/// Whether `field` is `latency_pN`.
pub(crate) fn is_percentile(field: &str) -> bool {
    field.strip_prefix("latency_p").and_then(|n| n.parse::<u8>().ok()).is_some_and(|n| (1..=100).contains(&n))
}

/// `label:  value` lines and what they are called here.
const LABELS: [(&str, &str); 19] = [
    ("events per second", "events_per_second"),
    ("total time", "total_time_s"),
    ("total number of events", "events"),
    ("min", "latency_min"),
    ("avg", "latency_avg"),
    ("max", "latency_max"),
    ("sum", "latency_sum"),
    ("reads/s", "reads_per_second"),
    ("writes/s", "writes_per_second"),
    ("fsyncs/s", "fsyncs_per_second"),
    ("read, MiB/s", "read_mib_per_second"),
    ("written, MiB/s", "written_mib_per_second"),
    ("read", "queries_read"),
    ("write", "queries_write"),
    ("other", "queries_other"),
    ("transactions", "transactions"),
    ("queries", "queries"),
    ("ignored errors", "errors_per_second"),
    ("reconnects", "reconnects_per_second"),
];

pub(crate) fn scan(text: &str) -> Result<Table, Problem> {
    if let Some(line) = text.lines().find(|line| line.starts_with("FATAL:")) {
        return Err(Problem::ToolFailed { message: line.chars().take(200).collect() });
    }
    if !text.contains("sysbench") {
        return Err(Problem::Malformed { reason: "this is not the output of sysbench".into() });
    }
    let mut table = Table::default();
    let mut complete = false;
    for line in whole_lines(text) {
        let line = line.trim();
        let Some((label, rest)) = line.split_once(':') else {
            memory_rate(line, &mut table);
            continue;
        };
        let rest = rest.trim();
        match label {
            "execution time (avg/stddev)" => complete = true,
            "Total operations" => {
                let (count, rate) = count_and_rate(rest);
                table.put_text("operations", count);
                if let Some(rate) = rate {
                    table.put_text("operations_per_second", rate);
                }
            }
            _ => {
                if let Some(n) = label.strip_suffix("th percentile") {
                    table.put_text(format!("latency_p{n}"), rest);
                } else if let Some((_, field)) = LABELS.iter().find(|(known, _)| *known == label) {
                    labelled(field, rest, &mut table);
                }
            }
        }
    }
    if !complete {
        return Err(Problem::Truncated {
            missing: "the line `execution time (avg/stddev)`, which ends every run, is missing".into(),
        });
    }
    if table.get("events") == Some(0.0) {
        return Err(Problem::NoSamples { what: "`total number of events` is 0".into() });
    }
    Ok(table)
}

fn labelled(field: &str, rest: &str, table: &mut Table) {
    match field {
        // `1234   (123.45 per sec.)`: the count goes by the label's name, the rate by its own
        "transactions" | "queries" => {
            let (count, rate) = count_and_rate(rest);
            table.put_text(field, count);
            if let Some(rate) = rate {
                table.put_text(if field == "queries" { "qps" } else { "tps" }, rate);
            }
        }
        "errors_per_second" | "reconnects_per_second" => {
            if let (_, Some(rate)) = count_and_rate(rest) {
                table.put_text(field, rate);
            }
        }
        "total_time_s" => table.put_text(field, rest.trim_end_matches('s')),
        _ => table.put_text(field, rest),
    }
}

/// `1234 (123.45 per sec.)` → `1234`, `123.45`
fn count_and_rate(text: &str) -> (&str, Option<&str>) {
    match text.split_once('(') {
        Some((count, rate)) => (count.trim(), rate.split_once(" per sec").map(|(rate, _)| rate)),
        None => (text, None),
    }
}

/// `512.00 MiB transferred (6828.70 MiB/sec)`
fn memory_rate(line: &str, table: &mut Table) {
    if let Some((amount, rest)) = line.split_once(" MiB transferred (") {
        table.put_text("transferred_mib", amount);
        if let Some((rate, _)) = rest.split_once(" MiB/sec)") {
            table.put_text("mib_per_second", rate);
        }
    }
}
