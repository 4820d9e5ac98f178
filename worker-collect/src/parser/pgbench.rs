//! pgbench's summary, of PostgreSQL 9.6 to 18. Latencies and times are in ms.
//!
//! `tps` is without the time to connect: `tps = … (without initial connection time)`, which was called `(excluding
//! connections establishing)` before version 14. It is the last line of the summary.

use super::{Problem, Table, whole_lines};

/// What it reads. `latency_stddev` is printed with `--progress`, `--rate`, `--latency-limit` or `--log` only.
pub const FIELDS: [&str; 6] = [
    "tps",
    "latency_avg",
    "latency_stddev",
    "initial_connection_time",
    "transactions",
    "failed_transactions",
];

pub(crate) fn scan(text: &str) -> Result<Table, Problem> {
    if let Some(line) =
        text.lines().find(|l| l.starts_with("pgbench: error:") || l.contains("Run was aborted"))
    {
        return Err(Problem::ToolFailed { message: line.chars().take(200).collect() });
    }
    let mut table = Table::default();
    for line in whole_lines(text) {
        if let Some((label, value)) = line.split_once(" = ") {
            let amount = value.split_whitespace().next().unwrap_or_default();
            match label {
                "latency average" => table.put_text("latency_avg", amount),
                "latency stddev" => table.put_text("latency_stddev", amount),
                "initial connection time" => table.put_text("initial_connection_time", amount),
                "tps" if value.contains("(without") || value.contains("(excluding") => {
                    table.put_text("tps", amount);
                }
                _ => {}
            }
        } else if let Some((label, value)) = line.split_once(": ") {
            // `2038`, or `1000/1000` where a number was asked for
            let amount = value.split(['/', ' ']).next().unwrap_or_default();
            match label {
                "number of transactions actually processed" => table.put_text("transactions", amount),
                "number of failed transactions" => table.put_text("failed_transactions", amount),
                _ => {}
            }
        }
    }
    if !table.has("tps") {
        return Err(Problem::Truncated {
            missing:
                "the line `tps = … (without initial connection time)`, which ends the summary, is missing"
                    .into(),
        });
    }
    if table.get("transactions") == Some(0.0) {
        return Err(Problem::NoSamples { what: "`number of transactions actually processed` is 0".into() });
    }
    Ok(table)
}
