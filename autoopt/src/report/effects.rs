//! What each parameter does, by the model: a chart for each of the most important ones, and a table of all.

use autoopt_epoch::space::Value;
use autoopt_optimizer::explain::{Effect, Level};
use maud::{Markup, html};

use super::Report;
use super::chart::{Axis, short};
use crate::model::{extremes, number, percent};
use crate::show::figure;

/// Parameters with a chart of their own, the most important first.
const CHARTS: usize = 12;
const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 62.0;
const BOTTOM: f64 = 26.0;
const EDGE: f64 = 12.0;

pub(super) fn effects(report: &Report) -> Markup {
    let Some(explanation) = &report.explanation else { return html! {} };
    let spec = &report.experiment.spec;
    let unit = spec.objective.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
    let found = report.experiment.sites.values().find_map(|site| site.found.as_ref());
    let recommended = report.experiment.summary.recommended.as_ref().map(|r| &r.parameters);
    // one scale for all, so that they can be compared by eye
    let ends = explanation.effects.iter().take(CHARTS).flat_map(|e| &e.levels);
    let ends: Vec<f64> = ends.flat_map(|l| [l.objective.low, l.objective.high]).collect();
    let y = Axis::over(ends.into_iter(), HEIGHT - BOTTOM, EDGE + 10.0);
    let calibration = &explanation.calibration;
    html! { section {
        h2 { "What the parameters do" }
        p {
            "By a model that was fitted to " (explanation.measured) " measured results: the mean objective at each value of one "
            "parameter, over all values of the others, and where the model holds it possible with a probability of 90 %. Solid "
            "mark: recommended; dotted: found. The charts share one scale."
        }
        div.several { @for effect in explanation.effects.iter().take(CHARTS) {
            figure { (chart(effect, recommended.and_then(|v| v.get(&effect.parameter)), found.and_then(|v| v.get(&effect.parameter)), &y)) }
        } }
        p { "Importance: the share of the objective's variance over the whole space that a parameter explains by itself and with its interactions (Sobol indices, 90 % intervals). A parameter that matters little here may be left as it is." }
        div.scroll tabindex="0" role="region" aria-label="Importance" { table {
            thead { tr {
                th scope="col" { "parameter" } th scope="col" { "by itself" } th scope="col" { "with others" }
                th scope="col" { "lowest mean at" } th scope="col" { "highest mean at" }
            } }
            tbody { @for effect in &explanation.effects {
                @let [lowest, highest] = extremes(effect);
                tr {
                    th scope="row" { (effect.parameter) }
                    td { (percent(&effect.first_order)) } td { (percent(&effect.total)) } td { (lowest) } td { (highest) }
                }
            } }
        } }
        p.soft {
            "One measurement is off by about " (figure(explanation.noise)) (unit) " (standard deviation). Of "
            (calibration.results) " results, each predicted from the others, R² is " (format!("{:.2}", calibration.r_squared))
            "; 90 % intervals held " (format!("{:.0}", 100.0 * calibration.within_90)) " % of them."
        }
        @if !explanation.caveats.is_empty() {
            p { "To be kept in mind:" }
            ul { @for caveat in &explanation.caveats { li { (caveat) } } }
        }
    } }
}

/// Mean and interval at each level; `set` is what is recommended.
fn chart(effect: &Effect, set: Option<&Value>, found: Option<&Value>, y: &Axis) -> Markup {
    let levels = &effect.levels;
    let last = levels.len().saturating_sub(1) as f64;
    let room = if last > 0.0 { 0.0 } else { 0.5 };
    let x = Axis { from: -room, to: last + room, begin: LEFT + 10.0, end: WIDTH - EDGE - 10.0 };
    let numbers = levels.iter().all(|level| level.value.as_f64().is_some());
    let place = |level: usize, value: f64| format!("{} {}", x.at(level as f64), y.at(value));
    let line = |values: Vec<String>| values.join("L");
    let mean = line(levels.iter().enumerate().map(|(n, l)| place(n, l.objective.mean)).collect());
    let high = levels.iter().enumerate().map(|(n, l)| place(n, l.objective.high));
    let low = levels.iter().enumerate().rev().map(|(n, l)| place(n, l.objective.low));
    let band = line(high.chain(low).collect());
    let [lowest, highest] = extremes(effect);
    let told = format!("Mean objective by {}: lowest at {lowest}; highest at {highest}.", effect.parameter);
    let shown: Vec<usize> = match (numbers, levels.len()) {
        (true, n) if n > 2 => vec![0, n / 2, n - 1],
        (_, n) => (0..n).collect(),
    };
    let marks = [("found", found), ("set", set)];
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(told) {
            @for mark in y.marks() {
                line.grid x1=(LEFT) x2=(WIDTH - EDGE) y1=(y.at(mark)) y2=(y.at(mark)) {}
                text.mark.end x=(LEFT - 6.0) y=(y.at(mark) + 4.0) { (figure(mark)) }
            }
            @for (class, value) in marks {
                @if let Some(at) = value.and_then(|value| position(value, levels)) {
                    line class=(class) x1=(x.at(at)) x2=(x.at(at)) y1=(EDGE + 10.0) y2=(HEIGHT - BOTTOM) {}
                }
            }
            @if numbers {
                path.likely d=(format!("M{band}Z")) {}
                path.mean d=(format!("M{mean}")) {}
            } @else {
                @for (n, level) in levels.iter().enumerate() {
                    @let (at, o) = (x.at(n as f64), &level.objective);
                    line.interval x1=(at) x2=(at) y1=(y.at(o.low)) y2=(y.at(o.high)) {}
                    circle.gain cx=(at) cy=(y.at(o.mean)) r="5" {}
                }
            }
            @for n in shown {
                text.mark.middle x=(x.at(n as f64)) y=(HEIGHT - 8.0) { (short(&number(&levels[n].value))) }
            }
            text.name x=(LEFT) y=(EDGE) { (effect.parameter) }
        }
    }
}

/// Where a value lies among the levels, which are evenly spaced on the parameter's own scale.
fn position(value: &Value, levels: &[Level]) -> Option<f64> {
    let exact = levels.iter().position(|level| level.value == *value);
    if let Some(at) = exact {
        return Some(at as f64);
    }
    let v = value.as_f64()?;
    let at: Vec<f64> = levels.iter().map(|level| level.value.as_f64()).collect::<Option<_>>()?;
    let between = at.windows(2).position(|pair| pair[0] <= v && v <= pair[1]);
    match between {
        Some(n) => Some(n as f64 + (v - at[n]) / (at[n + 1] - at[n])),
        // levels are the middles of stretches; what lies beyond is within the first or the last one
        None if v < *at.first()? => Some(0.0),
        None => Some(at.len() as f64 - 1.0),
    }
}

#[cfg(test)]
mod tests {
    use autoopt_optimizer::explain::Estimate;

    use super::*;

    #[test]
    fn a_value_has_its_place_among_the_levels() {
        let objective = Estimate { mean: 0.0, low: 0.0, high: 0.0 };
        let levels = |values: &[Value]| -> Vec<Level> {
            values.iter().map(|value| Level { value: value.clone(), objective }).collect()
        };
        let numbers = levels(&[Value::Float(1.0), Value::Float(10.0), Value::Float(100.0)]);
        let at = |x: f64| position(&Value::Float(x), &numbers);
        assert_eq!([0.5, 1.0, 5.5, 100.0, 300.0].map(at), [0.0, 0.0, 0.5, 2.0, 2.0].map(Some));
        assert_eq!(position(&Value::Int(55), &numbers), Some(1.5));
        let words = levels(&[Value::Text("a".into()), Value::Text("b".into())]);
        assert_eq!(position(&Value::Text("b".into()), &words), Some(1.0));
        assert_eq!(position(&Value::Text("c".into()), &words), None);
    }
}
