//! The charts, as inline SVG; each has a text for those who do not see it. No element of SVG is void: all are closed.

use autoopt_epoch::statistics::{Claim, Scale};
use maud::{Markup, html};

use super::facts::Progress;
use crate::show::{change, figure};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 280.0;
/// Room for the axes' numbers, and at the other ends.
const LEFT: f64 = 78.0;
const BOTTOM: f64 = 34.0;
const EDGE: f64 = 14.0;

/// From values to places between two ends.
pub(super) struct Axis {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) begin: f64,
    pub(super) end: f64,
}

impl Axis {
    /// Over all of `values`, with a little room.
    pub(super) fn over(values: impl Iterator<Item = f64> + Clone, begin: f64, end: f64) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        let room = if high > low { 0.06 * (high - low) } else { 0.5 * high.abs().max(1.0) };
        Self { from: low - room, to: high + room, begin, end }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let place = self.begin + (value - self.from) / (self.to - self.from) * (self.end - self.begin);
        (place * 10.0).round() / 10.0
    }

    /// Round numbers along it: 1, 2 or 5 times a power of ten apart.
    pub(super) fn marks(&self) -> Vec<f64> {
        let rough = (self.to - self.from) / 5.0;
        let power = 10.0_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|s| *s >= rough);
        let step = step.unwrap_or(rough);
        let first = (self.from / step).ceil() as i64;
        let last = (self.to / step).floor() as i64;
        (first..=last.min(first + 20)).map(|n| n as f64 * step).collect()
    }
}

/// Every measured trial, the best so far, and the runs of the baseline.
pub(super) fn search(progress: &[Progress], baseline: &[f64], unit: &str) -> Markup {
    let values = progress.iter().filter_map(|p| p.objective).chain(baseline.iter().copied());
    let last = progress.iter().map(|p| p.number).max().unwrap_or(0).max(1);
    let y = Axis::over(values, HEIGHT - BOTTOM, EDGE);
    let x = Axis { from: -0.5, to: f64::from(last) + 0.5, begin: LEFT, end: WIDTH - EDGE };
    let mut line = String::new();
    for (n, (number, best)) in progress.iter().filter_map(|p| Some((p.number, p.best?))).enumerate() {
        let (across, up) = (x.at(f64::from(number)), y.at(best));
        line.push_str(&if n == 0 { format!("M{across} {up}") } else { format!("H{across}V{up}") });
    }
    let low = baseline.iter().copied().fold(f64::INFINITY, f64::min);
    let high = baseline.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let step = (last / 10).max(1) as usize;
    let told = format!(
        "Objective of {} measured trials; the best rises from {} to {}; {} runs of the baseline are between {} and {}.",
        progress.iter().filter(|p| p.objective.is_some()).count(),
        progress.iter().find_map(|p| p.best).map_or_else(|| "nothing".into(), figure),
        progress.iter().rev().find_map(|p| p.best).map_or_else(|| "nothing".into(), figure),
        baseline.len(),
        figure(low),
        figure(high)
    );
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(told) {
            @for mark in y.marks() {
                line.grid x1=(LEFT) x2=(WIDTH - EDGE) y1=(y.at(mark)) y2=(y.at(mark)) {}
                text.mark.end x=(LEFT - 8.0) y=(y.at(mark) + 4.0) { (figure(mark)) }
            }
            @for number in (0..=last).step_by(step) {
                text.mark.middle x=(x.at(f64::from(number))) y=(HEIGHT - BOTTOM + 18.0) { (number) }
            }
            @if !baseline.is_empty() {
                rect.band x=(LEFT) width=(WIDTH - EDGE - LEFT) y=(y.at(high) - 1.0) height=(y.at(low) - y.at(high) + 2.0) {}
                text.mark.end x=(WIDTH - EDGE - 4.0) y=(y.at(high) - 6.0) { "baseline" }
            }
            path.best d=(line) {}
            @for p in progress {
                @match p.objective {
                    Some(value) => circle.run cx=(x.at(f64::from(p.number))) cy=(y.at(value)) r="4" {
                        title { "trial " (p.number) ": " (figure(value)) }
                    },
                    None => text.failed.middle x=(x.at(f64::from(p.number))) y=(HEIGHT - BOTTOM - 4.0) {
                        "×" title { "trial " (p.number) ": not measured, or a constraint was broken" }
                    },
                }
            }
            text.mark x=(4) y=(EDGE - 2.0) { (unit) }
            text.mark.end x=(WIDTH - EDGE) y=(HEIGHT - 2.0) { "trial" }
        }
    }
}

/// The gain with its interval, over all and by cluster.
pub(super) fn intervals(claim: &Claim) -> Markup {
    let mut rows = vec![("over all", claim.gain, claim.low, claim.high)];
    if claim.clusters.len() > 1 {
        rows.extend(claim.clusters.iter().map(|(name, c)| (name.as_str(), c.gain, c.low, c.high)));
    }
    let height = 34.0 * rows.len() as f64 + 30.0;
    let ends = rows.iter().flat_map(|r| [r.2, r.3]).chain([0.0]).collect::<Vec<_>>();
    let x = Axis::over(ends.into_iter(), 130.0, WIDTH - 40.0);
    let shown = |value: f64| match claim.scale {
        Scale::Ratio => change(value),
        Scale::Difference => figure(value),
    };
    let told: Vec<String> =
        rows.iter().map(|r| format!("{}: {} [{}, {}]", r.0, shown(r.1), shown(r.2), shown(r.3))).collect();
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(format!("Gain with its interval. {}", told.join("; "))) {
            @for mark in x.marks() {
                line.grid x1=(x.at(mark)) x2=(x.at(mark)) y1="4" y2=(height - 24.0) {}
                text.mark.middle x=(x.at(mark)) y=(height - 8.0) { (shown(mark)) }
            }
            line.zero x1=(x.at(0.0)) x2=(x.at(0.0)) y1="4" y2=(height - 24.0) {}
            @for (n, (name, gain, low, high)) in rows.iter().enumerate() {
                @let y = 20.0 + 34.0 * n as f64;
                text.name x="4" y=(y + 5.0) { (short(name)) }
                line.interval x1=(x.at(*low)) x2=(x.at(*high)) y1=(y) y2=(y) {}
                circle.gain cx=(x.at(*gain)) cy=(y) r="6" {}
            }
        }
    }
}

/// A name that fits beside its bar.
pub(super) fn short(name: &str) -> String {
    if name.chars().count() <= 16 {
        return name.to_owned();
    }
    name.chars().take(15).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_within_the_axis() {
        let axis = Axis::over([56.0, 99.97].into_iter(), 0.0, 100.0);
        assert_eq!(axis.marks(), [60.0, 70.0, 80.0, 90.0, 100.0]);
        let one = Axis::over([5.0].into_iter(), 0.0, 100.0);
        assert!(one.marks().len() > 1 && (one.at(5.0) - 50.0).abs() < 1.0);
    }
}
