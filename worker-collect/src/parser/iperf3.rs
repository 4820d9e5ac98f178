//! iperf3, as text or with `--json`. Rates are in bits per second.
//!
//! With several streams the sum counts. JSON is exact; text is rounded to three digits by iperf3.

use serde_json::Value;

use super::{Problem, Table, whole_lines};

/// What it reads; the last four of UDP only, `retransmits` of TCP only, `cpu_*` (per cent) of JSON only.
pub const FIELDS: [&str; 12] = [
    "sent_bits_per_second",
    "received_bits_per_second",
    "sent_bytes",
    "received_bytes",
    "seconds",
    "retransmits",
    "cpu_local",
    "cpu_remote",
    "jitter_ms",
    "lost_packets",
    "lost_percent",
    "packets",
];

pub(crate) fn scan(text: &str) -> Result<Table, Problem> {
    let table = if text.trim_start().starts_with('{') { json(text)? } else { plain(text)? };
    if table.get("sent_bytes") == Some(0.0) {
        return Err(Problem::NoSamples { what: "0 bytes were sent".into() });
    }
    Ok(table)
}

fn json(text: &str) -> Result<Table, Problem> {
    let document = super::generic::document(text)?;
    if let Some(message) = document.get("error").and_then(Value::as_str) {
        return Err(Problem::ToolFailed { message: message.into() });
    }
    let end = document.get("end").ok_or_else(|| Problem::Malformed {
        reason: "the document has no `end`: this is not the output of iperf3".into(),
    })?;
    let mut table = Table::default();
    // UDP before 3.7 has `sum` alone, which is the receiver's view
    let received = if end.get("sum_received").is_some() { "/sum_received" } else { "/sum" };
    let sent = if end.get("sum_sent").is_some() { "/sum_sent" } else { "/sum" };
    for (field, base, name) in [
        ("sent_bits_per_second", sent, "bits_per_second"),
        ("sent_bytes", sent, "bytes"),
        ("seconds", sent, "seconds"),
        ("retransmits", sent, "retransmits"),
        ("received_bits_per_second", received, "bits_per_second"),
        ("received_bytes", received, "bytes"),
        ("jitter_ms", "/sum", "jitter_ms"),
        ("lost_packets", "/sum", "lost_packets"),
        ("lost_percent", "/sum", "lost_percent"),
        ("packets", "/sum", "packets"),
        ("cpu_local", "/cpu_utilization_percent", "host_total"),
        ("cpu_remote", "/cpu_utilization_percent", "remote_total"),
    ] {
        if let Some(value) = end.pointer(&format!("{base}/{name}")) {
            match value.as_f64() {
                Some(value) => table.put(field, value),
                None => table.put_result(field, Err(Problem::NotANumber { found: value.to_string() })),
            }
        }
    }
    if table.is_empty() {
        return Err(Problem::NoSamples { what: "`end` has no sums".into() });
    }
    Ok(table)
}

fn plain(text: &str) -> Result<Table, Problem> {
    if let Some(line) = text.lines().find(|line| line.starts_with("iperf3: error")) {
        return Err(Problem::ToolFailed { message: line.chars().take(200).collect() });
    }
    if !whole_lines(text).any(|line| line.trim() == "iperf Done.") {
        return Err(Problem::Truncated {
            missing: "the line `iperf Done.`, which ends every run, is missing".into(),
        });
    }
    let summaries =
        |line: &&str| line.trim_end().ends_with("sender") || line.trim_end().ends_with("receiver");
    let lines: Vec<&str> = whole_lines(text).filter(summaries).collect();
    let sums: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with("[SUM]")).collect();
    let mut table = Table::default();
    for line in if sums.is_empty() { lines } else { sums } {
        summary(line, &mut table)?;
    }
    Ok(table)
}

/// `[  5]   0.00-2.00   sec  5.66 GBytes  24.3 Gbits/sec   10             sender`, and of UDP
/// `[  5]   0.00-1.00   sec  11.9 MBytes   100 Mbits/sec  0.007 ms  0/382 (0%)  receiver`
fn summary(line: &str, table: &mut Table) -> Result<(), Problem> {
    let unreadable =
        || Problem::Malformed { reason: format!("a summary line has an unknown form: `{line}`") };
    let (_, rest) = line.split_once(']').ok_or_else(unreadable)?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [interval, "sec", amount, amount_unit, rate, rate_unit, more @ .., role] = words.as_slice() else {
        return Err(unreadable());
    };
    let bytes = super::number(amount)? * scale(amount_unit).ok_or_else(unreadable)? / 8.0;
    let bits_per_second = rate_unit.strip_suffix("/sec").and_then(scale).ok_or_else(unreadable)?;
    let bits_per_second = super::number(rate)? * bits_per_second;
    let side = if *role == "sender" { "sent" } else { "received" };
    table.put(format!("{side}_bits_per_second"), bits_per_second);
    table.put(format!("{side}_bytes"), bytes);
    match more {
        [retransmits] if *role == "sender" => table.put_text("retransmits", retransmits),
        // what was lost is known to the receiver
        [jitter, "ms", lost, percent] if *role == "receiver" => {
            let (lost, packets) = lost.split_once('/').ok_or_else(unreadable)?;
            table.put_text("jitter_ms", jitter);
            table.put_text("lost_packets", lost);
            table.put_text("packets", packets);
            table.put_text("lost_percent", percent.trim_matches(['(', ')', '%']));
        }
        _ => {}
    }
    if let Some((from, to)) = interval.split_once('-').filter(|_| *role == "sender") {
        table.put("seconds", super::number(to)? - super::number(from)?);
    }
    Ok(())
}

/// Bits in one unit: iperf3 counts bits in thousands and bytes in units of 1024.
fn scale(unit: &str) -> Option<f64> {
    let (prefix, base, bits) = match unit.strip_suffix("Bytes") {
        Some(prefix) => (prefix, 1024.0_f64, 8.0),
        None => (unit.strip_suffix("bits")?, 1000.0, 1.0),
    };
    let power = ["", "K", "M", "G", "T"].iter().position(|known| *known == prefix)?;
    Some(bits * base.powi(i32::try_from(power).ok()?))
}
