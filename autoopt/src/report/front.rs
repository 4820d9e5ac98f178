//! Several objectives: the trials between which a choice is left.

use std::collections::BTreeSet;

use autoopt_coordinator::api::view::{ExperimentSummary, TrialView};
use autoopt_epoch::experiment::Objective;
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::id::TrialId;
use maud::{Markup, html};

use super::Report;
use super::chart::Axis;
use crate::show::figure;
use crate::standing::in_terms;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
/// Room for the axes' numbers and names, and at the other ends.
const LEFT: f64 = 78.0;
const BOTTOM: f64 = 52.0;
const EDGE: f64 = 24.0;

/// The section with the chart of the first two objectives and the table of the front; nothing with one objective.
pub(super) fn front(report: &Report) -> Markup {
    let spec = &report.experiment.spec;
    let e = &report.experiment.summary;
    let front = &e.front;
    let terms = in_terms(e);
    let objectives: Vec<&Objective> = spec.objectives().collect();
    let ([first, second, ..], false) = (objectives.as_slice(), front.is_empty()) else { return html! {} };
    html! { section {
        h2 { "The front" }
        p {
            (front.len()) " of the trials are such that no other is better in everything."
            @if objectives.len() > 2 { " The chart has the first two of " (objectives.len()) " objectives, so that a trial of the front may look beaten." }
            @if let Some(terms) = &terms { " Values are " (terms) "." }
        }
        figure { (chart(e, &report.trials, [*first, *second])) }
        div.scroll tabindex="0" role="region" aria-label="The front" { table {
            thead { tr {
                th scope="col" { "trial" }
                @if terms.is_some() { th scope="col" { "cluster" } }
                @for o in &objectives { th.number scope="col" { @if o.minimize.is_some() { "least " } @else { "most " } (named(o)) } }
                @for p in &spec.parameters { th scope="col" { (p.name) } }
            } }
            tbody { @for trial in front { tr {
                th scope="row" { (title(trial.number)) }
                @if terms.is_some() { td { (trial.cluster) } }
                @for value in &trial.values { td.number { (figure(*value)) } }
                @for p in &spec.parameters { td { (trial.parameters.get(&p.name).map(ToString::to_string).unwrap_or_default()) } }
            } } }
        } }
    } }
}

/// What is measured, with its unit.
fn named(objective: &Objective) -> String {
    match &objective.unit {
        Some(unit) => format!("{} ({unit})", objective.expression()),
        None => objective.expression().to_owned(),
    }
}

fn title(number: u32) -> String {
    if number == 0 { "baseline".into() } else { format!("trial {number}") }
}

/// All measured trials by two objectives, and those of the front joined by what they attain.
fn chart(e: &ExperimentSummary, trials: &[TrialView], [first, second]: [&Objective; 2]) -> Markup {
    let best: BTreeSet<TrialId> = e.front.iter().map(|f| f.trial).collect();
    // what was measured to confirm is no part of the search
    let counts =
        |t: &&TrialView| t.outcome == Some(Outcome::Measured) && t.pair.is_none() && !best.contains(&t.id);
    let factor = |t: &TrialView, objective: usize| {
        let own = t.cluster.as_ref().and_then(|cluster| e.factors.get(cluster));
        own.and_then(|factors| factors.get(objective)).copied().unwrap_or(1.0)
    };
    let beaten: Vec<(u32, f64, f64)> = trials
        .iter()
        .filter(counts)
        .filter_map(|t| Some((t.number, t.objective? * factor(t, 0), *t.others.first()? * factor(t, 1))))
        .collect();
    let mut chosen: Vec<(u32, f64, f64)> =
        e.front.iter().filter_map(|f| Some((f.number, *f.values.first()?, *f.values.get(1)?))).collect();
    chosen.sort_by(|a, b| a.1.total_cmp(&b.1));
    let all = || chosen.iter().chain(&beaten);
    let x = Axis::over(all().map(|p| p.1), LEFT, WIDTH - EDGE);
    let y = Axis::over(all().map(|p| p.2), HEIGHT - BOTTOM, EDGE);
    let mut line = String::new();
    for (n, (_, across, up)) in chosen.iter().enumerate() {
        let (across, up) = (x.at(*across), y.at(*up));
        // a trial is at least as good as all that is worse in the first objective
        line.push_str(&match (n, first.minimize.is_some()) {
            (0, _) => format!("M{across} {up}"),
            (_, true) => format!("H{across}V{up}"),
            (_, false) => format!("V{up}H{across}"),
        });
    }
    let told: Vec<String> =
        chosen.iter().map(|p| format!("{} {} and {}", title(p.0), figure(p.1), figure(p.2))).collect();
    let told = format!(
        "{} by {}; on the front: {}; {} others are beaten.",
        named(second),
        named(first),
        told.join(", "),
        beaten.len()
    );
    let hint = |p: &(u32, f64, f64)| format!("{}: {}, {}", title(p.0), figure(p.1), figure(p.2));
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(told) {
            @for mark in y.marks() {
                line.grid x1=(LEFT) x2=(WIDTH - EDGE) y1=(y.at(mark)) y2=(y.at(mark)) {}
                text.mark.end x=(LEFT - 8.0) y=(y.at(mark) + 4.0) { (figure(mark)) }
            }
            @for mark in x.marks() {
                line.grid x1=(x.at(mark)) x2=(x.at(mark)) y1=(EDGE) y2=(HEIGHT - BOTTOM) {}
                text.mark.middle x=(x.at(mark)) y=(HEIGHT - BOTTOM + 18.0) { (figure(mark)) }
            }
            path.best d=(line) {}
            @for p in &beaten { circle.run cx=(x.at(p.1)) cy=(y.at(p.2)) r="3" { title { (hint(p)) } } }
            @for p in &chosen { circle.chosen cx=(x.at(p.1)) cy=(y.at(p.2)) r="5" { title { (hint(p)) } } }
            text.mark x=(4) y=(EDGE - 10.0) { (named(second)) }
            text.mark.end x=(WIDTH - EDGE) y=(HEIGHT - 8.0) { (named(first)) }
        }
    }
}
