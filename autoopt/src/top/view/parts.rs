//! The two lists: clusters with what runs on them, and experiments with how far they are.

use std::collections::HashMap;
use std::time::Duration;

use autoopt_coordinator::api::view::{ClusterHealth, ClusterView, ExperimentSummary, SpanState, SpanView};
use autoopt_coordinator::machine::Phase;
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::message::{Action, TrialKind};
use autoopt_epoch::time::Timestamp;
use ratatui::style::Modifier;
use ratatui::text::Line;

use super::Page;
use crate::command::{clusters::state, phase};
use crate::show::{Tone, change, figure, spell, spell_short};
use crate::standing::{Standing, title};
use crate::top::picture::Picture;

/// Characters of a bar.
const BAR: usize = 20;

/// A list of things of some lines each, below a heading.
pub(super) struct Blocks {
    heading: Line<'static>,
    blocks: Vec<Vec<Line<'static>>>,
    /// The one that has to be seen.
    chosen: usize,
    /// What they are called where some are left out.
    what: &'static str,
}

impl Blocks {
    pub(super) fn lines(&self) -> usize {
        1 + self.blocks.iter().map(Vec::len).sum::<usize>()
    }

    /// As much of it as so many lines hold, and how much that is not.
    pub(super) fn within(self, room: usize, page: Page) -> Vec<Line<'static>> {
        let all = self.lines();
        let mut lines = vec![self.heading];
        if all <= room {
            lines.extend(self.blocks.into_iter().flatten());
            return lines;
        }
        // the heading, and the line that tells what is left out
        let room = room.saturating_sub(2);
        let mut first = 0;
        while first < self.chosen
            && self.blocks[first..=self.chosen].iter().map(Vec::len).sum::<usize>() > room
        {
            first += 1;
        }
        let mut left = room;
        let mut shown = 0;
        let count = self.blocks.len();
        for block in self.blocks.into_iter().skip(first) {
            if block.len() > left {
                break;
            }
            left -= block.len();
            shown += 1;
            lines.extend(block);
        }
        let text = format!("  and {} more {}", count - shown, self.what);
        lines.push(page.line(&[(text, page.width, Tone::Faint)]));
        lines
    }
}

/// Troubled clusters first, then those where something runs.
pub(super) fn clusters(picture: &Picture, there: Timestamp, page: Page) -> Blocks {
    let open = picture.seen.timeline.spans.iter().filter(|span| span.ended.is_none());
    let open: HashMap<&str, &SpanView> = open.map(|span| (span.cluster.as_str(), span)).collect();
    let names: HashMap<_, &str> = picture.seen.experiments.iter().map(|e| (e.id, e.name.as_str())).collect();
    let mut sorted: Vec<&ClusterView> = picture.seen.clusters.iter().collect();
    sorted.sort_by_key(|c| (!troubled(c), !open.contains_key(c.name.as_str()), &c.name));
    let fixed = [14, 11, 14, 16];
    let wide = page.width.saturating_sub(fixed.iter().sum());
    let row = |cluster: &&ClusterView| {
        let span = open.get(cluster.name.as_str()).copied();
        let name = (cluster.name.clone(), fixed[0], Tone::Usual);
        let holder = cluster.experiment_id.and_then(|id| names.get(&id)).copied().unwrap_or_default();
        let holder = (holder.to_owned(), fixed[3], Tone::Usual);
        match span {
            Some(span) if cluster.health != ClusterHealth::Paused => {
                let (what, tone) = work(span);
                let (since, left) = times(span, picture.paces.usual(span), there);
                let columns =
                    [(what, wide, tone), (since, fixed[1], Tone::Usual), (left, fixed[2], Tone::Faint)];
                let [what, since, left] = columns;
                vec![page.line(&[name, what, since, left, holder])]
            }
            _ => {
                let (tone, text) = idle(cluster, there);
                vec![page.line(&[name, (text, wide + fixed[1] + fixed[2], tone), holder])]
            }
        }
    };
    let blocks: Vec<Vec<Line<'static>>> = sorted.iter().map(row).collect();
    let heading = page.heading(&[
        ("cluster", fixed[0]),
        ("what runs now", wide),
        ("for", fixed[1]),
        ("about left", fixed[2]),
        ("experiment", fixed[3]),
    ]);
    Blocks { heading, blocks, chosen: 0, what: "clusters" }
}

fn troubled(cluster: &ClusterView) -> bool {
    cluster.health != ClusterHealth::Healthy || cluster.leaked.is_some()
}

/// A cluster where nothing runs.
fn idle(cluster: &ClusterView, there: Timestamp) -> (Tone, String) {
    if let Some(leaked) = &cluster.leaked {
        let n = leaked.leaks.len();
        return (
            Tone::Bad,
            format!("{n} things were left behind by {}: `autoopt clusters`", leaked.experiment),
        );
    }
    match cluster.health {
        ClusterHealth::Healthy if cluster.failures == 0 => (Tone::Faint, "-".into()),
        _ => state(cluster, there),
    }
}

/// What an open step is.
fn work(span: &SpanView) -> (String, Tone) {
    let mut text = format!("{}: {}", title(span.kind, span.number), span.stage);
    if span.action != Action::Run {
        text.push_str(&format!(" {}", span.action.as_str()));
    }
    if span.attempt > 1 {
        text.push_str(&format!(", attempt {}", span.attempt));
    }
    match span.state {
        SpanState::Handed => (format!("{text} (queued)"), Tone::Usual),
        SpanState::Waiting => (format!("{text} (to be retried)"), Tone::Bad),
        _ => (text, Tone::Busy),
    }
}

/// For how long it runs, and about how long it will.
fn times(span: &SpanView, usual: Option<Duration>, there: Timestamp) -> (String, String) {
    let since = there.since(span.began);
    let left = match usual {
        Some(usual) if span.state == SpanState::Running => match usual.checked_sub(since) {
            Some(left) => spell(left),
            None => format!("{} over", spell(since.saturating_sub(usual))),
        },
        _ => String::new(),
    };
    (spell_short(since), left)
}

/// Two or three lines for each.
pub(super) fn experiments(picture: &Picture, there: Timestamp, page: Page) -> Blocks {
    let fixed = [16, 11, 8, 10, 12];
    let wide = page.width.saturating_sub(fixed.iter().sum());
    let shown = picture.experiments();
    let chosen = picture.chosen().map(|e| e.id);
    let block = |e: &&ExperimentSummary| {
        let standing = Standing::of(e, there);
        let mark = if Some(e.id) == chosen { "> " } else { "  " };
        let gain = standing.gain.map(change).unwrap_or_default();
        let left = match e.phase {
            Phase::Running => standing.left.map(spell).unwrap_or_default(),
            Phase::Ended => e.ended.map(|at| format!("{} ago", spell(there.since(at)))).unwrap_or_default(),
            _ => String::new(),
        };
        let mut first = page.line(&[
            (format!("{mark}{}", e.name), fixed[0], Tone::Usual),
            (phase(e.phase).into(), fixed[1], Tone::of_phase(e.phase)),
            (format!("{}/{}", standing.done, standing.total), fixed[2], Tone::Usual),
            (best(e), wide, Tone::Usual),
            (gain, fixed[3], Tone::Good),
            (left, fixed[4], Tone::Faint),
        ]);
        if Some(e.id) == chosen {
            first = first.patch_style(Modifier::BOLD);
        }
        let mut lines = vec![first, counts(e, &standing, waiting(picture, e), page)];
        lines.extend(more(e, page));
        lines
    };
    let blocks: Vec<Vec<Line<'static>>> = shown.iter().map(block).collect();
    let heading = page.heading(&[
        ("  experiment", fixed[0]),
        ("phase", fixed[1]),
        ("trials", fixed[2]),
        ("best by model, 90 %", wide),
        ("gain", fixed[3]),
        ("about left", fixed[4]),
    ]);
    let at = shown.iter().position(|e| Some(e.id) == chosen).unwrap_or(0);
    Blocks { heading, blocks, chosen: at, what: "experiments" }
}

/// The best by model with its interval; measured, as long as there is no model. Of several objectives none is the best.
fn best(e: &ExperimentSummary) -> String {
    match e.front.len() {
        0 => {}
        1 => return "front of 1 trial".into(),
        n => return format!("front of {n} trials"),
    }
    match (&e.outlook, &e.best) {
        (Some(outlook), _) => {
            let r = &outlook.recommended;
            format!("{} [{}, {}]", short(r.objective), short(r.low), short(r.high))
        }
        (None, Some(best)) => format!("{} (measured)", short(best.objective)),
        (None, None) => "-".into(),
    }
}

/// Four significant digits: what a narrow column holds.
fn short(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return figure(x);
    }
    let power = 10.0_f64.powi(3 - x.abs().log10().floor() as i32);
    let rounded = (x * power).round() / power;
    figure(if rounded.is_finite() { rounded } else { x })
}

/// Trials that were accepted and that no epoch has begun.
fn waiting(picture: &Picture, e: &ExperimentSummary) -> u32 {
    let ended: u32 = e.outcomes.values().sum();
    let of = |span: &&SpanView| {
        let counted = matches!(span.kind, TrialKind::Proposed | TrialKind::Manual);
        span.experiment_id == e.id && span.ended.is_none() && counted
    };
    let running = picture.seen.timeline.spans.iter().filter(of).count();
    e.accepted.saturating_sub(ended).saturating_sub(u32::try_from(running).unwrap_or(u32::MAX))
}

/// A bar, what became of the trials, and how many wait.
fn counts(e: &ExperimentSummary, standing: &Standing, waiting: u32, page: Page) -> Line<'static> {
    let total = standing.total.max(standing.done).max(1) as usize;
    let full = BAR * standing.done as usize / total;
    let bar = format!("  [{}{}]", "#".repeat(full), "-".repeat(BAR - full));
    let mut spans = vec![page.ink(bar, Tone::Busy)];
    // failures first: the end is cut off where the page is narrow
    let (measured, failed): (Vec<_>, Vec<_>) =
        e.outcomes.iter().partition(|(outcome, _)| **outcome == Outcome::Measured);
    for (outcome, n) in failed {
        spans.push(page.ink(format!("  {n} {outcome}"), Tone::of_outcome(*outcome)));
    }
    if waiting > 0 {
        spans.push(page.ink(format!("  {waiting} in the queue"), Tone::Busy));
    }
    for (outcome, n) in measured {
        spans.push(page.ink(format!("  {n} {outcome}"), Tone::Usual));
    }
    if let Some(baseline) = standing.baseline {
        spans.push(page.ink(format!("  baseline {}", figure(baseline)), Tone::Usual));
    }
    Line::from(spans)
}

/// What the fresh runs show, or why it stopped.
fn more(e: &ExperimentSummary, page: Page) -> Option<Line<'static>> {
    let (text, tone) = match (&e.confirmation, &e.reason) {
        (Some(confirmation), _) => {
            (&confirmation.told, if confirmation.shown() { Tone::Good } else { Tone::Usual })
        }
        (None, Some(reason)) => (reason, Tone::Usual),
        (None, None) => return None,
    };
    Some(page.line(&[(format!("  {text}"), page.width, tone)]))
}
