//! How a [`Picture`] is drawn: as lines of a page, without a terminal.

mod parts;
#[cfg(test)]
pub(crate) mod tests;

use autoopt_coordinator::api::view::HealthStatus;
use autoopt_epoch::id::ExperimentId;
use autoopt_epoch::time::Timestamp;
use console::{Alignment, measure_text_width, pad_str, strip_ansi_codes};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::picture::Picture;
use crate::board;
use crate::command::status;
use crate::show::{Tone, plain, spell};
use parts::{clusters, experiments};

/// Lines of the log that are shown even where there is little room, with their heading.
const LOG: usize = 4;

/// What is drawn on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) width: usize,
    /// Absent where it is as long as it has to be.
    pub(crate) height: Option<usize>,
    pub(crate) colours: bool,
}

/// The page's lines, and how far down a long one is really scrolled.
pub(crate) fn frame(picture: &Picture, now: Timestamp, page: Page) -> (Vec<Line<'static>>, usize) {
    let mut lines = head(picture, now, page);
    // the keys, at the bottom
    let room = page.height.map(|height| height.saturating_sub(lines.len() + 1));
    let mut scrolled = 0;
    if picture.looking {
        let whole = one(picture, now, page);
        scrolled = picture.scrolled.min(whole.len().saturating_sub(room.unwrap_or(0)));
        lines.extend(whole.into_iter().skip(scrolled));
    } else {
        lines.extend(all(picture, now, page, room));
    }
    if let Some(height) = page.height {
        lines.resize(height.saturating_sub(1), Line::default());
        lines.push(page.line(&[(keys(picture), page.width, Tone::Faint)]));
    }
    (lines, scrolled)
}

fn keys(picture: &Picture) -> String {
    let keys = if picture.looking {
        "esc back   ↑ ↓ scroll   q quit"
    } else {
        "↑ ↓ choose   enter look   q quit"
    };
    keys.into()
}

impl Page {
    /// Text in its tone.
    pub(super) fn ink(self, text: impl Into<String>, tone: Tone) -> Span<'static> {
        Span::styled(text.into(), self.style(tone))
    }

    fn style(self, tone: Tone) -> Style {
        let style = Style::default();
        if !self.colours {
            return style;
        }
        match tone {
            Tone::Good => style.fg(Color::Green),
            Tone::Bad => style.fg(Color::Red),
            Tone::Busy => style.fg(Color::Cyan),
            Tone::Faint => style.fg(Color::DarkGray),
            Tone::Usual => style,
        }
    }

    /// One line of columns, each cut or filled to its width; what is beyond the page is cut as well.
    pub(super) fn line(self, columns: &[(String, usize, Tone)]) -> Line<'static> {
        let mut left = self.width;
        let mut spans = Vec::new();
        for (text, width, tone) in columns {
            let width = left.min(*width);
            // one blank keeps a full column from the next one
            let text =
                pad_str(&plain(text), width.saturating_sub(1), Alignment::Left, Some("…")).into_owned();
            spans.push(self.ink(text + " ", *tone));
            left -= width;
        }
        Line::from(spans)
    }

    pub(super) fn heading(self, columns: &[(&str, usize)]) -> Line<'static> {
        let columns: Vec<_> =
            columns.iter().map(|(text, width)| ((*text).to_owned(), *width, Tone::Faint)).collect();
        self.line(&columns).style(Style::default().add_modifier(Modifier::BOLD))
    }
}

/// Which coordinator, its clock, and what is wrong with it.
fn head(picture: &Picture, now: Timestamp, page: Page) -> Vec<Line<'static>> {
    let health = &picture.seen.health;
    let standby = if health.standby { ", stands by" } else { "" };
    let title = format!("autoopt top   coordinator {}{standby} at {}", health.version, picture.server);
    let clock = picture.there(now).to_string();
    let clock = clock.get(11..19).unwrap_or_default().to_owned();
    let mut lines =
        vec![page.line(&[(title, page.width.saturating_sub(9), Tone::Usual), (clock, 9, Tone::Usual)])];
    let mut tell = |text: String, tone| lines.push(page.line(&[(text, page.width, tone)]));
    if let Some((since, why)) = &picture.trouble {
        tell(format!("for {} nothing new: {why}", spell(now.since(*since))), Tone::Bad);
    }
    for (name, part) in [("bus", &health.bus), ("store", &health.store), ("relay", &health.relay)] {
        if part.status != HealthStatus::Ok {
            tell(format!("{name}: {}", part.reason.as_deref().unwrap_or("not well")), Tone::Bad);
        }
    }
    if health.backlog > 0 {
        tell(format!("{} messages wait to be published", health.backlog), Tone::Busy);
    }
    lines
}

/// Clusters, experiments and the log, in the room there is.
fn all(picture: &Picture, now: Timestamp, page: Page, room: Option<usize>) -> Vec<Line<'static>> {
    let there = picture.there(now);
    let clusters = clusters(picture, there, page);
    let experiments = experiments(picture, there, page);
    let (mut upper, mut lower) = (clusters.lines(), experiments.lines());
    if let Some(room) = room {
        // two blank lines, and the log
        let room = room.saturating_sub(2 + LOG);
        lower = lower.min((room / 2).max(room.saturating_sub(upper)));
        upper = upper.min(room.saturating_sub(lower));
    }
    let mut lines = clusters.within(upper, page);
    lines.push(Line::default());
    lines.extend(experiments.within(lower, page));
    let left = room.map_or(0, |room| room.saturating_sub(lines.len() + 1));
    if left >= 2 {
        lines.push(Line::default());
        lines.extend(log(picture, page, left, |_| true));
    }
    lines
}

/// The last events, in so many lines.
fn log(
    picture: &Picture,
    page: Page,
    room: usize,
    which: impl Fn(Option<ExperimentId>) -> bool,
) -> Vec<Line<'static>> {
    let mut lines = vec![page.heading(&[("log", page.width)])];
    let events: Vec<_> = picture.log.iter().filter(|event| which(event.experiment_id)).collect();
    for event in &events[events.len().saturating_sub(room.saturating_sub(1))..] {
        let at = event.at.to_string();
        let at = at.get(11..19).unwrap_or_default().to_owned();
        let name = event.experiment.clone().unwrap_or_default();
        let tone = board::tone(event).unwrap_or(Tone::Usual);
        let rest = page.width.saturating_sub(9 + 16);
        lines.push(page.line(&[
            (at, 9, Tone::Faint),
            (name, 16, Tone::Usual),
            (event.message.clone(), rest, tone),
        ]));
    }
    lines
}

/// The experiment that is looked at, as `autoopt status` tells it, and its part of the log.
fn one(picture: &Picture, now: Timestamp, page: Page) -> Vec<Line<'static>> {
    let Some(detail) = &picture.seen.detail else {
        return vec![Line::default(), page.line(&[("asks for it …".into(), page.width, Tone::Faint)])];
    };
    let told = status::describe(detail, picture.there(now));
    let mut lines = vec![Line::default()];
    for line in strip_ansi_codes(&told).lines() {
        let parts = wrapped(line, page.width.saturating_sub(1));
        lines.extend(parts.into_iter().map(|part| page.line(&[(part, page.width, Tone::Usual)])));
    }
    lines.push(Line::default());
    let id = detail.summary.id;
    lines.extend(log(picture, page, usize::MAX, |of| of == Some(id)));
    lines
}

/// A line of `autoopt status` in pieces of a width; what follows the first is indented as its values are.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    const INDENT: &str = "             ";
    let mut pieces = Vec::new();
    let mut rest = line.replace('\t', "    ");
    while measure_text_width(&rest) > width && width > 2 * INDENT.len() {
        let fits = rest.char_indices().take_while(|(at, _)| measure_text_width(&rest[..*at]) < width);
        let end = fits.last().map_or(rest.len(), |(at, _)| at);
        // a word that is longer than a line is cut
        let cut = rest[..end].rfind(' ').filter(|at| *at > INDENT.len()).unwrap_or(end);
        let tail = rest.split_off(cut);
        pieces.push(std::mem::replace(&mut rest, format!("{INDENT}{}", tail.trim_start())));
    }
    pieces.push(rest);
    pieces
}
