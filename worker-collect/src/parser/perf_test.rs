//! RabbitMQ PerfTest: the summary it prints at the end. Rates are in messages per second, latencies in µs.
//!
//! Of the three shapes seen: since 2.19 or so
//! `id: X, consumer latency min/median/75th/95th/99th 99/975/1320/1900/2799 µs` (later with `/max`; `ms` with `--use-millis`),
//! before that only the two rates, and very early `recving rate avg`. Lines about single seconds are not used: an
//! average of percentiles is no percentile.

use super::{Problem, Table, whole_lines};

/// What it reads.
pub const FIELDS: [&str; 14] = [
    "sending_rate",
    "receiving_rate",
    "latency_min",
    "latency_median",
    "latency_p75",
    "latency_p95",
    "latency_p99",
    "latency_max",
    "confirm_latency_min",
    "confirm_latency_median",
    "confirm_latency_p75",
    "confirm_latency_p95",
    "confirm_latency_p99",
    "confirm_latency_max",
];

pub(crate) fn scan(text: &str) -> Result<Table, Problem> {
    let mut table = Table::default();
    for line in whole_lines(text) {
        // the id is the user's and may hold a comma, so the summary is looked for from the right
        for (marker, field) in [
            ("sending rate avg: ", "sending_rate"),
            ("receiving rate avg: ", "receiving_rate"),
            ("recving rate avg: ", "receiving_rate"),
        ] {
            if let Some((_, rate)) = line.rsplit_once(marker) {
                put_rate(field, rate, &mut table);
            }
        }
        for (marker, prefix) in
            [(", consumer latency min/", "latency"), (", confirm latency min/", "confirm_latency")]
        {
            // in the lines about single seconds the labels come before the name, and a colon after it
            if let Some((_, rest)) = line.rsplit_once(marker) {
                put_latencies(prefix, rest, &mut table);
            }
        }
    }
    if table.is_empty() {
        return Err(Problem::Truncated {
            missing: "the summary (`sending rate avg`, `receiving rate avg`) is missing; PerfTest prints it when it \
                      ends by itself (`--time`) or is interrupted"
                .into(),
        });
    }
    Ok(table)
}

fn put_rate(field: &str, text: &str, table: &mut Table) {
    // older versions group thousands by the locale; what is not a plain number is refused rather than guessed
    let amount = text.strip_suffix("msg/s").unwrap_or(text).trim();
    match super::number(amount) {
        Ok(0.0) => {
            let what = format!("`{}` is 0 msg/s", field.replace('_', " "));
            table.put_result(field, Err(Problem::NoSamples { what }));
        }
        other => table.put_result(field, other),
    }
}

/// `median/75th/95th/99th 99/975/1320/1900/2799 µs`; `min/` has been taken off.
fn put_latencies(prefix: &str, text: &str, table: &mut Table) {
    let mut words = text.split_whitespace();
    let (Some(labels), Some(values), Some(unit)) = (words.next(), words.next(), words.next()) else {
        return;
    };
    let scale = match unit {
        "ms" => 1000.0,
        "µs" | "μs" | "us" | "microseconds" => 1.0,
        _ => return,
    };
    for (label, value) in std::iter::once("min").chain(labels.split('/')).zip(values.split('/')) {
        let field = match label.strip_suffix("th") {
            Some(n) => format!("{prefix}_p{n}"),
            None => format!("{prefix}_{label}"),
        };
        table.put_result(field, super::number(value).map(|v| v * scale));
    }
}
