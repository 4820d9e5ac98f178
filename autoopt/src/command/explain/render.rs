//! An explanation as people read it.

use autoopt_coordinator::api::view::ExperimentDetail;
use autoopt_epoch::space::Value;
use autoopt_optimizer::explain::{Effect, Explanation, Robustness, Room, Surrogate};

use crate::model::{extremes, number, percent};
use crate::show::{cell, figure, plain, table};

/// Interactions that are shown.
const PAIRS: usize = 3;

pub(super) fn describe(detail: &ExperimentDetail, e: &Explanation) -> String {
    let unit = detail.spec.objective.unit.as_deref().map(|u| format!(" {}", plain(u))).unwrap_or_default();
    let mut parts = vec![
        format!(
            "{}: {} results measured, {} failed; one measurement is off by about {}{unit} (standard deviation)",
            plain(&detail.summary.name),
            e.measured,
            e.failed,
            figure(e.noise)
        ),
        recommendation(e, &unit),
        rooms(&e.robustness),
        effects(&e.effects),
    ];
    if !e.interactions.is_empty() {
        let pairs: Vec<String> = e
            .interactions
            .iter()
            .take(PAIRS)
            .map(|i| {
                format!(
                    "  {} with {}: {}",
                    plain(&i.parameters[0]),
                    plain(&i.parameters[1]),
                    percent(&i.share)
                )
            })
            .collect();
        parts.push(format!(
            "Interactions (second-order Sobol indices, of the three parameters that have most):\n{}",
            pairs.join("\n")
        ));
    }
    parts.push(format!(
        "Calibration: of {} results, each predicted from the others, R² is {:.2}; 90 % intervals held {:.0} % of them",
        e.calibration.results,
        e.calibration.r_squared,
        e.calibration.within_90 * 100.0
    ));
    parts.push(surrogates(&e.surrogates));
    if e.caveats.is_empty() {
        parts.push("No caveats.".into());
    } else {
        let all: Vec<String> = e.caveats.iter().map(|c| format!("  - {}", plain(c))).collect();
        parts.push(format!("To be kept in mind:\n{}", all.join("\n")));
    }
    parts.join("\n\n")
}

fn recommendation(e: &Explanation, unit: &str) -> String {
    let Some(outlook) = &e.outlook else { return "Nothing is recommended.".into() };
    let r = &outlook.recommended;
    let who = if r.number == 0 { "the values that were found".into() } else { format!("trial {}", r.number) };
    let left = outlook.gain_left.map(|left| format!("; expected gain left: {:.2} %", left * 100.0));
    format!(
        "Recommended: {who}, with {}{unit} [{}, {}]; the best of the measured ones with a probability of {:.0} %{}",
        figure(r.objective),
        figure(r.low),
        figure(r.high),
        r.probability_best * 100.0,
        left.unwrap_or_default()
    )
}

/// What the models are, and why each counts as much as it does.
fn surrogates(surrogates: &[Surrogate]) -> String {
    let each: Vec<String> = surrogates
        .iter()
        .map(|s| format!("{} {:.0} % ({:+.2})", s.kind.as_str(), s.weight * 100.0, s.log_density))
        .collect();
    format!(
        "Models (Gaussian processes by their kernel, and trees where they are decidedly better), weighted by how well they predict results that are left out (log density of one): {}",
        each.join(", ")
    )
}

fn rooms(robustness: &Robustness) -> String {
    let mut shown = table(&["parameter", "recommended", "as good"]);
    for room in &robustness.parameters {
        shown.add_row([cell(&room.parameter), cell(&room.recommended), cell(as_good(room))]);
    }
    let together = match robustness.radius {
        0.0 => "All together may be off by less than 1 % of their ranges.".into(),
        radius => format!("All together may be off by {:.0} % of their ranges.", radius * 100.0),
    };
    format!(
        "What costs less than {:.0} %, each parameter alone:\n{}\n{together}",
        robustness.tolerance * 100.0,
        shown.trim_fmt()
    )
}

/// A stretch of numbers by its ends, other values one by one.
fn as_good(room: &Room) -> String {
    match room.good.as_slice() {
        [] => "no other".into(),
        [only] => number(only),
        [first @ (Value::Int(_) | Value::Float(_)), .., last] => {
            format!("{} to {}", number(first), number(last))
        }
        several => several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn effects(effects: &[Effect]) -> String {
    let mut shown = table(&["parameter", "by itself", "with others", "lowest mean at", "highest mean at"]);
    for effect in effects {
        let [lowest, highest] = extremes(effect);
        shown.add_row([
            cell(&effect.parameter),
            cell(percent(&effect.first_order)),
            cell(percent(&effect.total)),
            cell(lowest),
            cell(highest),
        ]);
    }
    format!(
        "Importance (Sobol indices, first-order and total: shares of the objective's variance over the space) and main effects:\n{}",
        shown.trim_fmt()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_told_in_the_words_of_the_experiment_file() {
        let told = |recommended: Value, good: Vec<Value>| {
            as_good(&Room { parameter: "p".into(), recommended, good })
        };
        assert_eq!(
            told(Value::Float(0.5), vec![Value::Float(0.25), Value::Float(2.0 / 3.0)]),
            "0.25 to 0.666667"
        );
        assert_eq!(told(Value::Int(3), vec![Value::Int(4)]), "4");
        assert_eq!(told(Value::Bool(false), vec![Value::Bool(false)]), "false");
        assert_eq!(told(Value::Bool(true), vec![Value::Bool(false), Value::Bool(true)]), "false, true");
        assert_eq!(told(Value::Text("a".into()), vec![]), "no other");
    }
}
