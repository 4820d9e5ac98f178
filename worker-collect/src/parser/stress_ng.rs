//! stress-ng with `--metrics` or `--metrics-brief`: the table of bogo operations (on standard error up to version 0.15,
//! so that an experiment reads it `from = "stderr"`).
//!
//! A field belongs to a stressor, `cpu.bogo_ops_per_second_real`; where only one stressor ran, its name may be left off.

use super::{Problem, Table, whole_lines};

/// What it reads of each stressor.
pub const FIELDS: [&str; 6] = [
    "bogo_ops",
    "real_time_s",
    "usr_time_s",
    "sys_time_s",
    "bogo_ops_per_second_real",
    "bogo_ops_per_second_cpu",
];

/// Whether `field` is `STRESSOR.FIELD`.
pub(crate) fn is_of_a_stressor(field: &str) -> bool {
    field.rsplit_once('.').is_some_and(|(stressor, field)| !stressor.is_empty() && FIELDS.contains(&field))
}

pub(crate) fn scan(text: &str) -> Result<Table, Problem> {
    let mut table = Table::default();
    let mut complete = false;
    for line in whole_lines(text) {
        // `stress-ng: metrc: [123] cpu  1782  1.00 …`; before 0.14 the table came as `info:`
        let Some(rest) = line.strip_prefix("stress-ng: ") else { continue };
        let Some((level, rest)) = rest.split_once('[') else { continue };
        let Some((_, message)) = rest.split_once("] ") else { continue };
        if message.contains("unsuccessful run completed") || level.starts_with("fail") {
            return Err(Problem::ToolFailed { message: message.chars().take(200).collect() });
        }
        if message.contains("successful run completed") {
            complete = true;
            continue;
        }
        let words: Vec<&str> = message.split_whitespace().collect();
        let [stressor, values @ ..] = words.as_slice() else { continue };
        // the table's rows have at least six numbers; headings, notes and `miscellaneous metrics` have not
        if values.len() < FIELDS.len()
            || !values[0].bytes().all(|b| b.is_ascii_digit())
            || *stressor == "dispatching"
        {
            continue;
        }
        for (field, value) in FIELDS.iter().zip(values) {
            table.put_text(format!("{stressor}.{field}"), value);
            table.put_text(*field, value);
        }
        if values[0] == "0" {
            for field in FIELDS {
                let what = format!("stressor `{stressor}` did 0 bogo operations");
                table.put_result(
                    format!("{stressor}.{field}"),
                    Err(Problem::NoSamples { what: what.clone() }),
                );
                table.put_result(field, Err(Problem::NoSamples { what }));
            }
        }
    }
    if !complete {
        return Err(Problem::Truncated {
            missing: "the line `successful run completed`, which ends every run, is missing".into(),
        });
    }
    Ok(table)
}
